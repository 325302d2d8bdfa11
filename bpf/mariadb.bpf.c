// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * MariaDB, seen above TLS and compression: dispatch_command() has each command decrypted, and
 * net_real_write() gets each answer before it is compressed or encrypted.
 *
 * A session is its THD. The NET that net_real_write() is called with is a member of it, so a
 * server that itself is a client (replication, federated tables) is not taken for one.
 * net_real_write() writes everything or fails and breaks the connection: rows of the last chunk
 * are sure only once a later one was written (safe_rows).
 */
#include "db.h"
#include "mysql_walk.h"

struct my_key {
	__u64 thd;
	__u64 tgid;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, struct my_key);
	__type(value, struct my_session);
} my_sessions SEC(".maps");

static __always_inline struct my_session *my_find(__u64 thd)
{
	struct my_key key = {thd, bpf_get_current_pid_tgid() >> 32};

	return bpf_map_lookup_elem(&my_sessions, &key);
}

static __noinline void my_on_columns(struct my_walk *w, __u32 off, __u32 n)
{
	struct db_scratch *scratch = w->scratch;
	struct my_session *s = w->s;
	struct rec_db_columns *c;

	if (!scratch || !s || off >= DB_WINDOW)
		return;
	c = (void *)scratch->record;
	__builtin_memset(c, 0, sizeof(*c));
	c->conn = s->conn;
	c->group = s->group;
	c->index = s->index;
	c->offset = s->columns_bytes;
	db_emit_text(scratch, sizeof(*c), &c->body, scratch->window + off, n, KIND_db_columns);
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
	db_end_fill(e, &s->result, end, Tap_uprobe);
	db_slice(&e->tag, sizeof(*e), 0, 0);
	db_slice(&e->statement, sizeof(*e), 0, 0);
	emit(LANE_CRIT, e, sizeof(*e), KIND_db_end, false);
}

static __noinline void my_on_end(struct my_walk *w, enum rec_end end)
{
	struct my_session *s = w->s;

	if (!w->scratch || !s)
		return;
	my_emit_end(s, w->scratch, end);
	my_result_close(s);
}

/* Text that the server keeps at *ptr, of at most 63 bytes. */
static __always_inline __u32 my_string(__u8 *dst, __u64 at)
{
	__u64 text = 0;
	long n;

	bpf_probe_read_user(&text, sizeof(text), (void *)at);
	if (!text)
		return 0;
	n = bpf_probe_read_user_str(dst, 64, (void *)text);
	return n > 1 && n <= 64 ? n - 1 : 0;
}

static __noinline int my_introduce(struct my_session *s, struct db_scratch *scratch, __u64 thd)
{
	__u32 size = sizeof(struct rec_db_conn), binary = s ? s->binary : 0, n;
	struct db_binary *b = bpf_map_lookup_elem(&db_binaries, &binary);
	struct rec_db_conn *c;
	__u64 vio = 0, ctx = 0;
	int fd = -1;

	if (!s || !scratch || !b)
		return 0;
	c = (void *)scratch->record;
	__builtin_memset(c, 0, sizeof(*c));
	task_fill(&c->task, bpf_get_current_task_btf());
	c->conn = s->conn;
	c->system = System_mariadb;
	c->adopted = s->adopted;
	/* The first field of a Vio is its socket (include/violite.h). */
	bpf_probe_read_user(&vio, sizeof(vio), (void *)(thd + b->thd_vio));
	bpf_probe_read_user(&fd, sizeof(fd), (void *)vio);
	sock_fill_fd(&c->socket, fd);
	db_slice(&c->startup, size, 0, 0);
	bpf_probe_read_user(&ctx, sizeof(ctx), (void *)(thd + b->thd_security_ctx));
	n = my_string(scratch->record + sizeof(*c), ctx + b->security_ctx_user);
	db_slice(&c->user, size, n, n);
	n = my_string(scratch->record + sizeof(*c) + 64, thd + b->thd_db);
	db_slice(&c->database, size + 64, n, n);
	emit(LANE_CRIT, c, sizeof(*c) + 128, KIND_db_conn, false);
	return 0;
}

static __always_inline struct my_session *my_session_new(__u64 thd, __u32 binary)
{
	struct my_key key = {thd, bpf_get_current_pid_tgid() >> 32};
	struct db_binary *b = bpf_map_lookup_elem(&db_binaries, &binary);
	struct my_session fresh = {}, *s;
	struct db_scratch *scratch;

	if (!b || !b->thd_vio)
		return NULL;
	fresh.conn = bpf_ktime_get_boot_ns();
	fresh.binary = binary;
	bpf_map_update_elem(&my_sessions, &key, &fresh, BPF_NOEXIST);
	s = bpf_map_lookup_elem(&my_sessions, &key);
	scratch = s ? db_scratch_claim() : NULL;
	if (!scratch) {
		db_miss(DB_MISS_SESSION);
		return NULL;
	}
	my_introduce(s, scratch, thd);
	db_scratch_release(scratch);
	return s;
}

static __always_inline bool my_has_text(__u32 command)
{
	return command == COM_QUERY || command == COM_STMT_PREPARE || command == COM_INIT_DB;
}

static __always_inline bool my_has_statement(__u32 command)
{
	return command == COM_STMT_EXECUTE || command == COM_STMT_FETCH ||
	       command == COM_STMT_CLOSE || command == COM_STMT_BULK_EXECUTE;
}

static __always_inline void my_emit_command(struct my_session *s, struct db_scratch *scratch,
					    __u32 command, const void *packet, __u32 length)
{
	struct rec_db_command *c = (void *)scratch->record;
	__u32 n = my_has_text(command) ? length : 0;

	__builtin_memset(c, 0, sizeof(*c));
	task_fill(&c->task, bpf_get_current_task_btf());
	c->conn = s->conn;
	c->group = s->group;
	c->code = command;
	c->length = n;
	if (my_has_statement(command) && length >= 4)
		bpf_probe_read_user(&c->stmt_id, sizeof(c->stmt_id), packet);
	if (n > DB_TEXT_MAX)
		n = DB_TEXT_MAX;
	if (bpf_probe_read_user(scratch->record + sizeof(*c), n, packet)) {
		db_miss(DB_MISS_READ);
		n = 0;
	}
	db_slice(&c->text, sizeof(*c), n, c->length);
	emit(LANE_CRIT, c, sizeof(*c) + n, KIND_db_command, false);
}

SEC("?uprobe/_Z16dispatch_command19enum_server_commandP3THDPcjb")
int BPF_KPROBE(mysql_command__uprobe, __u32 command, __u64 thd, const void *packet, __u32 length)
{
	struct my_session *s = my_find(thd);
	struct db_scratch *scratch;

	if (!s)
		s = my_session_new(thd, bpf_get_attach_cookie(ctx));
	if (!s)
		return 0;
	scratch = db_scratch_claim();
	if (!scratch)
		return 0;
	/* A result whose end was not seen. */
	if (s->result.begin_time) {
		my_emit_end(s, scratch, my_end_unseen(s));
		my_result_close(s);
	}
	/* The command before may have made it another user's. */
	if (s->command == COM_CHANGE_USER)
		my_introduce(s, scratch, thd);
	my_command_begin(s, command);
	my_emit_command(s, scratch, command & 0xff, packet, length);
	db_scratch_release(scratch);
	return 0;
}

SEC("?uprobe/net_real_write")
int BPF_KPROBE(mysql_write__uprobe, __u64 net, __u64 packet, __u64 length)
{
	__u32 binary = bpf_get_attach_cookie(ctx);
	struct db_binary *b = bpf_map_lookup_elem(&db_binaries, &binary);
	struct my_walk w = {};

	if (!b || !b->thd_vio)
		return 0;
	w.s = my_find(net - b->thd_vio);
	if (!w.s || w.s->phase == MY_DONE)
		return 0;
	w.scratch = db_scratch_claim();
	if (!w.scratch) {
		my_lost(w.s, length);
		return 0;
	}
	w.window = w.scratch->window;
	w.at = &w.scratch->at;
	my_chunk(&w, packet, length);
	if (w.s->result.begin_time && db_progress_due(&w.s->result)) {
		my_emit_end(w.s, w.scratch, End_streaming);
		db_progress_next(&w.s->result);
	}
	db_scratch_release(w.scratch);
	return 0;
}

/* The end of a connection, by COM_QUIT, by a broken socket or by KILL. */
SEC("?uprobe/_ZN3THD15free_connectionEv")
int BPF_KPROBE(mysql_close__uprobe, __u64 thd)
{
	struct my_key key = {thd, bpf_get_current_pid_tgid() >> 32};
	struct my_session *s = bpf_map_lookup_elem(&my_sessions, &key);
	struct db_scratch *scratch = s ? db_scratch_claim() : NULL;
	struct rec_db_close *c;

	if (!scratch)
		return 0;
	if (s->result.begin_time) {
		my_result_abort(s);
		my_emit_end(s, scratch, End_aborted);
		my_result_close(s);
	}
	c = (void *)scratch->record;
	__builtin_memset(c, 0, sizeof(*c));
	task_fill(&c->task, bpf_get_current_task_btf());
	c->conn = s->conn;
	c->rows = s->totals.rows;
	c->bytes = s->totals.bytes;
	c->desync = s->totals.desync;
	emit(LANE_CRIT, c, sizeof(*c), KIND_db_close, false);
	db_scratch_release(scratch);
	bpf_map_delete_elem(&my_sessions, &key);
	return 0;
}
