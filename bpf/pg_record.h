/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What is told of PostgreSQL's sessions: the records that are made of what the walker finds, and of
 * a session's begin. Which bytes the walker is given is postgresql.bpf.c.
 */
#pragma once

#include "db.h"
#include "pg_quiet.h"
#include "pg_reads.h"
#include "pg_tls.h"

struct pg_key {
	__u64 start_time;
	__u64 tgid;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, struct pg_key);
	__type(value, struct pg_session);
} pg_sessions SEC(".maps");

static __always_inline struct pg_key pg_key_current(void)
{
	struct task_struct *task = plain_current();

	return (struct pg_key){task->group_leader->start_boottime, task->tgid};
}

static __noinline void pg_on_command(struct pg_walk *w, __u32 off, __u32 n)
{
	struct db_scratch *scratch = w->scratch;
	struct pg_session *s = w->s;
	struct rec_db_command *c;

	if (!scratch || !s || off >= DB_WINDOW)
		return;
	/* Those of a statement in parts are of the group that the server is to answer next. */
	if (s->client.tag == 'Q' || s->client_group != s->server_group) {
		s->quiet.on = 0;
		s->quiet.shape = 0;
	}
	if (s->client.tag == 'Q' && !s->client.pos)
		pg_quiet_query(s, scratch, off, n == s->client.length ? n : 0);
	if (s->quiet.on)
		return;
	if (!s->client.pos)
		pg_quiet_told(s, scratch, off, n);
	c = (void *)scratch->record;
	__builtin_memset(c, 0, sizeof(*c));
	task_fill(&c->task, bpf_get_current_task_btf());
	c->conn = s->conn;
	c->group = s->client_group + 1;
	c->index = s->client_index;
	c->code = s->client.tag;
	c->offset = s->client.pos;
	c->length = s->client.length;
	c->shape = s->client.tag == 'Q' || s->client.tag == 'E' ? s->quiet.shape : 0;
	db_emit_text(scratch, sizeof(*c), &c->text, scratch->window + off, n, KIND_db_command);
}

static __noinline void pg_on_received(struct pg_walk *w)
{
	struct pg_session *s = w->s;

	if (!s)
		return;
	s->quiet.on = 0;
	s->quiet.shape = 0;
	if (s->client.phase == PG_MESSAGES && !s->client.skip && !s->client.have && !w->at->left)
		pg_quiet_parts(w);
}

static __noinline void pg_on_columns(struct pg_walk *w, __u32 off, __u32 n)
{
	struct db_scratch *scratch = w->scratch;
	struct pg_session *s = w->s;
	struct rec_db_columns *c;

	if (!scratch || !s || off >= DB_WINDOW || s->quiet.on)
		return;
	c = (void *)scratch->record;
	__builtin_memset(c, 0, sizeof(*c));
	c->conn = s->conn;
	c->group = s->server_group + 1;
	c->index = s->server_index;
	c->offset = s->server.pos;
	c->length = s->server.length;
	db_emit_text(scratch, sizeof(*c), &c->body, scratch->window + off, n, KIND_db_columns);
}

static __noinline void pg_on_parameter(struct pg_walk *w, __u32 off, __u32 n)
{
	struct db_scratch *scratch = w->scratch;
	struct pg_session *s = w->s;
	struct rec_db_parameter *p;

	if (!scratch || !s || off >= DB_WINDOW)
		return;
	p = (void *)scratch->record;
	__builtin_memset(p, 0, sizeof(*p));
	p->conn = s->conn;
	p->offset = s->server.pos;
	p->length = s->server.length;
	db_emit_text(scratch, sizeof(*p), &p->body, scratch->window + off, n, KIND_db_parameter);
}

/*
 * The text of the statement that runs now or, when the backend has forgotten it, as it does
 * before it sends what fits into one buffer: that it shows in pg_stat_activity.
 */
static __always_inline __u32 pg_statement(const struct pg_session *s, __u8 *dst)
{
	__u32 key = s->binary;
	struct db_binary *b = bpf_map_lookup_elem(&db_binaries, &key);
	__u64 text = 0, entry = 0;
	long n;

	if (!b || !s->text_base)
		return 0;
	if (b->debug_query_string)
		bpf_probe_read_user(&text, sizeof(text),
				    (void *)(s->text_base + b->debug_query_string));
	if (!text && b->my_beentry) {
		bpf_probe_read_user(&entry, sizeof(entry), (void *)(s->text_base + b->my_beentry));
		bpf_probe_read_user(&text, sizeof(text), (void *)(entry + b->activity));
	}
	if (!text)
		return 0;
	n = bpf_probe_read_user_str(dst, DB_TEXT_MAX, (void *)text);
	return n > 1 ? n - 1 : 0;
}

static __noinline void pg_emit_reads(struct pg_session *s, struct db_scratch *scratch,
				     enum rec_end end)
{
	struct pg_tell t = {
		.scratch = scratch,
		.conn = s->conn,
		.group = s->server_group + 1,
		.index = s->server_index,
		.ended = end != End_streaming,
	};

	pg_reads_tell(&t, s->binary);
}

/* By itself to the verifier, which would else go through it for each way in which a result ends. */
__noinline int pg_emit_end(struct pg_session *s, struct db_scratch *scratch, enum rec_end end)
{
	struct rec_db_end *e;
	__u32 fixed = sizeof(*e), size = fixed + sizeof(s->result.tag), n = 0;

	if (!s || !scratch)
		return 0;
	e = (void *)scratch->record;
	pg_emit_reads(s, scratch, end);
	__builtin_memset(e, 0, sizeof(*e));
	task_fill(&e->task, bpf_get_current_task_btf());
	e->conn = s->conn;
	e->group = s->server_group + 1;
	e->index = s->server_index;
	e->side_bytes = s->totals.side_bytes;
	e->code = s->server.tag;
	db_end_fill(e, &s->result, end, s->tap);
	__builtin_memcpy(scratch->record + fixed, s->result.tag, sizeof(s->result.tag));
	db_slice(&e->tag, fixed, s->result.tag_len, s->result.tag_len);
	/* The commands of a session that was opened before the sensor may be unknown. */
	if (s->adopted || s->missed || s->quiet.held)
		n = pg_statement(s, scratch->record + size);
	if (n > DB_TEXT_MAX)
		n = DB_TEXT_MAX;
	db_slice(&e->statement, size, n, n);
	emit(LANE_CRIT, e, size + n, KIND_db_end, false);
	return 0;
}

static __noinline void pg_on_end(struct pg_walk *w, enum rec_end end)
{
	struct pg_session *s = w->s;

	if (!w->scratch || !s)
		return;
	if (!pg_quiet_result(s, end))
		pg_emit_end(s, w->scratch, end);
	pg_result_close(s);
}

static __always_inline struct pg_walk pg_walk_in(struct pg_session *s, struct db_scratch *scratch)
{
	return (struct pg_walk){
		.s = s, .window = scratch->window, .scratch = scratch, .at = &scratch->at};
}

static __always_inline void pg_server_bytes(struct pg_session *s, struct db_scratch *scratch,
					    __u64 ptr, __u64 n)
{
	struct pg_walk w = pg_walk_in(s, scratch);

	pg_server_chunk(&w, ptr, n);
	if (s->result.begin_time && db_progress_due(&s->result)) {
		pg_emit_end(s, scratch, End_streaming);
		db_progress_next(&s->result);
	}
}

#define PG_TITLE_MAX 256

/* What ps shows of it: a backend writes it over its arguments, once its startup packet was read. */
static __always_inline __u32 pg_title(__u8 *dst)
{
	struct mm_struct *mm = plain_current()->mm;
	long n = mm ? bpf_probe_read_user_str(dst, PG_TITLE_MAX, (void *)mm->arg_start) : 0;

	return n > 1 ? n - 1 : 0;
}

static __always_inline void pg_introduce(struct pg_session *s, struct db_scratch *scratch)
{
	struct rec_db_conn *c = (void *)scratch->record;
	__u32 n = s->adopted ? pg_title(scratch->record + sizeof(*c)) : 0;

	if (n > PG_TITLE_MAX)
		n = PG_TITLE_MAX;
	__builtin_memset(c, 0, sizeof(*c));
	task_fill(&c->task, bpf_get_current_task_btf());
	c->conn = s->conn;
	c->system = System_postgresql;
	c->adopted = s->adopted;
	sock_fill_fd(&c->socket, s->fd);
	db_slice(&c->startup, sizeof(*c), 0, 0);
	db_slice(&c->user, sizeof(*c), 0, 0);
	db_slice(&c->database, sizeof(*c), 0, 0);
	db_slice(&c->title, sizeof(*c), n, n);
	emit(LANE_CRIT, c, sizeof(*c) + n, KIND_db_conn, false);
}

/* The first field of Port is the socket (libpq-be.h). */
static __always_inline int pg_port_fd(const void *port)
{
	int fd = -1;

	bpf_probe_read_user(&fd, sizeof(fd), port);
	return fd;
}

/* The value of a new entry: too large for the stack. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct pg_session);
} pg_session_none SEC(".maps");

/* What a session is made of; `head` as in pg_session_begin(). */
struct pg_session_opts {
	__u64 text_base;
	const __u8 *head;
	__u32 binary;
	int fd;
};

static __always_inline struct pg_session *pg_session_new(const struct pg_key *key,
							 const struct pg_session_opts *opts)
{
	struct db_scratch *scratch;
	struct pg_session *s;
	__u32 zero = 0;

	s = bpf_map_lookup_elem(&pg_session_none, &zero);
	if (!s)
		return NULL;
	bpf_map_update_elem(&pg_sessions, key, s, BPF_NOEXIST);
	s = bpf_map_lookup_elem(&pg_sessions, key);
	scratch = s ? db_scratch_claim() : NULL;
	if (!scratch) {
		db_miss(DB_MISS_SESSION);
		return NULL;
	}
	s->conn = bpf_ktime_get_boot_ns();
	s->text_base = opts->text_base;
	s->binary = opts->binary;
	s->fd = opts->fd;
	pg_session_begin(s, opts->head);
	pg_reads_begin(opts->binary);
	pg_introduce(s, scratch);
	db_scratch_release(scratch);
	return s;
}

static __always_inline void pg_sent_bytes(struct pg_session *s, __u64 ptr, __u64 n)
{
	struct db_scratch *scratch = db_scratch_claim();

	if (!scratch) {
		pg_lost(s, &s->server);
		s->result.bytes += n;
		return;
	}
	pg_server_bytes(s, scratch, ptr, n);
	db_scratch_release(scratch);
}

/* By itself to the verifier, too. */
__noinline int pg_received_bytes(struct pg_session *s, __u64 ptr, __u64 n)
{
	struct db_scratch *scratch;
	struct pg_walk w;

	if (!s)
		return 0;
	scratch = db_scratch_claim();
	if (!scratch) {
		pg_lost(s, &s->client);
		return 0;
	}
	w = pg_walk_in(s, scratch);
	pg_client_chunk(&w, ptr, n);
	db_scratch_release(scratch);
	return 0;
}
