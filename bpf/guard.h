/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What is guarded: the sensor's own processes and BPF objects, and the database servers. The maps
 * are filled by user/sensor/guard.c.
 */
#pragma once

#include "emit.h"
#include "task.h"

/* By tgid; enum rec_guarded. A PostgreSQL backend is its postmaster's child, and guarded with it.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, __u32);
} guarded_task __weak SEC(".maps");

struct guarded_object_key {
	__u32 object; /* enum rec_bpf_object */
	__u32 id;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2048);
	__type(key, struct guarded_object_key);
	__type(value, __u32);
} guarded_object __weak SEC(".maps");

/* 0: it is not. */
static __always_inline __u32 guard_of(struct task_struct *task)
{
	__u32 tgid = PLAIN_READ(task, tgid), parent;
	__u32 *guarded = bpf_map_lookup_elem(&guarded_task, &tgid);

	if (!guarded) {
		parent = PLAIN_READ(task, group_leader, real_parent, tgid);
		guarded = bpf_map_lookup_elem(&guarded_task, &parent);
	}
	return guarded ? *guarded : 0;
}

/* Of the current task: what is guarded may do to itself what it wants. */
static __always_inline __u32 guard_own(void)
{
	return guard_of(bpf_get_current_task_btf());
}

/* Memory, state or descriptors of a process are about to be touched, or were. */
static __always_inline void accessed(struct task_struct *target)
{
	struct rec_process_access rec = {};
	__u32 guarded = guard_of(target);

	if (!guarded || guard_own() == guarded)
		return;
	task_fill(&rec.task, bpf_get_current_task_btf());
	rec.target_tgid = PLAIN_READ(target, tgid);
	rec.target = guarded;
	emit(LANE_CRIT, &rec, sizeof(rec), KIND_process_access, true);
}

/* Who has that number, or NULL: it has ended. */
static __always_inline struct task_struct *guard_task(struct pid *pid)
{
	struct hlist_node *node = PLAIN_READ(pid, tasks[0].first);

	return node ? (void *)node - bpf_core_field_offset(struct task_struct, pid_links) : NULL;
}

/* Opens of /proc/PID/mem, for the last rung: elsewhere a security hook tells. */
static __always_inline void accessed_by_proc(struct file *file)
{
	struct inode *inode = PLAIN_READ(file, f_inode);
	struct dentry *dentry = PLAIN_READ(file, f_path.dentry);
	struct task_struct *target;
	struct proc_inode *proc;
	char name[4] = {};

	if (PLAIN_READ(inode, i_sb, s_magic) != PROC_SUPER_MAGIC ||
	    PLAIN_READ(dentry, d_name.len) != 3)
		return;
	bpf_probe_read_kernel(name, 3, PLAIN_READ(dentry, d_name.name));
	if (name[0] != 'm' || name[1] != 'e' || name[2] != 'm')
		return;
	proc = (void *)inode - bpf_core_field_offset(struct proc_inode, vfs_inode);
	target = guard_task(PLAIN_READ(proc, pid));
	if (target)
		accessed(target);
}
