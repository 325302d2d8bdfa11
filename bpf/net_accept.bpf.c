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

/* One after the other in the same room: a BPF stack is small. */
union accept_room {
	struct conn fresh;
	struct {
		struct rec_tcp_accept rec;
		struct endpoint_pair pair;
	} accept;
	struct conn_close close;
};

/* Notes who has it now; returns how long it waited. */
static __always_inline __u64 owner_set(struct sock *sk, struct conn *c, struct conn *fresh)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u64 key = (__u64)sk, now = bpf_ktime_get_boot_ns(), waited;

	if (!c) {
		/* TCP Fast Open hands it out before the handshake is complete. */
		fresh->established = now;
		fresh->owned = 1;
		task_fill(&fresh->task, task);
		if (BPF_CORE_READ(sk, __sk_common.skc_state) != TCP_CLOSE)
			bpf_map_update_elem(&conns, &key, fresh, BPF_ANY);
		return 0;
	}
	waited = c->established ? now - c->established : 0;
	task_fill(&c->task, task);
	__sync_lock_test_and_set(&c->owned, 1);
	return waited;
}

static __always_inline void accepted(struct sock *sk)
{
	__u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);
	__u64 key = (__u64)sk, waited;
	union accept_room r = {};
	struct conn *c;

	if ((family != AF_INET && family != AF_INET6) || BPF_CORE_READ(sk, sk_type) != SOCK_STREAM)
		return;
	c = bpf_map_lookup_elem(&conns, &key);
	waited = owner_set(sk, c, &r.fresh);
	__builtin_memset(&r, 0, sizeof(r));
	task_fill(&r.accept.rec.task, bpf_get_current_task_btf());
	r.accept.rec.waited = waited;
	r.accept.rec.peer_tgid = sock_peer(sk);
	conn_ends(sk, &r.accept.rec.local, &r.accept.rec.remote, &r.accept.pair,
		  sizeof(r.accept.rec));
	emit(LANE_BULK, &r, sizeof(r.accept), KIND_tcp_accept, false);
	if (!c || !c->ended)
		return;
	__builtin_memset(&r, 0, sizeof(r));
	conn_ended(sk, c, &r.close);
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
