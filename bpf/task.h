/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Facts of a task, by CO-RE reads. */
#pragma once

#include "kernel.h"
#include "record.h"

static __always_inline void task_fill(struct rec_task *t, struct task_struct *task)
{
	struct task_struct *leader = BPF_CORE_READ(task, group_leader);
	const struct cred *cred = BPF_CORE_READ(task, cred);
	__u64 caps = 0;

	t->start_time = BPF_CORE_READ(leader, start_boottime);
	t->tgid = BPF_CORE_READ(task, tgid);
	t->tid = BPF_CORE_READ(task, pid);
	t->ppid = BPF_CORE_READ(leader, real_parent, tgid);
	t->uid = BPF_CORE_READ(cred, uid.val);
	t->gid = BPF_CORE_READ(cred, gid.val);
	bpf_core_read(&caps, sizeof(caps), &cred->cap_effective);
	t->cap_effective_lo = (__u32)caps;
	t->cap_effective_hi = caps >> 32;
}

/* What a descriptor of a task is, or NULL. */
static __always_inline struct file *task_file(struct task_struct *task, __u32 fd)
{
	struct fdtable *fdt = BPF_CORE_READ(task, files, fdt);
	struct file **fds = BPF_CORE_READ(fdt, fd);
	struct file *file = NULL;

	if (fd < BPF_CORE_READ(fdt, max_fds))
		bpf_probe_read_kernel(&file, sizeof(file), fds + fd);
	return file;
}
