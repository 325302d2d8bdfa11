// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * TCP connections: begun, refused, established, listened for and ended, with the process and the
 * bytes both ways; and, for the database probes, the local process behind the other end of a
 * session. Socket state changes are rare, so this costs nothing that can be measured; no system
 * call is hooked. Who accepted is known only when accept(2) returns (net_accept.bpf.c).
 */
#include "conn.h"
#include "emit.h"
#include "sock.h"

#define O_NONBLOCK 04000

/* What the accepting side will see as its remote is our local, and the other way round. */
static __always_inline void remember(struct sock *sk, __u32 tgid)
{
	struct sock_common *c = &sk->__sk_common;
	struct tcp_peer key = {};

	sock_addr(c, false, &key.addr_hi, &key.addr_lo);
	key.remote_port = BPF_CORE_READ(c, skc_num);
	key.local_port = bpf_ntohs(BPF_CORE_READ(c, skc_dport));
	bpf_map_update_elem(&tcp_owner, &key, &tgid, BPF_ANY);
}

/* tcp_v4_connect() sets SYN_SENT in the context of the caller of connect(2). */
static __always_inline void connect_begun(struct sock *sk)
{
	__u64 key = (__u64)sk;
	struct conn c = {.begin = bpf_ktime_get_boot_ns(), .active = true, .owned = 1};

	task_fill(&c.task, bpf_get_current_task_btf());
	c.ino = conn_ino(sk);
	c.nonblocking = BPF_CORE_READ(sk, sk_socket, file, f_flags) & O_NONBLOCK;
	bpf_map_update_elem(&conns, &key, &c, BPF_ANY);
}

/* A non-blocking caller left before; one that waited is still in the call. */
static __always_inline void connect_ended(struct sock *sk, struct conn *c, __u64 now, int error)
{
	struct {
		struct rec_tcp_connect rec;
		struct endpoint_pair pair;
	} r = {};

	r.rec.task = c->task;
	r.rec.duration = now - c->begin;
	r.rec.in_progress = c->nonblocking;
	r.rec.error = error;
	r.rec.result = c->established ? ConnectResult_established : connect_result(error);
	conn_ends(sk, &r.rec.local, &r.rec.remote, &r.pair, sizeof(r.rec));
	emit(LANE_BULK, &r, sizeof(r), KIND_tcp_connect, false);
}

static __always_inline void established(struct sock *sk, struct conn *c)
{
	__u64 key = (__u64)sk, now = bpf_ktime_get_boot_ns();
	struct conn child = {.established = now};

	if (!c || c->told || c->ended) {
		bpf_map_update_elem(&conns, &key, &child, BPF_ANY);
		return;
	}
	c->established = now;
	if (!c->active) /* accept(2) on another CPU was faster */
		return;
	remember(sk, c->task.tgid);
	connect_ended(sk, c, now, 0);
}

/*
 * close(2) and shutdown(2) change the state in their caller's context, and hold the socket's lock:
 * who that is stands in for an owner that is not known. An interrupt's current task is whoever it
 * interrupted, but then the lock is not owned. Returns the connection, or NULL when there is none.
 */
static __always_inline struct conn *owner_found(struct sock *sk, struct conn *c, int oldstate)
{
	__u64 key = (__u64)sk;
	struct conn adopted = {.adopted = true};

	if ((c && c->owned) || !BPF_CORE_READ(sk, sk_lock.owned))
		return c;
	if (!c) {
		if (oldstate == TCP_SYN_SENT || oldstate == TCP_SYN_RECV)
			return NULL;
		bpf_map_update_elem(&conns, &key, &adopted, BPF_ANY);
		c = bpf_map_lookup_elem(&conns, &key);
	}
	if (c) {
		task_fill(&c->task, bpf_get_current_task_btf());
		c->owned = 1;
	}
	return c;
}

static __always_inline void closing(struct sock *sk, struct conn *c, int oldstate, int newstate)
{
	struct conn_close r = {};
	__u64 key = (__u64)sk;
	int error;

	if (oldstate == TCP_LISTEN || oldstate == TCP_CLOSE)
		return;
	c = owner_found(sk, c, oldstate);
	if (newstate != TCP_CLOSE || !c)
		return;
	c->last_state = oldstate;
	if (!c->active || c->established) {
		__sync_lock_test_and_set(&c->ended, bpf_ktime_get_boot_ns());
		if (c->owned)
			conn_ended(sk, c, &r);
		return;
	}
	error = BPF_CORE_READ(sk, sk_err);
	/* Without an error it was closed, or connect(2) took it back: net_connect.bpf.c. */
	if (error || BPF_CORE_READ(sk, sk_socket, state) != SS_UNCONNECTED)
		connect_ended(sk, c, bpf_ktime_get_boot_ns(), error);
	c->told = true;
	if (!error)
		bpf_map_delete_elem(&conns, &key);
}

static __always_inline void listening(struct sock *sk)
{
	struct {
		struct rec_tcp_listen rec;
		struct endpoint_pair pair;
	} r = {};
	struct rec_endpoint none;

	task_fill(&r.rec.task, bpf_get_current_task_btf());
	r.rec.backlog = BPF_CORE_READ(sk, sk_max_ack_backlog);
	conn_ends(sk, &r.rec.local, &none, &r.pair, sizeof(r.rec));
	emit(LANE_BULK, &r, sizeof(r), KIND_tcp_listen, false);
}

SEC("?tp_btf/inet_sock_set_state")
int BPF_PROG(tcp_state__tp_btf, struct sock *sk, int oldstate, int newstate)
{
	__u64 key = (__u64)sk;
	struct conn *c;

	if (BPF_CORE_READ(sk, sk_protocol) != IPPROTO_TCP)
		return 0;
	c = bpf_map_lookup_elem(&conns, &key);
	switch (newstate) {
	case TCP_SYN_SENT:
		connect_begun(sk);
		break;
	case TCP_ESTABLISHED:
		established(sk, c);
		break;
	case TCP_LISTEN:
		listening(sk);
		break;
	case TCP_FIN_WAIT1:
	case TCP_LAST_ACK:
	case TCP_CLOSE:
		closing(sk, c, oldstate, newstate);
	}
	return 0;
}

/* Seeds the table with the connections that were open before the sensor. Writes nothing out. */
SEC("?iter/task_file")
int tcp_owner__iter(struct bpf_iter__task_file *ctx)
{
	struct file *file = ctx->file;
	struct task_struct *task = ctx->task;
	struct sock *sk;
	struct conn c = {.adopted = true, .owned = 1};
	__u64 key;
	__u16 family;
	__u8 state;

	if (!file || !task)
		return 0;
	sk = sock_of_file(file);
	if (!sk)
		return 0;
	family = BPF_CORE_READ(sk, __sk_common.skc_family);
	if (family != AF_INET && family != AF_INET6)
		return 0;
	remember(sk, BPF_CORE_READ(task, tgid));
	state = BPF_CORE_READ(sk, __sk_common.skc_state);
	if (BPF_CORE_READ(sk, sk_protocol) != IPPROTO_TCP || state == TCP_LISTEN ||
	    state == TCP_CLOSE)
		return 0;
	key = (__u64)sk;
	task_fill(&c.task, task);
	bpf_map_update_elem(&conns, &key, &c, BPF_NOEXIST);
	return 0;
}
