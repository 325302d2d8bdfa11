/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Facts of a task, by plain loads: the verifier knows the type of a task that a hook or
 * bpf_get_current_task_btf() gives, and a load costs a tenth of a helper that reads. Nearly every
 * record has them.
 */
#pragma once

#include "plain.h"
#include "record.h"

/* By its member where the kernel is one that has it in one piece; see kernel_cap_t. */
#define CAPS_READ(cred, set)                                                                       \
	({                                                                                         \
		__u64 __caps = 0;                                                                  \
		if (PLAIN_KNOWN())                                                                 \
			__caps = PLAIN_READ(cred, set.val);                                        \
		else                                                                               \
			bpf_core_read(&__caps, sizeof(__caps), &(cred)->set);                      \
		__caps;                                                                            \
	})

static __always_inline void task_fill(struct rec_task *t, struct task_struct *trusted)
{
	struct task_struct *task = plain_task(trusted), *leader = task->group_leader;
	struct cred *cred = task->cred;
	__u64 caps;

	t->start_time = leader->start_boottime;
	t->tgid = task->tgid;
	t->tid = task->pid;
	t->ppid = leader->real_parent->tgid;
	t->uid = cred->uid.val;
	t->gid = cred->gid.val;
	caps = CAPS_READ(cred, cap_effective);
	t->cap_effective_lo = (__u32)caps;
	t->cap_effective_hi = caps >> 32;
}

/* What a descriptor of a task is, or NULL. */
static __always_inline struct file *task_file(struct task_struct *task, __u32 fd)
{
	struct fdtable *fdt = PLAIN_READ(task, files, fdt);
	struct file **fds = PLAIN_READ(fdt, fd);
	struct file *file = NULL;

	if (fd < PLAIN_READ(fdt, max_fds))
		bpf_probe_read_kernel(&file, sizeof(file), fds + fd);
	return file;
}
