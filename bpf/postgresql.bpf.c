// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * PostgreSQL. A session in clear is followed at its socket, when send(2) and recv(2) return, and
 * pays for no breakpoint; one under TLS at be_tls_write(), which has what is encrypted (pg_tls.h),
 * and its socket; one under GSS where be_gssapi_read() and be_gssapi_write() are entered and
 * return. Bytes count when they were taken, never when they are offered: a write may be refused
 * (EAGAIN) and repeated. Never two taps on one session: pg_session.crypt says which.
 *
 * One backend process is one session for its whole life, so the session's key is the process; of
 * its sockets the client's is the one in its Port, others are of what it asks itself (dblink,
 * postgres_fdw, LDAP).
 */
#include "db_socket.h"
#include "interest.h"
#include "pg_record.h"
#include "syscall.h"

/* ---- the socket: sessions in clear, and how those under TLS fare ---- */

/* Executables of servers, by inode: number of their db_binary. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, struct inode_key);
	__type(value, __u32);
} pg_exes SEC(".maps");

/* One call of send(2) or recv(2) of the current task, when it returns. */
struct pg_call {
	__u64 ptr;
	__u64 asked;
	long n;
	int fd;
	__u32 flags;
	enum rec_tap tap;
	bool reading;
};

/* The first call on a backend's own socket. NULL: another socket, or no backend. */
static __noinline struct pg_session *pg_session_meet(const struct pg_call *c)
{
	struct pg_key key = pg_key_current();
	struct pg_session_opts opts = {};
	struct inode_key exe;
	struct db_binary *b;
	__u64 port = 0;
	__u8 head[2] = {};
	__u32 *binary;

	inode_key_fill(&exe, db_exe_inode());
	binary = bpf_map_lookup_elem(&pg_exes, &exe);
	b = binary ? bpf_map_lookup_elem(&db_binaries, binary) : NULL;
	if (!b)
		return NULL;
	opts.binary = *binary;
	opts.text_base = plain_current()->mm->start_code - b->start_code;
	bpf_probe_read_user(&port, sizeof(port), (void *)(opts.text_base + b->my_proc_port));
	opts.fd = port ? pg_port_fd((void *)port) : -1;
	if (opts.fd != c->fd || opts.fd < 0)
		return NULL;
	if (c->reading) {
		bpf_probe_read_user(head, c->n < 2 ? 1 : 2, (void *)c->ptr);
		opts.head = head;
	}
	return pg_session_new(&key, &opts);
}

static __always_inline struct pg_session *pg_session_of(const struct pg_call *c)
{
	struct pg_session *s;
	struct pg_key key;

	if (!db_exe_may(db_exe_inode()))
		return NULL;
	key = pg_key_current();
	s = bpf_map_lookup_elem(&pg_sessions, &key);
	if (!s)
		s = pg_session_meet(c);
	return s && s->fd == c->fd ? s : NULL;
}

/* Under TLS: may the client be followed again? */
static __always_inline void pg_answered_tls(struct pg_session *s)
{
	struct db_binary *b = bpf_map_lookup_elem(&db_binaries, &s->binary);
	__u32 used = 0, length = 0;

	if (!b || !b->recv_used)
		return;
	bpf_probe_read_user(&used, sizeof(used), (void *)(s->text_base + b->recv_used));
	bpf_probe_read_user(&length, sizeof(length), (void *)(s->text_base + b->recv_length));
	pg_fill_used(s, used, length);
}

/*
 * The bytes in clear that are gone by this, from *c's ptr on, n of them; 0: none. By itself to the
 * verifier, which does not multiply what follows by it.
 */
__noinline int pg_sent_clear(struct pg_call *c)
{
	struct pg_session *s = c ? pg_session_of(c) : NULL;
	__u8 first = 0;
	__u64 n = 0;

	if (!s)
		return 0;
	if (s->crypt == PG_TLS) {
		n = pg_flush_sent(&s->flush, c->n, c->asked, &c->ptr);
	} else if (s->crypt == PG_CLEAR && c->n > 0) {
		s->tap = c->tap;
		n = c->n;
	}
	if (n == 1 && s->client.phase == PG_STARTUP) {
		bpf_probe_read_user(&first, 1, (void *)c->ptr);
		if (pg_encryption_answer(s, first))
			return 0;
	}
	c->n = n;
	return n != 0;
}

static __always_inline int pg_sent(struct pg_call *c)
{
	struct pg_key key = pg_key_current();
	struct pg_session *s;

	if (!pg_sent_clear(c))
		return 0;
	s = bpf_map_lookup_elem(&pg_sessions, &key);
	if (!s)
		return 0;
	pg_sent_bytes(s, c->ptr, c->n);
	if (s->crypt == PG_TLS && s->client.phase == PG_UNSYNCED)
		pg_answered_tls(s);
	return 0;
}

static __always_inline void pg_received_tls(struct pg_session *s, const struct pg_call *c)
{
	struct db_binary *b = bpf_map_lookup_elem(&db_binaries, &s->binary);
	__u32 at = 0;

	if (!b || !b->recv_length)
		return;
	/* What goes on in the middle of a message is behind what is there of it. */
	bpf_probe_read_user(&at, sizeof(at), (void *)(s->text_base + b->recv_length));
	pg_fill_received(s, c->ptr + c->n, c->n, c->asked, at);
}

static __always_inline int pg_received(const struct pg_call *c)
{
	struct pg_session *s;

	if (c->n <= 0 || c->flags & MSG_PEEK)
		return 0;
	s = pg_session_of(c);
	if (!s)
		return 0;
	if (s->crypt == PG_TLS)
		pg_received_tls(s, c);
	if (s->crypt != PG_CLEAR)
		return 0;
	pg_client_realign(s);
	pg_received_bytes(s, c->ptr, c->n);
	return 0;
}

SEC("?fexit/__sys_sendto")
int BPF_PROG(pg_send__fexit, int fd, void *buf, unsigned long len, unsigned int flags, void *addr,
	     int addr_len, int n)
{
	struct pg_call c = {.ptr = (__u64)buf, .asked = len, .n = n, .fd = fd, .tap = Tap_fexit};

	return pg_sent(&c);
}

SEC("?fexit/__sys_recvfrom")
int BPF_PROG(pg_receive__fexit, int fd, void *buf, unsigned long len, unsigned int flags,
	     void *addr, int *addr_len, int n)
{
	struct pg_call c = {.ptr = (__u64)buf,
			    .asked = len,
			    .n = n,
			    .fd = fd,
			    .flags = flags,
			    .tap = Tap_fexit,
			    .reading = true};

	return pg_received(&c);
}

static __always_inline struct pg_call pg_call_of(struct pt_regs *regs, long n, bool reading)
{
	return (struct pg_call){.ptr = syscall_arg(regs, 1),
				.asked = syscall_arg(regs, 2),
				.n = n,
				.fd = syscall_arg(regs, 0),
				.flags = syscall_arg(regs, 3),
				.tap = Tap_syscall,
				.reading = reading};
}

SEC("?tp_btf/sys_exit")
int BPF_PROG(pg_send__sys_exit, struct pt_regs *regs, long n)
{
	struct pg_call c;

	if (!db_exe_may(db_exe_inode()))
		return 0;
	if (db_server_is(System_mariadb))
		bpf_tail_call(ctx, &syscall_exits, SYSCALL_SEND_MARIADB);
	c = pg_call_of(regs, n, false);
	return pg_sent(&c);
}

SEC("?tp_btf/sys_exit")
int BPF_PROG(pg_receive__sys_exit, struct pt_regs *regs, long n)
{
	struct pg_call c;

	if (n <= 0 || !db_exe_may(db_exe_inode()))
		return 0;
	if (db_server_is(System_mariadb))
		bpf_tail_call(ctx, &syscall_exits, SYSCALL_RECV_MARIADB);
	c = pg_call_of(regs, n, true);
	return pg_received(&c);
}

/* Executables of the servers that user space has found, as the kernel names them. */
SEC("?iter/task")
int db_exe__iter(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct db_server *server;
	struct inode_key exe;
	__u32 tgid;

	if (!task)
		return 0;
	tgid = task->tgid;
	server = bpf_map_lookup_elem(&db_servers, &tgid);
	if (!server)
		return 0;
	db_exe_mark(task);
	server->marked = 1;
	inode_key_fill(&exe, BPF_CORE_READ(task, mm, exe_file, f_inode));
	if (server->system == System_postgresql)
		bpf_map_update_elem(&pg_exes, &exe, &server->binary, BPF_ANY);
	return 0;
}

/* ---- above encryption ---- */

static __always_inline struct pg_session *pg_enter(struct pt_regs *ctx, const void *port,
						   enum pg_crypt crypt)
{
	struct pg_key key = pg_key_current();
	struct pg_session *s = bpf_map_lookup_elem(&pg_sessions, &key);
	struct pg_session_opts opts = {};
	struct db_binary *b;

	if (!s) {
		opts.binary = bpf_get_attach_cookie(ctx);
		b = bpf_map_lookup_elem(&db_binaries, &opts.binary);
		if (!b)
			return NULL;
		opts.text_base = plain_current()->mm->start_code - b->start_code;
		opts.fd = pg_port_fd(port);
		s = pg_session_new(&key, &opts);
	}
	if (!s)
		return NULL;
	pg_encrypted(s, crypt);
	s->tap = Tap_uprobe;
	return s;
}

/* The server answers a startup packet that was not seen whole. */
static __always_inline void pg_startup_missed(struct pg_session *s)
{
	struct db_scratch *scratch = db_scratch_claim();

	s->adopted = 1;
	pg_client_missed(s);
	if (!scratch)
		return;
	pg_introduce(s, scratch);
	db_scratch_release(scratch);
}

/* Under TLS: what the client sent since it was answered last is in the server's buffer. */
static __always_inline void pg_fill_look(struct pg_session *s)
{
	struct db_binary *b = bpf_map_lookup_elem(&db_binaries, &s->binary);
	__u32 length = 0, at;

	if (!b || !b->recv_buffer)
		return;
	if (s->fill.open)
		bpf_probe_read_user(&length, sizeof(length),
				    (void *)(s->text_base + b->recv_length));
	at = pg_fill_new(s, length);
	if (at < length)
		pg_received_bytes(s, s->text_base + b->recv_buffer + at, length - at);
	if (s->client.phase == PG_STARTUP)
		pg_startup_missed(s);
}

SEC("?uprobe/be_tls_write")
int BPF_KPROBE(pg_tls_write__uprobe, const void *port, const void *ptr, unsigned long len)
{
	struct pg_session *s = pg_enter(ctx, port, PG_TLS);

	if (!s)
		return 0;
	pg_fill_look(s);
	if (!pg_flush_begin(&s->flush, (__u64)ptr, len))
		pg_lost(s, &s->server);
	return 0;
}

/*
 * The functions of a session whose bytes are in clear only after they return; of TLS where
 * PqRecvBuffer is not known.
 */
SEC("?uprobe/be_gssapi_write,be_gssapi_read,be_tls_read")
int BPF_KPROBE(pg_call__uprobe, const void *port, const void *ptr)
{
	enum { GSS_WRITE, GSS_READ, TLS_READ } function = db_function(ctx);
	struct pg_session *s = pg_enter(ctx, port, function == TLS_READ ? PG_TLS : PG_GSS);

	if (!s)
		return 0;
	if (function == GSS_WRITE) {
		s->write_ptr = (__u64)ptr;
		return 0;
	}
	pg_client_realign(s);
	s->read_ptr = (__u64)ptr;
	return 0;
}

SEC("?uretprobe/be_gssapi_read,be_tls_read")
int BPF_KRETPROBE(pg_read__uretprobe, long n)
{
	struct pg_key key = pg_key_current();
	struct pg_session *s = bpf_map_lookup_elem(&pg_sessions, &key);
	__u64 ptr;

	if (!s || n <= 0 || !s->read_ptr)
		return 0;
	ptr = s->read_ptr;
	s->read_ptr = 0;
	pg_received_bytes(s, ptr, n);
	return 0;
}

SEC("?uretprobe/be_gssapi_write")
int BPF_KRETPROBE(pg_gss_write__uretprobe, long n)
{
	struct pg_key key = pg_key_current();
	struct pg_session *s = bpf_map_lookup_elem(&pg_sessions, &key);
	__u64 ptr;

	if (!s || n <= 0 || !s->write_ptr)
		return 0;
	ptr = s->write_ptr;
	s->write_ptr = 0;
	pg_sent_bytes(s, ptr, n);
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
	quiet_tell(s->conn, &s->quiet);
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

static long pg_quiet_step(struct bpf_map *map, const struct pg_key *key, struct pg_session *s,
			  void *unused)
{
	quiet_tell(s->conn, &s->quiet);
	return 0;
}

/* Asked for each second. */
SEC("?syscall")
int pg_quiet__syscall(void *ctx)
{
	bpf_for_each_map_elem(&pg_sessions, pg_quiet_step, NULL, 0);
	return 0;
}

/* Another sensor took over: what the one before knew of a session's statements, it does not. */
SEC("?syscall")
int pg_adopt__syscall(void *ctx)
{
	bpf_for_each_map_elem(&pg_sessions, pg_adopt_step, NULL, 0);
	return 0;
}
