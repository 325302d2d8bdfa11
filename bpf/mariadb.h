/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * MariaDB's sessions, and what is told of them, for the two taps: sockets (mariadb.bpf.c) and, for
 * what is encrypted or compressed, functions of the server (mariadb_tls.bpf.c). A session is the
 * server's end of a socket. It begins with a greeting, so a server that itself is a client
 * (replication, federated tables) is not taken for one; or it was there before the sensor, in the
 * server's own list. A tap that finds a session which is the other's leaves it alone.
 */
#pragma once

#include "db.h"
#include "db_socket.h"
#include "my_quiet.h"
#include "mysql_client.h"

struct my_key {
	__u64 sk;
	__u64 tgid;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, struct my_key);
	__type(value, struct my_session);
} my_sessions __weak SEC(".maps");

/* The session that a thread serves now, and its call in progress: functions of the server that know
 * neither socket nor session are entered, and those that read have returned when they are seen. */
struct my_call {
	struct my_key session;
	__u64 ptr;
	__u64 size; /* asked for; of my_uncompress() where the size is */
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct my_call);
} my_calls __weak SEC(".maps");

static __always_inline void my_calling(const struct my_key *session, __u64 ptr, __u64 size)
{
	struct my_call *call = bpf_task_storage_get(&my_calls, bpf_get_current_task_btf(), NULL,
						    BPF_LOCAL_STORAGE_GET_F_CREATE);

	if (call)
		*call = (struct my_call){*session, ptr, size};
}

/* n bytes of descriptions in the window, `at` of all of them. */
static void my_columns_tell(struct my_session *s, struct db_scratch *scratch, __u32 off, __u32 n,
			    __u32 at)
{
	struct rec_db_columns *c = (void *)scratch->record;

	__builtin_memset(c, 0, sizeof(*c));
	c->conn = s->conn;
	c->group = s->group;
	c->index = s->index;
	c->offset = at;
	db_emit_text(scratch, sizeof(*c), &c->body, scratch->window + off, n, KIND_db_columns);
}

/* Global functions, as my_ended(): the verifier looks at them once, not for each way to them. */
__weak __noinline int my_columns(struct my_session *s, struct db_scratch *scratch,
				 struct my_quiet *q, __u32 off, __u32 n)
{
	if (s && scratch && off < DB_WINDOW && !my_quiet_columns(s, scratch, q, off, n))
		my_columns_tell(s, scratch, off, n, s->columns_bytes);
	return 0;
}

static __always_inline void my_on_columns(struct my_walk *w, __u32 off, __u32 n)
{
	my_columns(w->s, w->scratch, w->quiet, off, n);
}

/* COM_STMT_PREPARE was answered: the text has a number now. */
static __noinline void my_on_prepared(struct my_walk *w)
{
	struct db_scratch *scratch = w->scratch;
	struct my_session *s = w->s;
	struct rec_db_columns *c;

	if (!scratch || !s)
		return;
	c = (void *)scratch->record;
	__builtin_memset(c, 0, sizeof(*c));
	c->conn = s->conn;
	c->group = s->group;
	c->stmt_id = s->stmt_id;
	db_slice(&c->body, sizeof(*c), 0, 0);
	emit(LANE_CRIT, c, sizeof(*c), KIND_db_columns, false);
}

static __always_inline void my_emit_end(struct my_session *s, struct db_scratch *scratch,
					enum rec_end end)
{
	struct rec_db_end *e = (void *)scratch->record;

	__builtin_memset(e, 0, sizeof(*e));
	task_fill(&e->task, bpf_get_current_task_btf());
	e->conn = s->conn;
	e->group = s->group;
	e->index = s->index;
	db_end_fill(e, &s->result, end, s->tap);
	db_slice(&e->tag, sizeof(*e), 0, 0);
	db_slice(&e->statement, sizeof(*e), 0, 0);
	emit(LANE_CRIT, e, sizeof(*e), KIND_db_end, false);
}

__weak __noinline int my_ended(struct my_session *s, struct db_scratch *scratch, struct my_quiet *q,
			       enum rec_end end)
{
	if (!s || !scratch)
		return 0;
	if (!my_quiet_result(s, scratch, q, end))
		my_emit_end(s, scratch, end);
	my_result_close(s);
	return 0;
}

static __always_inline void my_on_end(struct my_walk *w, enum rec_end end)
{
	my_ended(w->s, w->scratch, w->quiet, end);
}

static __noinline void my_on_command(struct my_walk *w, __u64 text, __u32 n)
{
	struct db_scratch *scratch = w->scratch;
	struct my_session *s = w->s;
	struct rec_db_command *c;
	__u64 shape = 0;

	if (!scratch || !s)
		return;
	if (!s->client.pos &&
	    my_quiet_command(w, text, n, n == s->client.left || n == sizeof(__u32), &shape))
		return;
	c = (void *)scratch->record;
	__builtin_memset(c, 0, sizeof(*c));
	task_fill(&c->task, bpf_get_current_task_btf());
	c->conn = s->conn;
	c->group = s->group;
	c->code = s->group ? s->command : COM_LOGIN;
	c->offset = s->client.pos;
	c->length = s->client.want;
	c->shape = shape;
	if (n > DB_TEXT_MAX)
		n = DB_TEXT_MAX;
	if (bpf_probe_read_user(scratch->record + sizeof(*c), n, (void *)text)) {
		db_miss(DB_MISS_READ);
		c->length = c->offset; /* that was all */
		n = 0;
	}
	db_slice(&c->text, sizeof(*c), n, n);
	emit(LANE_CRIT, c, sizeof(*c) + n, KIND_db_command, false);
}

/* The current process's end of the socket. */
static __always_inline struct my_key my_key_of(struct sock *sk)
{
	return (struct my_key){(__u64)sk, bpf_get_current_task_btf()->tgid};
}

static __always_inline struct my_walk my_walk_in(struct my_session *s, struct db_scratch *scratch)
{
	return (struct my_walk){
		.s = s, .window = scratch->window, .scratch = scratch, .at = &scratch->at};
}

/* The server sends n bytes at ptr. */
static __always_inline void my_sends(struct my_session *s, __u64 ptr, __u64 n)
{
	struct db_scratch *scratch;
	__u64 conn = s->conn;
	struct my_walk w;

	if (s->phase == MY_DONE)
		return;
	scratch = db_scratch_claim();
	if (!scratch) {
		my_lost(s, n);
		return;
	}
	w = my_walk_in(s, scratch);
	w.quiet = bpf_map_lookup_elem(&my_quiets, &conn);
	my_chunk(&w, ptr, n);
	my_quiet_release(s, scratch, w.quiet); /* it has not ended */
	if (s->result.begin_time && db_progress_due(&s->result)) {
		my_emit_end(s, scratch, End_streaming);
		db_progress_next(&s->result);
	}
	db_scratch_release(scratch);
}

/* The server asked for `asked` bytes (0: not known) and got n at ptr. */
static __always_inline void my_receives(struct my_session *s, __u64 ptr, __u64 asked, __u64 n)
{
	struct db_scratch *scratch;
	struct my_walk w;

	if (my_client_header(s, ptr, asked, n))
		return;
	scratch = db_scratch_claim();
	if (!scratch) {
		my_client_lost(s);
		return;
	}
	w = my_walk_in(s, scratch);
	my_client_chunk(&w, ptr, asked, n);
	db_scratch_release(scratch);
}

/* Ends a session that is already out of the map. */
static __always_inline void my_emit_close(struct my_session *s, struct db_scratch *scratch)
{
	struct rec_db_close *c = (void *)scratch->record;

	if (s->result.begin_time) {
		my_result_abort(s);
		my_emit_end(s, scratch, End_aborted);
		my_result_close(s);
	}
	my_quiet_end(s, scratch);
	__builtin_memset(c, 0, sizeof(*c));
	task_fill(&c->task, bpf_get_current_task_btf());
	c->conn = s->conn;
	c->rows = s->totals.rows;
	c->bytes = s->totals.bytes;
	c->desync = s->totals.desync;
	emit(LANE_CRIT, c, sizeof(*c), KIND_db_close, false);
}
