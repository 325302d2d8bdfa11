// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Who connected: names the local process behind the other end of a TCP session, for the database
 * probes. Socket state changes are rare, so this costs nothing that can be measured; no syscall
 * is hooked.
 */
#include "emit.h"
#include "sock.h"

#define TCP_ESTABLISHED 1
#define TCP_SYN_SENT	2

/* connect(2) in progress: the process is known now, the source port only later. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, __u32);
} connecting SEC(".maps");

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

SEC("?tp_btf/inet_sock_set_state")
int BPF_PROG(tcp_owner__tp_btf, struct sock *sk, int oldstate, int newstate)
{
	__u64 key = (__u64)sk;
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;
	__u32 *owner;

	/* tcp_v4_connect() sets SYN_SENT in the context of the caller of connect(2). */
	if (newstate == TCP_SYN_SENT) {
		bpf_map_update_elem(&connecting, &key, &tgid, BPF_ANY);
		return 0;
	}
	if (oldstate != TCP_SYN_SENT)
		return 0;
	owner = bpf_map_lookup_elem(&connecting, &key);
	if (owner && newstate == TCP_ESTABLISHED)
		remember(sk, *owner);
	bpf_map_delete_elem(&connecting, &key);
	return 0;
}

/* Seeds the table with the connections that were open before the sensor. Writes nothing out. */
SEC("?iter/task_file")
int tcp_owner__iter(struct bpf_iter__task_file *ctx)
{
	struct file *file = ctx->file;
	struct task_struct *task = ctx->task;
	struct sock *sk;
	__u16 family;

	if (!file || !task)
		return 0;
	sk = sock_of_file(file);
	if (!sk)
		return 0;
	family = BPF_CORE_READ(sk, __sk_common.skc_family);
	if (family == AF_INET || family == AF_INET6)
		remember(sk, BPF_CORE_READ(task, tgid));
	return 0;
}
