/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * TCP connections as the network programs know them while they live, by their kernel object:
 * net.bpf.c sees them begin and end, net_accept.bpf.c who accepted them.
 */
#pragma once

#include <linux/errno.h>

#include "endpoint.h"
#include "sock.h"
#include "task.h"

#define IPPROTO_TCP 6

struct conn {
	__u64 begin;	      /* of connect(2) */
	__u64 established;    /* 0: not yet, or before the sensor */
	__u64 ino;	      /* of the socket that connects: its address is used again */
	struct rec_task task; /* whose it is; zero until that is known */
	bool active;	      /* made by connect(2) */
	bool nonblocking;
	bool adopted; /* opened before the sensor, or forgotten */
	bool told;    /* that it failed; here until connect(2) returns */
	__u8 pad[4];
};

/* A connection that this has forgotten for room ends as an adopted one. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64); /* struct sock * */
	__type(value, struct conn);
} conns __weak SEC(".maps");

static __always_inline enum rec_connect_result connect_result(int error)
{
	switch (error) {
	case 0:
		return ConnectResult_abandoned;
	case ECONNREFUSED:
		return ConnectResult_refused;
	case ETIMEDOUT:
		return ConnectResult_timed_out;
	case ENETUNREACH:
	case EHOSTUNREACH:
		return ConnectResult_unreachable;
	default:
		return ConnectResult_not_connected;
	}
}

/* 0 for the kernel's own, and for one that is closed. */
static __always_inline __u64 conn_ino(struct sock *sk)
{
	return BPF_CORE_READ(sk, sk_socket, file, f_inode, i_ino);
}

/* Both ends of a socket; `off`: of the pair in the record. */
static __always_inline void conn_ends(struct sock *sk, struct rec_endpoint *local,
				      struct rec_endpoint *remote, struct endpoint_pair *pair,
				      __u32 off)
{
	struct sock_common *c = &sk->__sk_common;

	sock_addr(c, false, &pair->local[0], &pair->local[1]);
	sock_addr(c, true, &pair->remote[0], &pair->remote[1]);
	/* skc_num is given back before the state becomes CLOSE. */
	local->port = BPF_CORE_READ(c, skc_num);
	if (!local->port)
		local->port = bpf_ntohs(BPF_CORE_READ((struct inet_sock *)sk, inet_sport));
	remote->port = bpf_ntohs(BPF_CORE_READ(c, skc_dport));
	endpoint_slices(local, remote, off);
}
