/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Facts of a connected socket as its server sees it, and who is at the other end when that is a
 * process of this host.
 */
#pragma once

#include "plain.h"
#include "record.h"

#define S_IFMT	 0170000
#define S_IFSOCK 0140000

/* A TCP connection as its accepting side names it. */
struct tcp_peer {
	__u64 addr_hi, addr_lo; /* of the connecting side, IPv6 or v4-mapped, network order */
	__u16 remote_port;	/* the connecting side's */
	__u16 local_port;
	__u32 pad;
};

/* Filled when a process of this host connects (net.bpf.c): who owns the other end. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct tcp_peer);
	__type(value, __u32);
} tcp_owner __weak SEC(".maps");

static __always_inline void sock_addr(struct sock_common *c, bool remote, __u64 *hi, __u64 *lo)
{
	__u64 v6[2] = {};

	/* A kernel without IPv6 has no such fields. */
	if (PLAIN_READ(c, skc_family) == AF_INET6 && bpf_core_field_exists(c->skc_v6_daddr)) {
		if (remote)
			bpf_core_read(v6, sizeof(v6), &c->skc_v6_daddr);
		else
			bpf_core_read(v6, sizeof(v6), &c->skc_v6_rcv_saddr);
		*hi = v6[0];
		*lo = v6[1];
		return;
	}
	/* ::ffff:a.b.c.d, in memory order */
	*hi = 0;
	*lo = ((__u64)(remote ? PLAIN_READ(c, skc_daddr) : PLAIN_READ(c, skc_rcv_saddr)) << 32) |
	      bpf_htonl(0xffff);
}

/* The process of this host at the other end of a TCP connection that was accepted, or 0. */
static __always_inline __u32 sock_peer(struct sock *sk)
{
	struct sock_common *c = &sk->__sk_common;
	struct tcp_peer key = {};
	__u32 *owner;

	sock_addr(c, true, &key.addr_hi, &key.addr_lo);
	key.remote_port = bpf_ntohs(PLAIN_READ(c, skc_dport));
	key.local_port = PLAIN_READ(c, skc_num);
	owner = bpf_map_lookup_elem(&tcp_owner, &key);
	return owner ? *owner : 0;
}

static __always_inline void sock_fill(struct rec_socket *s, struct sock *sk)
{
	struct sock_common *c = &sk->__sk_common;
	struct pid *peer;

	s->cookie = (__u64)sk;
	s->family = PLAIN_READ(c, skc_family);
	if (s->family == AF_UNIX) {
		/* Taken by the kernel at connect(2): the client cannot forge it. */
		peer = PLAIN_READ(sk, sk_peer_pid);
		s->peer_tgid = PLAIN_READ(peer, numbers[0].nr);
		s->peer_uid = PLAIN_READ(sk, sk_peer_cred, euid.val);
		return;
	}
	sock_addr(c, true, &s->addr_hi, &s->addr_lo);
	s->remote_port = bpf_ntohs(PLAIN_READ(c, skc_dport));
	s->local_port = PLAIN_READ(c, skc_num);
	s->peer_tgid = sock_peer(sk);
}

static __always_inline struct sock *sock_of_file(struct file *file)
{
	struct socket *socket;

	if ((PLAIN_READ(file, f_inode, i_mode) & S_IFMT) != S_IFSOCK)
		return NULL;
	socket = PLAIN_READ(file, private_data);
	return PLAIN_READ(socket, sk);
}

/* The socket behind a descriptor of the current task. Leaves *s zeroed when it is none. */
static __always_inline void sock_fill_fd(struct rec_socket *s, int fd)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct fdtable *fdt = PLAIN_READ(task, files, fdt);
	struct file **fds = PLAIN_READ(fdt, fd), *file;
	struct sock *sk;

	if (fd < 0 || (__u32)fd >= PLAIN_READ(fdt, max_fds))
		return;
	file = plain_pointer(fds + fd);
	sk = file ? sock_of_file(file) : NULL;
	if (sk)
		sock_fill(s, sk);
}
