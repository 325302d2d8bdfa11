// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * UDP: the first packet of a process to a peer, and DNS questions and answers on port 53. Taken
 * from the packets themselves, as they leave for a device and as they come from one: whatever call
 * sent it (io_uring and 32-bit calls included), these are the bytes.
 */
#include <linux/if_ether.h>
#include <linux/in.h>

#include "emit.h"
#include "endpoint.h"
#include "task.h"

#define DNS_PORT     53
#define DNS_MAX	     1024 /* of a message; user space reads no further */
#define IP_OFFSET    0x1fff
#define PEERS_MAX    8192
#define SAME_PACKET  1000000 /* nanoseconds */
#define PORT_SERVICE 1024
#define UDP_HEADER   8
#define VLAN_TAG     4

struct ip4 {
	__u8 version_ihl, tos;
	__be16 len, id, offset;
	__u8 ttl, protocol;
	__be16 check;
	__u32 saddr, daddr;
};

struct ip6 {
	__u8 version, flow[3];
	__be16 len;
	__u8 next, hops;
	__u64 saddr[2], daddr[2];
};

struct udp {
	__be16 source, dest, len, check;
};

/* A packet's own words. */
struct datagram {
	__u64 saddr[2], daddr[2];
	__u16 source, dest;
	__u32 length; /* of the payload */
	__u8 *payload;
	__u32 linear; /* of the payload, at `payload` */
};

struct sender {
	struct rec_task task;
	__u64 ino; /* of the socket: its address is used again */
};

/* Who used a UDP socket last. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, struct sender);
} udp_senders SEC(".maps");

struct udp_peer {
	__u64 start_time;
	__u64 addr[2];
	__u32 tgid;
	__u32 port;
};

/* Peers that were told. One that is forgotten for room is told again. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, PEERS_MAX);
	__type(key, struct udp_peer);
	__type(value, __u8);
} udp_peers SEC(".maps");

struct dns_asked {
	__u64 addr[2]; /* of the server */
	__u32 port;    /* of the asker */
	__u32 id;      /* as in the message */
};

/* Questions without an answer yet, and who asked. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct dns_asked);
	__type(value, struct rec_task);
} dns_asked SEC(".maps");

struct dns_record {
	struct rec_dns rec;
	struct endpoint_pair pair;
	__u8 message[DNS_MAX];
};

struct dns_scratch {
	struct dns_record r;
	/* The last question of this CPU, to know it again on the device below. */
	__u64 skb, time;
	__u32 id, pad;
};

/* Tracepoint programs run with preemption off; an interrupt's answer has its own. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct dns_scratch);
} dns_scratches SEC(".maps");

/* Which process a UDP socket's packets are of. */
static __always_inline void sender_note(struct sock *sk)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u64 key = (__u64)sk, ino = BPF_CORE_READ(sk, sk_socket, file, f_inode, i_ino);
	struct sender *old = bpf_map_lookup_elem(&udp_senders, &key), s = {};

	if (!ino || (old && old->ino == ino && old->task.tgid == bpf_get_current_pid_tgid() >> 32))
		return;
	s.ino = ino;
	task_fill(&s.task, task);
	bpf_map_update_elem(&udp_senders, &key, &s, BPF_ANY);
}

/* Before the packet is made; so also for one that waits for its neighbour's address. */
SEC("?fentry/security_socket_sendmsg")
int BPF_PROG(udp_sender__fentry, struct socket *sock)
{
	struct sock *sk = BPF_CORE_READ(sock, sk);

	if (BPF_CORE_READ(sk, sk_protocol) == IPPROTO_UDP)
		sender_note(sk);
	return 0;
}

/* When the send is over (from 6.3 on): in time for a packet that had to wait. */
SEC("?tp_btf/sock_send_length")
int BPF_PROG(udp_sender__tp_btf, struct sock *sk)
{
	if (sk->sk_protocol == IPPROTO_UDP)
		sender_note(sk);
	return 0;
}

/*
 * A packet that waited is sent from an interrupt, and the current task is anyone; its sender is
 * noted then. Without a note it did not wait. False: the kernel's own, or not known.
 */
static __always_inline bool sender_of(struct sock *sk, struct rec_task *ret)
{
	__u64 key = (__u64)sk, ino;
	struct sender *s = bpf_map_lookup_elem(&udp_senders, &key);

	if (!BPF_CORE_READ(sk, sk_socket)) { /* closed meanwhile */
		if (s)
			*ret = s->task;
		return s;
	}
	ino = BPF_CORE_READ(sk, sk_socket, file, f_inode, i_ino);
	if (!ino)
		return false;
	if (s && s->ino == ino && s->task.tgid != bpf_get_current_pid_tgid() >> 32)
		*ret = s->task;
	else
		task_fill(ret, bpf_get_current_task_btf());
	return true;
}

/* `ip`: the packet's network header. False when it is not the (first piece of a) UDP datagram. */
static __always_inline bool datagram_read(struct sk_buff *skb, unsigned char *ip,
					  struct datagram *d)
{
	__u32 header = sizeof(struct ip6);
	__s64 linear;
	struct ip4 v4;
	struct ip6 v6;
	struct udp u;

	if (bpf_probe_read_kernel(&v4, sizeof(v4), ip))
		return false;
	if (v4.version_ihl >> 4 == 4) {
		if (v4.protocol != IPPROTO_UDP || v4.offset & bpf_htons(IP_OFFSET))
			return false;
		header = (v4.version_ihl & 0xf) * 4;
		endpoint_v4(d->saddr, v4.saddr);
		endpoint_v4(d->daddr, v4.daddr);
	} else {
		if (v4.version_ihl >> 4 != 6 || bpf_probe_read_kernel(&v6, sizeof(v6), ip) ||
		    v6.next != IPPROTO_UDP)
			return false;
		__builtin_memcpy(d->saddr, v6.saddr, sizeof(d->saddr));
		__builtin_memcpy(d->daddr, v6.daddr, sizeof(d->daddr));
	}
	if (bpf_probe_read_kernel(&u, sizeof(u), ip + header))
		return false;
	d->source = bpf_ntohs(u.source);
	d->dest = bpf_ntohs(u.dest);
	d->length = bpf_ntohs(u.len);
	if (d->length < UDP_HEADER)
		return false;
	d->length -= UDP_HEADER;
	d->payload = ip + header + UDP_HEADER;
	/* A driver may leave the payload in pages, which cannot be read from here. */
	linear = skb->data + (skb->len - skb->data_len) - d->payload;
	d->linear = linear > 0 ? linear : 0;
	return true;
}

static __always_inline void first_packet(struct datagram *d, struct rec_task *task)
{
	struct {
		struct rec_udp_send rec;
		struct endpoint_pair pair;
	} r = {};
	struct udp_peer peer = {.start_time = task->start_time, .tgid = task->tgid};
	__u8 one = 1;

	/* A service's clients are told once, not for each port they ask from. */
	peer.port = d->source < PORT_SERVICE && d->dest >= PORT_SERVICE ? 0 : d->dest;
	peer.addr[0] = d->daddr[0];
	peer.addr[1] = d->daddr[1];
	if (bpf_map_lookup_elem(&udp_peers, &peer))
		return;
	bpf_map_update_elem(&udp_peers, &peer, &one, BPF_ANY);
	r.rec.task = *task;
	r.rec.bytes = d->length;
	r.rec.local.port = d->source;
	r.rec.remote.port = d->dest;
	endpoint_slices(&r.rec.local, &r.rec.remote, sizeof(r.rec));
	__builtin_memcpy(r.pair.local, d->saddr, sizeof(d->saddr));
	__builtin_memcpy(r.pair.remote, d->daddr, sizeof(d->daddr));
	emit(LANE_BULK, &r, sizeof(r), KIND_udp_send, false);
}

static __always_inline void dns_emit(struct dns_record *r, struct datagram *d,
				     struct rec_task *task, bool sent)
{
	__u32 n = d->length < d->linear ? d->length : d->linear;

	__builtin_memset(&r->rec, 0, sizeof(r->rec));
	r->rec.task = *task;
	r->rec.length = d->length;
	r->rec.local.port = sent ? d->source : d->dest;
	r->rec.remote.port = sent ? d->dest : d->source;
	endpoint_slices(&r->rec.local, &r->rec.remote, sizeof(r->rec));
	__builtin_memcpy(r->pair.local, sent ? d->saddr : d->daddr, sizeof(d->saddr));
	__builtin_memcpy(r->pair.remote, sent ? d->daddr : d->saddr, sizeof(d->saddr));
	if (n > DNS_MAX)
		n = DNS_MAX;
	barrier_var(n);
	if (n > DNS_MAX || bpf_probe_read_kernel(r->message, n, d->payload))
		n = 0;
	r->rec.message.off = sizeof(r->rec) + sizeof(r->pair);
	r->rec.message.len = n;
	r->rec.message.orig = d->length;
	barrier_var(n);
	if (n <= DNS_MAX)
		emit(LANE_BULK, r, sizeof(r->rec) + sizeof(r->pair) + n, KIND_dns, false);
}

/* A bond, a VLAN: the same packet again on the device below, at once and on the same CPU. */
static __always_inline bool question_again(struct dns_scratch *s, struct sk_buff *skb, __u32 id)
{
	__u64 now = bpf_ktime_get_ns();
	bool again = s->skb == (__u64)skb && s->id == id && now - s->time < SAME_PACKET;

	s->skb = (__u64)skb;
	s->time = now;
	s->id = id;
	return again;
}

static __always_inline void question(struct sk_buff *skb, struct datagram *d, struct rec_task *task)
{
	struct dns_asked asked = {.port = d->source};
	struct dns_scratch *s;
	__u32 key = 0;

	s = bpf_map_lookup_elem(&dns_scratches, &key);
	if (!s)
		return;
	if (d->linear >= 2)
		bpf_probe_read_kernel(&asked.id, 2, d->payload);
	if (question_again(s, skb, asked.id))
		return;
	asked.addr[0] = d->daddr[0];
	asked.addr[1] = d->daddr[1];
	bpf_map_update_elem(&dns_asked, &asked, task, BPF_ANY);
	dns_emit(&s->r, d, task, true);
}

SEC("?tp_btf/net_dev_queue")
int BPF_PROG(udp_send__tp_btf, struct sk_buff *skb)
{
	struct sock *sk = PLAIN_KNOWN() ? PLAIN(skb)->sk : skb->sk;
	struct rec_task task = {};
	struct datagram d = {};

	if (!sk || sk->sk_protocol != IPPROTO_UDP ||
	    !datagram_read(skb, skb->head + skb->network_header, &d) || !sender_of(sk, &task))
		return 0;
	first_packet(&d, &task);
	if (d.dest == DNS_PORT)
		question(skb, &d, &task);
	return 0;
}

/* Packets arrive in an interrupt: an answer is of the process that asked, once. */
SEC("?tp_btf/netif_receive_skb")
int BPF_PROG(dns_answer__tp_btf, struct sk_buff *skb)
{
	__be16 protocol = skb->protocol;
	struct dns_asked asked = {};
	struct datagram d = {};
	struct dns_scratch *s;
	struct rec_task *task;
	__u32 key = 1;

	if (protocol != bpf_htons(ETH_P_IP) && protocol != bpf_htons(ETH_P_IPV6) &&
	    protocol != bpf_htons(ETH_P_8021Q))
		return 0;
	if (!datagram_read(skb, skb->data + (protocol == bpf_htons(ETH_P_8021Q) ? VLAN_TAG : 0),
			   &d) ||
	    d.source != DNS_PORT || d.linear < 2)
		return 0;
	asked.port = d.dest;
	asked.addr[0] = d.saddr[0];
	asked.addr[1] = d.saddr[1];
	bpf_probe_read_kernel(&asked.id, 2, d.payload);
	task = bpf_map_lookup_elem(&dns_asked, &asked);
	s = bpf_map_lookup_elem(&dns_scratches, &key);
	if (!task || !s)
		return 0;
	dns_emit(&s->r, &d, task, false);
	bpf_map_delete_elem(&dns_asked, &asked);
	return 0;
}
