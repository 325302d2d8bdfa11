/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Which descriptors of a process are files of interest, for the last rung of file_close.
 *
 * The exits of two threads' calls are seen in any order: the one closes a descriptor, the other
 * opens a file, gets the same number, and its exit is looked at first. What the descriptor was then
 * stays beside what it is, until the exit of a close looks at it. Everything here is written by
 * several processors at once; open_file.opened says who tells a close, whoever finds it.
 */
#pragma once

#include "file.h"

struct fd_key {
	__u32 tgid, fd;
};

/* A use of a struct file. */
struct fd_use {
	__u64 address, opened; /* opened 0: none, or none any more */
};

struct fd_file {
	struct fd_use is;
	struct fd_use was; /* its close was not looked at when the descriptor was another already */
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct fd_key);
	__type(value, struct fd_file);
} fd_files __weak SEC(".maps");

/*
 * Processes that have such descriptors: a bit for each, the last one for all above. What is in
 * fd_files stays for the next file with that descriptor, until the process ends: to take it out and
 * put it in again is most of what a short open costs.
 */
struct file_holder {
	__u64 fds;  /* that are such files, or were, and their close is to be looked at */
	__u64 kept; /* that are in fd_files */
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, __u32); /* tgid */
	__type(value, struct file_holder);
} file_holders __weak SEC(".maps");

#define FD_BITS 63 /* descriptors that have a bit of their own */

static __always_inline __u64 file_fd_bit(__u64 fd)
{
	return 1ull << (fd < FD_BITS ? fd : FD_BITS);
}

/* `opened` is written last and read first: an address with another's `opened` is of nothing. */
static __always_inline void fd_use_write(struct fd_use *use, const struct fd_use *from)
{
	*(volatile __u64 *)&use->address = from->address;
	*(volatile __u64 *)&use->opened = from->opened;
}

static __always_inline struct fd_use fd_use_read(struct fd_use *use)
{
	struct fd_use read;

	read.opened = *(volatile __u64 *)&use->opened;
	read.address = *(volatile __u64 *)&use->address;
	return read;
}

/* The open of this use, if nobody told its close yet. */
static __always_inline struct open_file *fd_use_open(const struct fd_use *use)
{
	struct open_file *o = bpf_map_lookup_elem(&open_files, &use->address);

	return o && o->opened == use->opened ? o : NULL;
}

/* References besides the first: none is 0, all gone is negative. */
static __always_inline long file_references(struct file *file)
{
	struct file___count *before = (void *)file;
	struct file___ref *since = (void *)file;

	if (bpf_core_field_exists(since->f_ref))
		return PLAIN_READ(since, f_ref.refcnt.counter);
	return PLAIN_READ(before, f_count.counter) - 1;
}

/* To be looked at once more; what waits there gives way, for two are one too many. */
static __always_inline void fd_was(struct fd_file *f, const struct fd_use *use)
{
	struct fd_use before = fd_use_read(&f->was);
	struct open_file *o = before.opened ? fd_use_open(&before) : NULL;

	if (o && file_references((struct file *)before.address) < 0 &&
	    __sync_val_compare_and_swap(&o->opened, before.opened, OPENED_NOT) == before.opened)
		emit_lost(LANE_BULK, KIND_file_close);
	f->was.opened = 0;
	fd_use_write(&f->was, use);
}

static __always_inline void fd_file_put(const struct fd_key *key, const struct fd_use *use)
{
	struct fd_file *known = bpf_map_lookup_elem(&fd_files, key), fresh = {.is = *use};
	struct fd_use before;

	if (!known) {
		bpf_map_update_elem(&fd_files, key, &fresh, BPF_ANY);
		return;
	}
	before = fd_use_read(&known->is);
	if (before.opened && before.opened != use->opened && fd_use_open(&before))
		fd_was(known, &before);
	fd_use_write(&known->is, use);
}

/* A descriptor of a process is such a file from now on. */
static __always_inline void fd_held(__u32 tgid, __u32 fd, const struct fd_use *use)
{
	struct file_holder *h = bpf_map_lookup_elem(&file_holders, &tgid), none = {};
	struct fd_key key = {tgid, fd};

	fd_file_put(&key, use);
	if (!h) {
		bpf_map_update_elem(&file_holders, &tgid, &none, BPF_NOEXIST);
		h = bpf_map_lookup_elem(&file_holders, &tgid);
	}
	if (!h)
		return;
	__sync_fetch_and_or(&h->fds, file_fd_bit(fd));
	__sync_fetch_and_or(&h->kept, file_fd_bit(fd));
}
