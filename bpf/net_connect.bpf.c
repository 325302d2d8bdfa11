// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * TCP connections that fail before a packet is made: no route, no local port, not allowed. No
 * socket state tells of them (net.bpf.c tells of all others).
 *
 * Ladder: the function that connects (io_uring and 32-bit calls included); where the kernel takes
 * no fentry, the exit of connect(2), left to it by the program for unix sockets. That rung does
 * not see io_uring's connect, and reads the address from user memory: another thread may have
 * changed it since the kernel did.
 */
#include <linux/errno.h>

#include "conn.h"
#include "emit.h"
#include "syscall.h"

/* struct sockaddr_in and sockaddr_in6. */
struct address {
	__u16 family;
	__be16 port;
	__u32 v4; /* IPv6: flow */
	__u64 v6[2];
};

/* Of the others some are answers, the rest the caller's own mistakes. */
static __always_inline bool error_unsent(int error)
{
	switch (error) {
	case EPERM:
	case EACCES:
	case EADDRNOTAVAIL:
	case ENETDOWN:
	case ENETUNREACH:
	case EHOSTUNREACH:
		return true;
	default:
		return false;
	}
}

/* False when its end was told, is still to come, or may not be told. */
static __always_inline bool is_unsent(struct sock *sk, int error)
{
	__u64 key = (__u64)sk;
	struct conn *c;

	if (BPF_CORE_READ(sk, sk_protocol) != IPPROTO_TCP)
		return false;
	c = bpf_map_lookup_elem(&conns, &key);
	if (c && (!c->active || c->ino != conn_ino(sk))) /* of a socket that was here before */
		c = NULL;
	if (c && c->told)
		bpf_map_delete_elem(&conns, &key);
	return !c && error_unsent(error) && emit_allowed(LANE_BULK, KIND_tcp_connect);
}

static __always_inline void unsent(struct sock *sk, const struct address *to, int error)
{
	struct {
		struct rec_tcp_connect rec;
		struct endpoint_pair pair;
	} r = {};

	task_fill(&r.rec.task, bpf_get_current_task_btf());
	r.rec.error = error;
	r.rec.result = connect_result(error);
	conn_ends(sk, &r.rec.local, &r.rec.remote, &r.pair, sizeof(r.rec));
	r.rec.remote.port = bpf_ntohs(to->port);
	if (to->family == AF_INET6)
		__builtin_memcpy(r.pair.remote, to->v6, sizeof(to->v6));
	else
		endpoint_v4(r.pair.remote, to->v4);
	emit_record(LANE_BULK, &r, sizeof(r), KIND_tcp_connect, false);
}

SEC("?fexit/inet_stream_connect")
int BPF_PROG(tcp_unsent__fexit, struct socket *socket, void *addr, int len, int flags, int ret)
{
	struct sock *sk = BPF_CORE_READ(socket, sk);
	struct address to = {};

	if (ret >= 0 || !is_unsent(sk, -ret))
		return 0;
	bpf_probe_read_kernel(&to, sizeof(to), addr);
	unsent(sk, &to, -ret);
	return 0;
}

SEC("?tp_btf/sys_exit")
int BPF_PROG(tcp_unsent__sys_exit, struct pt_regs *regs, long ret)
{
	struct file *file = ret < 0 ? syscall_file((int)syscall_arg(regs, 0)) : NULL;
	struct sock *sk = file ? sock_of_file(file) : NULL;
	void *addr = (void *)syscall_arg(regs, 1);
	struct address to = {};

	if (!sk || !is_unsent(sk, -ret))
		return 0;
	/* A struct sockaddr_in is shorter, and may end at a page's. */
	if (bpf_probe_read_user(&to, sizeof(to), addr) && bpf_probe_read_user(&to, 8, addr))
		emit_unread(LANE_BULK, KIND_tcp_connect);
	unsent(sk, &to, -ret);
	return 0;
}
