/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Files that go into a socket inside the kernel, without a read or a write: what was staged is
 * fetched. Used by file_write.bpf.c, whose calls these are.
 */
#pragma once

#include "conn.h"
#include "file.h"

/* Addresses of a struct file and a struct sock: both are used again, the inode tells the file. */
struct send_key {
	__u64 file, sk;
};

struct send_sum {
	struct inode_key inode;
	__u64 sent, told;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct send_key);
	__type(value, struct send_sum);
} file_sends SEC(".maps");

struct send_rec {
	struct rec_file_send rec;
	struct endpoint_pair pair;
};

/* The sum so far when it is to be told, else 0. All of the file: the next time is another one. */
static __always_inline __u64 send_count(struct file *file, struct sock *sk,
					const struct inode_key *inode, long bytes)
{
	struct send_key key = {(__u64)file, (__u64)sk};
	struct send_sum *sum = bpf_map_lookup_elem(&file_sends, &key), fresh = {.inode = *inode};
	__u64 size = PLAIN_READ(file, f_inode, i_size), sent = bytes;
	bool first = !sum || sum->inode.ino != inode->ino || sum->inode.dev != inode->dev;

	if (!first)
		sent += sum->sent;
	if (sent >= size) {
		bpf_map_delete_elem(&file_sends, &key);
		return sent;
	}
	fresh.sent = sent;
	fresh.told = first || sent >= 2 * sum->told ? sent : sum->told;
	bpf_map_update_elem(&file_sends, &key, &fresh, BPF_ANY);
	return fresh.told == sent ? sent : 0;
}

static __always_inline void send_emit(struct file *file, struct sock *sk, __u64 sent,
				      const struct read_why *why)
{
	struct file_scratch *s;
	struct send_rec *r;
	struct tail t;

	if (!emit_allowed(LANE_BULK, KIND_file_send))
		return;
	s = file_scratch_claim(LANE_BULK, KIND_file_send);
	if (!s)
		return;
	r = (void *)s->record;
	t = file_tail(s, sizeof(*r));
	task_fill(&r->rec.task, bpf_get_current_task_btf());
	inode_fill(&r->rec.inode, PLAIN_READ(file, f_inode));
	conn_ends(sk, &r->rec.local, &r->rec.remote, &r->pair, sizeof(r->rec));
	r->rec.sent = sent;
	r->rec.tree = why->tree;
	r->rec.lineage = why->lineage;
	r->rec.recent = why->recent;
	tail_path(&t, &s->path, &r->rec.path, &file->f_path);
	file_send(s, LANE_BULK, KIND_file_send);
	file_scratch_release(s);
}

/* `bytes` of `file` were sent to what `out` is. */
static __noinline int file_sent(struct file *file, struct file *out, long bytes)
{
	struct sock *sk = bytes > 0 && file && out ? sock_of_file(out) : NULL;
	struct read_why why = {};
	struct inode_key key;
	__u16 family;
	__u64 sent;

	if (!sk)
		return 0;
	family = PLAIN_READ(sk, __sk_common.skc_family);
	inode_key_fill(&key, PLAIN_READ(file, f_inode));
	if ((family != AF_INET && family != AF_INET6) || !file_read_why(file, &key, &why))
		return 0;
	sent = send_count(file, sk, &key, bytes);
	if (sent)
		send_emit(file, sk, sent, &why);
	return 0;
}
