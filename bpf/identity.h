/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Who a task is: its credentials and namespaces; and how they were when it was looked at last, so
 * that a change can be told with what was before, at hooks that come after it. Used by exec and
 * fork (process.bpf.c) and by the changes (identity.bpf.c).
 */
#pragma once

#include "emit.h"
#include "syscall.h"
#include "task.h"

#define GROUPS_HASHED	 32
#define PFA_NO_NEW_PRIVS 1 /* bit 0 of atomic_flags */
#define FNV_BASIS	 2166136261u
#define FNV_PRIME	 16777619u

struct identity {
	struct rec_cred cred;
	struct rec_namespaces namespaces;
};

/* Of every task since its birth, or since the sensor's start. Freed with the task. */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct identity);
} identities __weak SEC(".maps");

struct groups_walk {
	struct group_info *info;
	__u32 n, hash;
};

static long groups_step(__u64 i, struct groups_walk *w)
{
	__u32 gid = 0;

	if (i >= w->n)
		return 1;
	bpf_probe_read_kernel(&gid, sizeof(gid), &w->info->gid[i]);
	w->hash = (w->hash ^ gid) * FNV_PRIME;
	return 0;
}

/* One by one: the stack has no room for all. */
static __always_inline void groups_fill(struct rec_cred *c, struct group_info *info)
{
	struct groups_walk w = {info, BPF_CORE_READ(info, ngroups), FNV_BASIS};

	bpf_loop(GROUPS_HASHED, groups_step, &w, 0);
	c->groups = w.n;
	c->groups_hash = w.hash;
}

static __noinline int cred_fill(struct rec_cred *c, struct cred *cred, struct task_struct *task)
{
	c->cap_effective = CAPS_READ(cred, cap_effective);
	c->cap_permitted = CAPS_READ(cred, cap_permitted);
	c->cap_inheritable = CAPS_READ(cred, cap_inheritable);
	c->cap_ambient = CAPS_READ(cred, cap_ambient);
	c->cap_bounding = CAPS_READ(cred, cap_bset);
	c->uid = PLAIN_READ(cred, uid.val);
	c->euid = PLAIN_READ(cred, euid.val);
	c->suid = PLAIN_READ(cred, suid.val);
	c->gid = PLAIN_READ(cred, gid.val);
	c->egid = PLAIN_READ(cred, egid.val);
	c->sgid = PLAIN_READ(cred, sgid.val);
	c->securebits = PLAIN_READ(cred, securebits);
	c->no_new_privs = PLAIN_READ(task, atomic_flags) & PFA_NO_NEW_PRIVS;
	groups_fill(c, BPF_CORE_READ(cred, group_info));
	return 0;
}

/* The namespace that a task's pid was given in; its children's may be another. */
static __always_inline __u32 pid_ns_of(struct task_struct *task)
{
	struct pid *pid = BPF_CORE_READ(task, thread_pid);
	struct upid *last = (void *)pid + bpf_core_field_offset(struct pid, numbers) +
			    PLAIN_READ(pid, level) * bpf_core_type_size(struct upid);

	return PLAIN_READ(last, ns, ns.inum);
}

static __noinline int namespaces_fill(struct rec_namespaces *n, struct nsproxy *p,
				      struct cred *cred, struct task_struct *task)
{
	n->mnt = PLAIN_READ(p, mnt_ns, ns.inum);
	n->pid = pid_ns_of(task);
	n->net = PLAIN_READ(p, net_ns, ns.inum);
	n->user = PLAIN_READ(cred, user_ns, ns.inum);
	n->uts = PLAIN_READ(p, uts_ns, ns.inum);
	n->ipc = PLAIN_READ(p, ipc_ns, ns.inum);
	n->cgroup = PLAIN_READ(p, cgroup_ns, ns.inum);
	n->pid_for_children = PLAIN_READ(p, pid_ns_for_children, ns.inum);
	if (bpf_core_field_exists(p->time_ns)) {
		n->time = PLAIN_READ(p, time_ns, ns.inum);
		n->time_for_children = PLAIN_READ(p, time_ns_for_children, ns.inum);
	}
	return 0;
}

/* As it is now; what an exec, a fork or a look at all tasks begins with. */
static __always_inline void identity_fill(struct identity *id, struct task_struct *task)
{
	struct cred *cred = PLAIN_READ(task, real_cred);

	__builtin_memset(id, 0, sizeof(*id));
	cred_fill(&id->cred, cred, task);
	namespaces_fill(&id->namespaces, PLAIN_READ(task, nsproxy), cred, task);
}

/* Remembers a task that is born or was there before the sensor; NULL: there is no memory for it. */
static __always_inline struct identity *identity_begin(struct task_struct *task)
{
	struct identity *id =
		bpf_task_storage_get(&identities, task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);

	if (id)
		identity_fill(id, task);
	return id;
}

static __always_inline __u32 call_of(struct task_struct *task)
{
	return syscall_number((struct pt_regs *)bpf_task_pt_regs(task));
}

/* Padding is zero on both sides. Sizes are multiples of eight. */
static __always_inline bool same(const void *a, const void *b, __u32 size)
{
	for (__u32 i = 0; i < size / 8; i++)
		if (((const __u64 *)a)[i] != ((const __u64 *)b)[i])
			return false;
	return true;
}

/* Tells credentials that are not as they were; no_new_privs: are about to be set so. */
static __noinline int cred_compare(struct task_struct *task, struct identity *id, struct cred *cred,
				   bool no_new_privs)
{
	struct rec_cred_change r = {};

	r.before = id->cred;
	cred_fill(&r.after, cred, task);
	r.after.no_new_privs |= no_new_privs;
	if (same(&r.before, &r.after, sizeof(r.after)))
		return 0;
	id->cred = r.after;
	task_fill(&r.task, task);
	r.task.uid = r.after.uid; /* some hooks come just before */
	r.task.gid = r.after.gid;
	r.task.cap_effective_lo = (__u32)r.after.cap_effective;
	r.task.cap_effective_hi = r.after.cap_effective >> 32;
	r.call = call_of(task);
	r.compat = syscall_compat();
	emit(LANE_CRIT, &r, sizeof(r), KIND_cred_change, false);
	return 0;
}
