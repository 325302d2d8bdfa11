// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * MariaDB's sessions in clear, by what their sockets send and receive.
 *
 * Ladder: the functions behind send(2) and recv(2); where fexit is refused, these calls, which
 * the programs of PostgreSQL leave to these.
 */
#include "mariadb.h"
#include "syscall.h"

#define GREETING_MIN	 40 /* version, number, salt, capabilities: a client's command is not that */
#define GREETING_VERSION 10

/* Is it the first packet of a session (MariaDB manual, "Initial handshake packet")? */
static __always_inline bool my_is_greeting(__u64 ptr, __u64 n)
{
	__u8 head[MY_HEADER + 1] = {};

	if (n < GREETING_MIN || bpf_probe_read_user(head, sizeof(head), (void *)ptr))
		return false;
	return head[4] == GREETING_VERSION && !head[3] &&
	       MY_HEADER + (head[0] | head[1] << 8 | (__u32)head[2] << 16) == n;
}

static __noinline int my_introduce(struct my_session *s, struct sock *sk)
{
	struct db_scratch *scratch = s ? db_scratch_claim() : NULL;
	struct rec_db_conn *c;

	if (!scratch)
		return 0;
	c = (void *)scratch->record;
	__builtin_memset(c, 0, sizeof(*c));
	task_fill(&c->task, bpf_get_current_task_btf());
	c->conn = s->conn;
	c->system = System_mariadb;
	sock_fill(&c->socket, sk);
	db_slice(&c->startup, sizeof(*c), 0, 0);
	db_slice(&c->user, sizeof(*c), 0, 0);
	db_slice(&c->database, sizeof(*c), 0, 0);
	db_slice(&c->title, sizeof(*c), 0, 0);
	emit(LANE_CRIT, c, sizeof(*c), KIND_db_conn, false);
	db_scratch_release(scratch);
	return 0;
}

/* Its stack is not that of who walks. */
static __noinline int my_session_new(const struct my_key *key, struct sock *sk)
{
	struct my_session fresh = {}, *s;

	fresh.conn = bpf_ktime_get_boot_ns();
	fresh.phase = MY_AUTH;
	fresh.client.phase = MY_CLIENT_LOGIN;
	bpf_map_update_elem(&my_sessions, key, &fresh, BPF_ANY);
	s = bpf_map_lookup_elem(&my_sessions, key);
	if (s)
		my_introduce(s, sk);
	else
		db_miss(DB_MISS_SESSION);
	return 0;
}

static __always_inline void my_sent(int fd, __u64 ptr, long n, enum rec_tap tap)
{
	struct my_session *s;
	struct my_key key;
	struct sock *sk;

	if (n <= 0 || !db_server_is(System_mariadb))
		return;
	sk = db_socket(fd);
	key = my_key_of(sk);
	s = bpf_map_lookup_elem(&my_sessions, &key);
	if (!s) {
		if (my_is_greeting(ptr, n))
			my_session_new(&key, sk);
		return;
	}
	if (s->tls || s->compressed)
		return;
	s->tap = tap;
	my_sends(s, ptr, n);
}

static __always_inline void my_received(int fd, __u64 ptr, __u64 asked, __u32 flags, long n,
					enum rec_tap tap)
{
	struct my_session *s;
	struct my_key key;

	if (n <= 0 || flags & MSG_PEEK || !db_server_is(System_mariadb))
		return;
	key = my_key_of(db_socket(fd));
	s = bpf_map_lookup_elem(&my_sessions, &key);
	if (!s || s->tls)
		return;
	if (!s->compressed)
		my_receives(s, ptr, asked, n);
	if (s->compressed)
		my_calling(&key, 0, 0);
}

SEC("?fexit/__sys_sendto")
int BPF_PROG(mysql_send__fexit, int fd, const void *ptr, unsigned long asked, unsigned int flags,
	     void *to, int to_size, int n)
{
	if (db_exe_may(db_exe_inode()))
		my_sent(fd, (__u64)ptr, n, Tap_fexit);
	return 0;
}

SEC("?tp_btf/sys_exit")
int BPF_PROG(mysql_send__sys_exit, struct pt_regs *regs, long n)
{
	my_sent(syscall_arg(regs, 0), syscall_arg(regs, 1), n, Tap_syscall);
	return 0;
}

SEC("?fexit/__sys_recvfrom")
int BPF_PROG(mysql_receive__fexit, int fd, void *ptr, unsigned long asked, unsigned int flags,
	     void *from, void *from_size, int n)
{
	if (db_exe_may(db_exe_inode()))
		my_received(fd, (__u64)ptr, asked, flags, n, Tap_fexit);
	return 0;
}

SEC("?tp_btf/sys_exit")
int BPF_PROG(mysql_receive__sys_exit, struct pt_regs *regs, long n)
{
	my_received(syscall_arg(regs, 0), syscall_arg(regs, 1), syscall_arg(regs, 2),
		    syscall_arg(regs, 3), n, Tap_syscall);
	return 0;
}

/* ---- ends ---- */

static long my_exit_cb(struct bpf_map *map, const void *at, struct my_session *s, __u64 *tgid)
{
	struct my_key key = *(const struct my_key *)at;
	struct db_scratch *scratch;

	if (key.tgid != *tgid)
		return 0;
	scratch = db_scratch_claim();
	if (scratch) {
		my_emit_close(s, scratch);
		db_scratch_release(scratch);
	}
	bpf_map_delete_elem(&my_sessions, &key);
	return 0;
}

/* A server that is killed closes no session. */
SEC("?tp_btf/sched_process_exit")
int BPF_PROG(mysql_exit__tp_btf, struct task_struct *ending)
{
	struct task_struct *task = plain_task(ending);
	__u32 server = task->tgid;
	__u64 tgid = server;

	if (task->signal->live.counter || !bpf_map_lookup_elem(&db_servers, &server))
		return 0;
	bpf_map_delete_elem(&db_servers, &server);
	bpf_for_each_map_elem(&my_sessions, my_exit_cb, &tgid, 0);
	return 0;
}

/* ---- what was counted ---- */

static long my_quiet_step(struct bpf_map *map, const __u64 *conn, struct my_quiet *q, void *ctx)
{
	quiet_tell(*conn, &q->quiet);
	return 0;
}

/* Asked for with each sum. */
SEC("?syscall")
int mysql_quiet__syscall(void *ctx)
{
	bpf_for_each_map_elem(&my_quiets, my_quiet_step, NULL, 0);
	return 0;
}
