// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * A running process changes its credentials or namespaces. Told when something did change, with
 * before and after: most calls of this kind set what is set already.
 *
 * Ladder: commit_creds() and switch_task_namespaces(), where all ways meet; else the exit of the
 * calls that lead there, which compares with what was seen last. A setuid file's exec is told by
 * commit_creds() or by exec (process.bpf.c). Saved file-system ids are not compared: file servers
 * change them with each request.
 */
#include "identity.h"

#define PR_SET_NO_NEW_PRIVS 38

/* Tells namespaces that are not as they were. */
static __noinline int namespaces_compare(struct task_struct *task, struct identity *id,
					 struct nsproxy *p, struct cred *cred)
{
	struct rec_ns_change r = {};

	r.before = id->namespaces;
	namespaces_fill(&r.after, p, cred, task);
	if (same(&r.before, &r.after, sizeof(r.after)))
		return 0;
	id->namespaces = r.after;
	task_fill(&r.task, task);
	r.call = call_of(task);
	r.compat = syscall_compat();
	emit(LANE_CRIT, &r, sizeof(r), KIND_ns_change, false);
	return 0;
}

static __always_inline struct identity *identity_of(struct task_struct *task)
{
	return bpf_task_storage_get(&identities, task, NULL, 0);
}

/* At a call's exit. What is not known from before is learnt now, and not told. */
static __always_inline void identity_check(void)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct identity *id = identity_of(task);
	struct cred *cred = PLAIN_READ(task, real_cred);

	if (!id) {
		identity_begin(task);
		return;
	}
	cred_compare(task, id, cred, false);
	namespaces_compare(task, id, PLAIN_READ(task, nsproxy), cred);
}

SEC("?fentry/commit_creds")
int BPF_PROG(cred_change__fentry, struct cred *new)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct identity *id = identity_of(task);

	if (!id)
		return 0;
	cred_compare(task, id, new, false);
	/* The user namespace is part of the credentials. */
	namespaces_compare(task, id, PLAIN_READ(task, nsproxy), new);
	return 0;
}

SEC("?tp_btf/sys_exit")
int BPF_PROG(cred_change__sys_exit, struct pt_regs *regs, long ret)
{
	identity_check();
	return 0;
}

/* The flag is no credential: it is set in the task, and cannot fail once the call is well-formed.
 */
SEC("?fentry/security_task_prctl")
int BPF_PROG(no_new_privs__fentry, int option, unsigned long arg2, unsigned long arg3,
	     unsigned long arg4, unsigned long arg5)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct identity *id;

	if (option != PR_SET_NO_NEW_PRIVS || arg2 != 1 || arg3 || arg4 || arg5)
		return 0;
	id = identity_of(task);
	if (id)
		cred_compare(task, id, PLAIN_READ(task, real_cred), true);
	return 0;
}

SEC("?tp_btf/sys_exit")
int BPF_PROG(no_new_privs__sys_exit, struct pt_regs *regs, long ret)
{
	identity_check();
	return 0;
}

SEC("?fentry/switch_task_namespaces")
int BPF_PROG(ns_change__fentry, struct task_struct *p, struct nsproxy *new)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct identity *id;

	if (p != task || !new) /* NULL: it ends */
		return 0;
	id = identity_of(task);
	if (id)
		namespaces_compare(task, id, new, PLAIN_READ(task, real_cred));
	return 0;
}

SEC("?tp_btf/sys_exit")
int BPF_PROG(ns_change__sys_exit, struct pt_regs *regs, long ret)
{
	identity_check();
	return 0;
}
