/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Pipes that are the standard input of a process of a watched lineage, and what others write into
 * them: a web server tells its helpers what to do that way. interest.bpf.c notes the readers,
 * file_write.bpf.c the writes.
 */
#pragma once

#include "emit.h"
#include "interest.h"
#include "task.h"

#define S_IFMT	       0170000
#define S_IFIFO	       0010000
#define PIPE_ANCESTORS 8
#define PIPE_QUIET     1000000000ull /* after a write was told */

/*
 * The process that executed with that pipe as its standard input; not what that executes itself,
 * which inherits it.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct inode_key);
	__type(value, __u32); /* tgid */
} pipe_readers __weak SEC(".maps");

struct pipe_writer {
	struct inode_key pipe;
	__u32 tgid;
	__u32 pad;
};

struct pipe_writes {
	__u64 told; /* when */
	__u64 writes, bytes;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct pipe_writer);
	__type(value, struct pipe_writes);
} pipe_writers __weak SEC(".maps");

/* Is that process one of its ancestors? */
static __always_inline bool pipe_inherited(struct task_struct *task, __u32 reader)
{
	for (int i = 0; i < PIPE_ANCESTORS; i++) {
		task = PLAIN_READ(task, real_parent);
		if ((__u32)PLAIN_READ(task, tgid) == reader)
			return true;
	}
	return false;
}

static __always_inline void pipe_reader(struct task_struct *task)
{
	struct file *file = task_file(task, 0);
	struct inode *inode = file ? PLAIN_READ(file, f_inode) : NULL;
	__u32 tgid = PLAIN_READ(task, tgid), *known;
	struct inode_key key;

	if (!inode || (PLAIN_READ(inode, i_mode) & S_IFMT) != S_IFIFO)
		return;
	inode_key_fill(&key, inode);
	known = bpf_map_lookup_elem(&pipe_readers, &key);
	if (known && pipe_inherited(task, *known))
		return;
	bpf_map_update_elem(&pipe_readers, &key, &tgid, BPF_ANY);
}

/* Counts it; is it to be told? */
static __always_inline bool pipe_counts(const struct pipe_writer *w, long bytes,
					struct rec_pipe_write *r)
{
	struct pipe_writes *seen = bpf_map_lookup_elem(&pipe_writers, w), fresh = {};
	__u64 now = bpf_ktime_get_ns();

	r->written = bytes;
	r->writes = 1;
	r->bytes = bytes;
	if (!seen) {
		fresh.told = now;
		fresh.writes = 1;
		fresh.bytes = bytes;
		bpf_map_update_elem(&pipe_writers, w, &fresh, BPF_ANY);
		return true;
	}
	r->writes += __sync_fetch_and_add(&seen->writes, 1);
	r->bytes += __sync_fetch_and_add(&seen->bytes, bytes);
	if (now - seen->told < PIPE_QUIET)
		return false;
	seen->told = now;
	return true;
}

static __noinline int pipe_tell(struct inode *pipe, long bytes, __u32 lineage)
{
	struct pipe_writer w = {.tgid = bpf_get_current_pid_tgid() >> 32};
	struct rec_pipe_write r = {};
	__u32 *reader;

	inode_key_fill(&w.pipe, pipe);
	reader = bpf_map_lookup_elem(&pipe_readers, &w.pipe);
	if (!reader || *reader == w.tgid || !pipe_counts(&w, bytes, &r))
		return 0;
	task_fill(&r.task, bpf_get_current_task_btf());
	r.ino = w.pipe.ino;
	r.reader_tgid = *reader;
	r.lineage = lineage;
	emit(LANE_BULK, &r, sizeof(r), KIND_pipe_write, false);
	return 0;
}

static __always_inline void pipe_written(struct file *file, long bytes)
{
	__u32 lineage = file && bytes > 0 ? interest_lineage() : 0;
	struct inode *inode;

	if (!lineage)
		return;
	inode = PLAIN_READ(file, f_inode);
	if ((PLAIN_READ(inode, i_mode) & S_IFMT) == S_IFIFO)
		pipe_tell(inode, bytes, lineage);
}
