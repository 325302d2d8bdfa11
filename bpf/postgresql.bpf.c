// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * PostgreSQL, seen above TLS and GSS: secure_read() and secure_write() carry the clear protocol
 * whatever the transport, and are in .dynsym of stripped binaries. Bytes count when the call
 * returns them, never when it is entered: a write may be refused (EAGAIN) and repeated.
 *
 * One backend process is one session for its whole life, so the session's key is the process.
 */
#include "db.h"
#include "pg_reads.h"
#include "pg_walk.h"

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
	struct task_struct *task = bpf_get_current_task_btf();

	return (struct pg_key){BPF_CORE_READ(task, group_leader, start_boottime),
			       bpf_get_current_pid_tgid() >> 32};
}

static __noinline void pg_on_command(struct pg_walk *w, __u32 off, __u32 n)
{
	struct db_scratch *scratch = w->scratch;
	struct pg_session *s = w->s;
	struct rec_db_command *c;

	if (!scratch || !s || off >= DB_WINDOW)
		return;
	c = (void *)scratch->record;
	__builtin_memset(c, 0, sizeof(*c));
	task_fill(&c->task, bpf_get_current_task_btf());
	c->conn = s->conn;
	c->group = s->client_group + 1;
	c->index = s->client_index;
	c->code = s->client.tag;
	c->offset = s->client.pos;
	c->length = s->client.length;
	db_emit_text(scratch, sizeof(*c), &c->text, scratch->window + off, n, KIND_db_command);
}

static __noinline void pg_on_columns(struct pg_walk *w, __u32 off, __u32 n)
{
	struct db_scratch *scratch = w->scratch;
	struct pg_session *s = w->s;
	struct rec_db_columns *c;

	if (!scratch || !s || off >= DB_WINDOW)
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

static __always_inline void pg_emit_end(struct pg_session *s, struct db_scratch *scratch,
					enum rec_end end)
{
	struct rec_db_end *e = (void *)scratch->record;
	__u32 fixed = sizeof(*e), size = fixed + sizeof(s->result.tag), n = 0;

	pg_emit_reads(s, scratch, end);
	__builtin_memset(e, 0, sizeof(*e));
	task_fill(&e->task, bpf_get_current_task_btf());
	e->conn = s->conn;
	e->group = s->server_group + 1;
	e->index = s->server_index;
	e->side_bytes = s->totals.side_bytes;
	e->code = s->server.tag;
	db_end_fill(e, &s->result, end, Tap_uprobe);
	__builtin_memcpy(scratch->record + fixed, s->result.tag, sizeof(s->result.tag));
	db_slice(&e->tag, fixed, s->result.tag_len, s->result.tag_len);
	/* The commands of a session that was opened before the sensor may be unknown. */
	if (s->adopted)
		n = pg_statement(s, scratch->record + size);
	if (n > DB_TEXT_MAX)
		n = DB_TEXT_MAX;
	db_slice(&e->statement, size, n, n);
	emit(LANE_CRIT, e, size + n, KIND_db_end, false);
}

static __noinline void pg_on_end(struct pg_walk *w, enum rec_end end)
{
	struct pg_session *s = w->s;

	if (!w->scratch || !s)
		return;
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

static __always_inline void pg_introduce(struct pg_session *s, struct db_scratch *scratch, int fd)
{
	struct rec_db_conn *c = (void *)scratch->record;

	__builtin_memset(c, 0, sizeof(*c));
	task_fill(&c->task, bpf_get_current_task_btf());
	c->conn = s->conn;
	c->system = System_postgresql;
	c->adopted = s->adopted;
	sock_fill_fd(&c->socket, fd);
	db_slice(&c->startup, sizeof(*c), 0, 0);
	db_slice(&c->user, sizeof(*c), 0, 0);
	db_slice(&c->database, sizeof(*c), 0, 0);
	emit(LANE_CRIT, c, sizeof(*c), KIND_db_conn, false);
	s->introduced = 1;
}

static __always_inline struct pg_session *pg_session_new(const struct pg_key *key, bool reading,
							 __u32 binary)
{
	struct pg_session *s, fresh = {};

	fresh.conn = bpf_ktime_get_boot_ns();
	fresh.binary = binary;
	pg_session_begin(&fresh, reading);
	bpf_map_update_elem(&pg_sessions, key, &fresh, BPF_NOEXIST);
	s = bpf_map_lookup_elem(&pg_sessions, key);
	if (s)
		pg_reads_begin(binary);
	else
		db_miss(DB_MISS_SESSION);
	return s;
}

/* The first field of Port is the socket (libpq-be.h). */
static __always_inline int pg_port_fd(const void *port)
{
	int fd = -1;

	bpf_probe_read_user(&fd, sizeof(fd), port);
	return fd;
}

static __always_inline struct pg_session *pg_enter(struct pt_regs *ctx, const void *port,
						   bool reading)
{
	struct pg_key key = pg_key_current();
	struct pg_session *s = bpf_map_lookup_elem(&pg_sessions, &key);
	struct db_scratch *scratch;

	if (!s)
		s = pg_session_new(&key, reading, bpf_get_attach_cookie(ctx));
	if (!s)
		return NULL;
	if (!s->introduced && !reading) {
		scratch = db_scratch_claim();
		if (scratch) {
			pg_introduce(s, scratch, pg_port_fd(port));
			db_scratch_release(scratch);
		}
	}
	return s;
}

SEC("?uprobe/secure_write")
int BPF_KPROBE(pg_write__uprobe, const void *port, const void *ptr, unsigned long len)
{
	struct pg_session *s = pg_enter(ctx, port, false);

	if (!s)
		return 0;
	s->write_ptr = (__u64)ptr;
	s->text_base = PT_REGS_IP(ctx);
	return 0;
}

SEC("?uretprobe/secure_write")
int BPF_KRETPROBE(pg_write__uretprobe, long n)
{
	struct pg_key key = pg_key_current();
	struct pg_session *s = bpf_map_lookup_elem(&pg_sessions, &key);
	struct db_scratch *scratch;
	__u64 ptr;

	if (!s || n <= 0 || !s->write_ptr)
		return 0;
	ptr = s->write_ptr;
	s->write_ptr = 0;
	scratch = db_scratch_claim();
	if (!scratch) {
		pg_lost(s, &s->server);
		s->result.bytes += n;
		return 0;
	}
	pg_server_bytes(s, scratch, ptr, n);
	db_scratch_release(scratch);
	return 0;
}

SEC("?uprobe/secure_read")
int BPF_KPROBE(pg_read__uprobe, const void *port, const void *ptr, unsigned long len)
{
	struct pg_session *s = pg_enter(ctx, port, true);

	if (!s)
		return 0;
	pg_client_realign(s);
	s->read_ptr = (__u64)ptr;
	if (!s->introduced) {
		struct db_scratch *scratch = db_scratch_claim();

		if (scratch) {
			pg_introduce(s, scratch, pg_port_fd(port));
			db_scratch_release(scratch);
		}
	}
	return 0;
}

SEC("?uretprobe/secure_read")
int BPF_KRETPROBE(pg_read__uretprobe, long n)
{
	struct pg_key key = pg_key_current();
	struct pg_session *s = bpf_map_lookup_elem(&pg_sessions, &key);
	struct db_scratch *scratch;
	struct pg_walk w;
	__u64 ptr;

	if (!s || n <= 0 || !s->read_ptr)
		return 0;
	scratch = db_scratch_claim();
	if (!scratch) {
		pg_lost(s, &s->client);
		return 0;
	}
	w = pg_walk_in(s, scratch);
	ptr = s->read_ptr;
	s->read_ptr = 0;
	pg_client_chunk(&w, ptr, n);
	db_scratch_release(scratch);
	return 0;
}

/* The end of a backend, however it ends, is the end of its session. */
SEC("?tp_btf/sched_process_exit")
int BPF_PROG(pg_close__tp_btf, struct task_struct *task)
{
	struct pg_key key = pg_key_current();
	struct pg_session *s = bpf_map_lookup_elem(&pg_sessions, &key);
	struct db_scratch *scratch;
	struct rec_db_close *c;

	if (!s || BPF_CORE_READ(task, pid) != BPF_CORE_READ(task, tgid))
		return 0;
	scratch = db_scratch_claim();
	if (!scratch)
		return 0;
	if (s->result.begin_time) {
		pg_result_abort(s);
		pg_emit_end(s, scratch, End_aborted);
		pg_result_close(s);
	}
	c = (void *)scratch->record;
	__builtin_memset(c, 0, sizeof(*c));
	task_fill(&c->task, task);
	c->conn = s->conn;
	c->rows = s->totals.rows;
	c->bytes = s->totals.bytes;
	c->side_bytes = s->totals.side_bytes;
	c->desync = s->totals.desync;
	emit(LANE_CRIT, c, sizeof(*c), KIND_db_close, false);
	db_scratch_release(scratch);
	bpf_map_delete_elem(&pg_sessions, &key);
	pg_reads_end();
	return 0;
}

static long pg_adopt_step(struct bpf_map *map, const struct pg_key *key, struct pg_session *s,
			  void *unused)
{
	s->adopted = 1;
	return 0;
}

/* Another sensor took over: what the one before knew of a session's statements, it does not. */
SEC("?syscall")
int pg_adopt__syscall(void *ctx)
{
	bpf_for_each_map_elem(&pg_sessions, pg_adopt_step, NULL, 0);
	return 0;
}
