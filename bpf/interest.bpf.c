// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Keeps the marks of lineages (interest.h): set at exec, inherited at fork; and which pipes are
 * their standard input (pipe.h). Writes no records.
 * What ran before the sensor is marked by an iterator, by its own executable and its ancestors'.
 */
#include "pipe.h"

SEC("?tp_btf/sched_process_exec")
int BPF_PROG(lineage_exec__tp_btf, struct task_struct *task)
{
	struct inode *exe = PLAIN_READ(task, mm, exe_file, f_inode);
	struct inode_key key;
	__u32 *wanted, *marks;

	if (!exe)
		return 0;
	inode_key_fill(&key, exe);
	wanted = bpf_map_lookup_elem(&watched_exe, &key);
	marks = bpf_task_storage_get(&lineages, task, NULL,
				     wanted ? BPF_LOCAL_STORAGE_GET_F_CREATE : 0);
	if (marks && wanted)
		*marks |= *wanted | LINEAGE_ITSELF;
	else if (marks)
		*marks &= ~LINEAGE_ITSELF;
	if (marks && *marks)
		pipe_reader(task);
	return 0;
}

/* Threads are tasks, too, and inherit. */
SEC("?tp_btf/sched_process_fork")
int BPF_PROG(lineage_fork__tp_btf, struct task_struct *parent, struct task_struct *child)
{
	__u32 *from = bpf_task_storage_get(&lineages, parent, NULL, 0), *to;

	if (!from || !*from)
		return 0;
	to = bpf_task_storage_get(&lineages, child, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (to)
		*to |= *from;
	return 0;
}

#define ANCESTORS 32

struct ancestors_walk {
	struct task_struct *at;
	__u64 found;
};

/* 1: it has no more ancestors. */
static long ancestor_step(__u64 i, struct ancestors_walk *w)
{
	struct task_struct *task = w->at;
	struct inode *exe = PLAIN_READ(task, mm, exe_file, f_inode);
	struct inode_key key;
	__u32 *wanted;

	inode_key_fill(&key, exe);
	wanted = exe ? bpf_map_lookup_elem(&watched_exe, &key) : NULL;
	if (wanted)
		w->found |= *wanted | (i ? 0 : LINEAGE_ITSELF);
	if (PLAIN_READ(task, tgid) <= 1)
		return 1;
	w->at = PLAIN_READ(task, real_parent);
	return 0;
}

/* Tasks that run already: as if the sensor had been there, but for those whose parents have ended.
 */
SEC("?iter/task")
int lineage__iter(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct ancestors_walk w = {};
	__u32 *marks;

	if (!task)
		return 0;
	w.at = task;
	bpf_loop(ANCESTORS, ancestor_step, &w, 0);
	if (!w.found)
		return 0;
	marks = bpf_task_storage_get(&lineages, task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (marks)
		*marks |= w.found;
	pipe_reader(task);
	return 0;
}
