/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * TCP connections as the network programs know them while they live, by their kernel object:
 * net.bpf.c sees them begin and end, net_accept.bpf.c who accepted them.
 */
#pragma once

#include <linux/errno.h>

#include "emit.h"
#include "endpoint.h"
#include "sock.h"
#include "task.h"

#define TCP_ESTABLISHED 1
#define TCP_SYN_SENT	2
#define TCP_SYN_RECV	3
#define TCP_FIN_WAIT1	4
#define TCP_FIN_WAIT2	5
#define TCP_CLOSE	7
#define TCP_LAST_ACK	9
#define TCP_LISTEN	10
#define TCP_CLOSING	11
#define SOCK_DONE	1 /* bit of skc_flags: a FIN was received */
#define IPPROTO_TCP	6

struct conn {
	__u64 begin;	   /* of connect(2) */
	__u64 established; /* 0: not yet, or before the sensor */
	__u64 ended;
	__u64 owned;	      /* 1 when `task` is set */
	__u64 ino;	      /* of the socket that connects: its address is used again */
	struct rec_task task; /* whose it is */
	bool active;	      /* made by connect(2) */
	bool nonblocking;
	bool adopted;	 /* opened before the sensor, or forgotten */
	bool told;	 /* that it failed; here until connect(2) returns */
	__u8 last_state; /* that it ended in */
	__u8 pad[3];
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

/*
 * The kernel counts SYN and FIN as a byte each. Ours was acknowledged when all that was written
 * is, and is there from FIN_WAIT1 and LAST_ACK on.
 */
static __always_inline void close_bytes(struct rec_tcp_close *r, struct sock *sk, struct conn *c)
{
	__u32 oldstate = c->last_state;
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

struct conn_close {
	struct rec_tcp_close rec;
	struct endpoint_pair pair;
};

/*
 * An end before anybody accepted is told by accept(2), any other when it happens. Should both
 * happen at once on two CPUs, each sees the other's mark, and who takes the entry away tells.
 * `r` is zeroed room.
 */
static __always_inline void conn_ended(struct sock *sk, struct conn *c, struct conn_close *r)
{
	__u64 key = (__u64)sk;

	r->rec.task = c->task;
	if (c->established)
		r->rec.duration = c->ended - c->established;
	r->rec.error = BPF_CORE_READ(sk, sk_err);
	r->rec.incoming = !c->active && !c->adopted;
	r->rec.adopted = c->adopted;
	close_bytes(&r->rec, sk, c);
	conn_ends(sk, &r->rec.local, &r->rec.remote, &r->pair, sizeof(r->rec));
	if (bpf_map_delete_elem(&conns, &key) == 0)
		emit(LANE_BULK, r, sizeof(*r), KIND_tcp_close, false);
}
