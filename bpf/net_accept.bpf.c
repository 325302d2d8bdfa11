// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Who accepted a TCP connection. The kernel makes it in an interrupt; a process gets it from
 * accept(2).
 *
 * Ladder: the function that hands a connection out (io_uring and 32-bit calls included); where
 * the kernel takes no fentry, the exit of the accept family of system calls. That rung does not
 * see io_uring's accept: such a connection is told when it ends, with who closed it.
 */
#include "conn.h"
#include "emit.h"
#include "syscall.h"

#define SOCK_STREAM 1
#define TCP_CLOSE   7

static __always_inline void accepted(struct sock *sk)
{
	struct {
		struct rec_tcp_accept rec;
		struct endpoint_pair pair;
	} r = {};
	__u64 key = (__u64)sk, now = bpf_ktime_get_boot_ns();
	struct rec_socket socket = {};
	__u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);
	struct conn *c, fresh = {};

	if ((family != AF_INET && family != AF_INET6) || BPF_CORE_READ(sk, sk_type) != SOCK_STREAM)
		return;
	task_fill(&r.rec.task, (struct task_struct *)bpf_get_current_task());
	c = bpf_map_lookup_elem(&conns, &key);
	if (c) {
		r.rec.waited = c->established ? now - c->established : 0;
		c->task = r.rec.task;
	} else if (BPF_CORE_READ(sk, __sk_common.skc_state) != TCP_CLOSE) {
		/* TCP Fast Open hands it out before the handshake is complete. */
		fresh.established = now;
		fresh.task = r.rec.task;
		bpf_map_update_elem(&conns, &key, &fresh, BPF_ANY);
	}
	sock_fill(&socket, sk);
	r.rec.peer_tgid = socket.peer_tgid;
	conn_ends(sk, &r.rec.local, &r.rec.remote, &r.pair, sizeof(r.rec));
	emit(LANE_BULK, &r, sizeof(r), KIND_tcp_accept, false);
}

SEC("?fexit/inet_csk_accept")
int BPF_PROG(tcp_accept__fexit)
{
	__u64 sk = 0;

	/* Its arguments are others since 6.10, and the result is behind them. */
	if (bpf_get_func_ret(ctx, &sk) == 0 && sk)
		accepted((struct sock *)sk);
	return 0;
}

SEC("?tp_btf/sys_exit")
int BPF_PROG(tcp_accept__sys_exit, struct pt_regs *regs, long ret)
{
	struct file *file = syscall_file(ret);
	struct sock *sk = file ? sock_of_file(file) : NULL;

	if (sk)
		accepted(sk);
	return 0;
}
