/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * MariaDB's unremarkable statements (quiet.h). What they read the server does not count where it
 * could be seen, so the answer must bear the column descriptions of the judged one, which name
 * tables, or the server's word that they are the same; and whatever is no look-up by itself voids
 * what was judged in its session before. A statement that may be such a one is held until its
 * answer is there, which is counted when it comes as a whole and is like it. If not, the statement
 * is told, then its answer.
 */
#pragma once

#include "db.h"
#include "mysql_walk.h"
#include "quiet_verdict.h"

/* Of a session, and the statement in it that is held. */
struct my_quiet {
	struct quiet quiet;
	__u32 group, code;
	__u32 columns_from, columns_n; /* of its answer, in the window; none: 0 ... */
	__u32 columns_at;	       /* ... of all of its descriptions */
	__u32 n;
	__u8 text[QUIET_TEXT_MAX];
};

/* By my_session::conn. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, struct my_quiet);
} my_quiets __weak SEC(".maps");

static void my_columns_tell(struct my_session *s, struct db_scratch *scratch, __u32 off, __u32 n,
			    __u32 at);

/* What was held is told. A global function: the verifier looks at it once. */
__weak __noinline int my_quiet_release(struct my_session *s, struct db_scratch *scratch,
				       struct my_quiet *q)
{
	struct rec_db_command *c;
	__u32 n;

	if (!s || !scratch || !q || !q->quiet.on)
		return 0;
	q->quiet.on = 0;
	n = q->n;
	if (n > sizeof(q->text))
		return 0;
	c = (void *)scratch->record;
	__builtin_memset(c, 0, sizeof(*c));
	task_fill(&c->task, bpf_get_current_task_btf());
	c->conn = s->conn;
	c->group = q->group;
	c->code = q->code;
	c->length = n;
	c->shape = q->quiet.shape;
	db_emit_text(scratch, sizeof(*c), &c->text, q->text, n, KIND_db_command);
	if (q->columns_n && q->columns_from < DB_WINDOW)
		my_columns_tell(s, scratch, q->columns_from, q->columns_n, q->columns_at);
	q->columns_n = 0;
	return 0;
}

/* The session's; made when its first statement comes. */
static __always_inline struct my_quiet *my_quiet_of(const struct my_session *s,
						    struct db_scratch *scratch)
{
	struct my_quiet *q = bpf_map_lookup_elem(&my_quiets, &s->conn), *none;
	__u64 conn = s->conn;

	if (q)
		return q;
	none = (void *)scratch->record;
	__builtin_memset(none, 0, sizeof(*none));
	bpf_map_update_elem(&my_quiets, &conn, none, BPF_NOEXIST);
	return bpf_map_lookup_elem(&my_quiets, &conn);
}

static __always_inline bool my_is_select(const __u8 *text, __u32 n)
{
	__u64 w, lower = 0x0000202020202020, select = 0x00007463656c6573;

	db_copy8((__u8 *)&w, text);
	return n > 7 && ((w | lower) & 0x0000ffffffffffff) == select;
}

/*
 * The shape of a command of n bytes in the window, of which that is all; 0: none. *ret_void: it may
 * change what others mean.
 */
static __always_inline __u64 my_shape(const struct quiet_secret *secret, __u32 command,
				      const __u8 *text, __u32 n, bool *ret_void)
{
	__u64 shape = 0;

	switch (command) {
	case COM_QUERY:
		if (my_is_select(text, n))
			shape = quiet_shape(secret, text, n, true);
		*ret_void = !shape;
		break;
	case COM_STMT_PREPARE:
		*ret_void = !my_is_select(text, n);
		break;
	case COM_STMT_EXECUTE: /* a number means one statement for as long as the session lasts */
		if (n == sizeof(__u32))
			shape = ~(__u64)text[0] ^ (__u64)text[1] << 8 ^ (__u64)text[2] << 16 ^
				(__u64)text[3] << 24;
		break;
	case COM_STMT_FETCH:
	case COM_STMT_CLOSE:
	case COM_STMT_RESET:
	case COM_STMT_SEND_LONG_DATA:
	case COM_STATISTICS:
	case COM_PING:
		break;
	default:
		*ret_void = true;
	}
	return shape;
}

/*
 * A command comes, and n bytes of it are at `text` in user memory; `whole`: it has no more. True:
 * it is held. Else *ret_shape is what it is to be judged by.
 */
static __noinline int my_quiet_command(struct my_walk *w, __u64 text, __u32 n, bool whole,
				       __u64 *ret_shape)
{
	const struct quiet_secret *secret = quiet_secret_get();
	struct db_scratch *scratch = w->scratch;
	struct my_session *s = w->s;
	struct my_quiet *q;
	bool voids = false;

	if (!secret || !scratch || !s || !ret_shape)
		return false;
	q = my_quiet_of(s, scratch);
	if (!q)
		return false;
	my_quiet_release(s, scratch, q); /* it was not answered */
	q->quiet.shape = 0;
	if (!whole || n > QUIET_TEXT_MAX || bpf_probe_read_user(scratch->window, n, (void *)text))
		n = 0;
	q->quiet.shape = my_shape(secret, s->command, scratch->window, n, &voids);
	if (voids)
		q->quiet.queries++;
	if (!q->quiet.shape)
		return false;
	q->quiet.shape += q->quiet.queries;
	*ret_shape = q->quiet.shape;
	barrier_var(n); /* 6.1 does not know any more what it may be */
	if (n > sizeof(q->text))
		return false;
	if (s->phase != MY_FIRST || !quiet_judged(&q->quiet, s->conn, secret) ||
	    bpf_probe_read_kernel(q->text, n, scratch->window))
		return false;
	q->quiet.on = 1;
	q->group = s->group;
	q->code = s->command;
	q->n = n;
	q->columns_n = 0;
	return true;
}

/* n bytes of descriptions in the window. True: they are held. */
static __always_inline bool my_quiet_columns(struct my_session *s, struct db_scratch *scratch,
					     struct my_quiet *q, __u32 off, __u32 n)
{
	const struct quiet_secret *secret = quiet_secret_get();
	struct db_result *r = &s->result;

	if (!q || !secret || !q->quiet.shape)
		return false;
	r->columns_hash = quiet_columns(secret, r->columns_hash, scratch->window + off, n);
	if (!q->quiet.on)
		return false;
	if (scratch->at.left || !r->columns_hash || r->columns_hash != q->quiet.columns) {
		my_quiet_release(s, scratch, q);
		return false;
	}
	q->columns_from = off;
	q->columns_n = n;
	q->columns_at = s->columns_bytes;
	return true;
}

/* The result that ends is only counted. */
static __always_inline bool my_quiet_result(struct my_session *s, struct db_scratch *scratch,
					    struct my_quiet *q, enum rec_end end)
{
	struct db_result *r = &s->result;

	if (!q || !q->quiet.on)
		return false;
	if (end == End_complete && quiet_small(&q->quiet, r) && !s->index && !r->affected &&
	    !(r->status & MY_STATUS_MORE_RESULTS) && r->columns_hash &&
	    r->columns_hash == q->quiet.columns) {
		quiet_count(&q->quiet, r);
		q->quiet.on = 0;
		q->columns_n = 0;
		return true;
	}
	my_quiet_release(s, scratch, q);
	return false;
}

/* The session ends. */
static __always_inline void my_quiet_end(struct my_session *s, struct db_scratch *scratch)
{
	__u64 conn = s->conn;
	struct my_quiet *q = bpf_map_lookup_elem(&my_quiets, &conn);

	if (!q)
		return;
	my_quiet_release(s, scratch, q);
	quiet_tell(conn, &q->quiet);
	bpf_map_delete_elem(&my_quiets, &conn);
}
