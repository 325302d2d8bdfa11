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

#define TCP_ESTABLISHED 1
#define TCP_SYN_SENT	2
#define TCP_SYN_RECV	3
#define TCP_FIN_WAIT1	4
#define TCP_FIN_WAIT2	5
#define TCP_CLOSE	7
#define TCP_LAST_ACK	9
#define TCP_LISTEN	10
#define TCP_CLOSING	11
#define O_NONBLOCK	04000
#define SOCK_DONE	1 /* bit of skc_flags: a FIN was received */

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
	struct conn c = {.begin = bpf_ktime_get_boot_ns(), .active = true};

	task_fill(&c.task, (struct task_struct *)bpf_get_current_task());
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

	if (!c || c->told) {
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
 * The kernel counts SYN and FIN as a byte each. Ours was acknowledged when all that was written
 * is, and is there from FIN_WAIT1 and LAST_ACK on.
 */
static __always_inline void close_bytes(struct rec_tcp_close *r, struct sock *sk, struct conn *c,
					int oldstate)
{
	struct tcp_sock *tp = (struct tcp_sock *)sk;
	__u64 sent = BPF_CORE_READ(tp, bytes_acked);
	bool fin_sent = oldstate == TCP_FIN_WAIT1 || oldstate == TCP_FIN_WAIT2 ||
			oldstate == TCP_CLOSING || oldstate == TCP_LAST_ACK;
	bool fin_acked = fin_sent && BPF_CORE_READ(tp, snd_una) == BPF_CORE_READ(tp, write_seq);

	if (c->active && sent)
		sent--;
	if (fin_acked && sent)
		sent--;
	r->bytes_sent = sent;
	r->bytes_received = BPF_CORE_READ(tp, bytes_received);
	if (r->bytes_received && BPF_CORE_READ(sk, __sk_common.skc_flags) >> SOCK_DONE & 1)
		r->bytes_received--;
}

static __always_inline void ended(struct sock *sk, struct conn *c, int oldstate)
{
	struct {
		struct rec_tcp_close rec;
		struct endpoint_pair pair;
	} r = {};

	if (!c->task.tgid) /* nobody accepted it */
		return;
	r.rec.task = c->task;
	if (c->established)
		r.rec.duration = bpf_ktime_get_boot_ns() - c->established;
	r.rec.error = BPF_CORE_READ(sk, sk_err);
	r.rec.incoming = !c->active && !c->adopted;
	r.rec.adopted = c->adopted;
	close_bytes(&r.rec, sk, c, oldstate);
	conn_ends(sk, &r.rec.local, &r.rec.remote, &r.pair, sizeof(r.rec));
	emit(LANE_BULK, &r, sizeof(r), KIND_tcp_close, false);
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

	if ((c && c->task.tgid) || !BPF_CORE_READ(sk, sk_lock.owned))
		return c;
	if (!c) {
		if (oldstate == TCP_SYN_SENT || oldstate == TCP_SYN_RECV)
			return NULL;
		bpf_map_update_elem(&conns, &key, &adopted, BPF_ANY);
		c = bpf_map_lookup_elem(&conns, &key);
	}
	if (c)
		task_fill(&c->task, (struct task_struct *)bpf_get_current_task());
	return c;
}

static __always_inline void closing(struct sock *sk, struct conn *c, int oldstate, int newstate)
{
	__u64 key = (__u64)sk;
	int error;

	if (oldstate == TCP_LISTEN || oldstate == TCP_CLOSE)
		return;
	c = owner_found(sk, c, oldstate);
	if (newstate != TCP_CLOSE || !c)
		return;
	if (!c->active || c->established) {
		ended(sk, c, oldstate);
		bpf_map_delete_elem(&conns, &key);
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

	task_fill(&r.rec.task, (struct task_struct *)bpf_get_current_task());
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
	struct conn c = {.adopted = true};
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
