// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Processes: exec, fork, exit, and those that run already. Everything else is attributed with
 * what these say, so they are in the crit lane and wake the consumer.
 */
#include <linux/errno.h>

#define PLAIN_KSYM __ksym

#include "emit.h"
#include "env.h"
#include "fd.h"
#include "identity.h"
#include "interest.h"
#include "tail.h"
#include "task.h"
#include "text.h"

#define ARGS_MAX	  32768
#define ARGS_PAGES	  (ARGS_MAX / PAGE + 1) /* they begin anywhere in the first */
#define PAGE		  4096
#define NAME_SIZE	  256 /* of a cgroup, with its NUL */
#define TAIL_MAX	  (3 * PATH_MAX + ARGS_MAX + ENV_MAX + 3 * NAME_SIZE)
#define TAIL_END	  (sizeof(struct rec_exec) + TAIL_MAX)
#define SIGNAL_GROUP_EXIT 4
#define I_CTIME_QUERIED	  0x80000000 /* the kernel's own mark in the nanoseconds */
#define SECOND		  1000000000ull
#define CGROUPS_MAX	  20 /* hierarchies */

struct process_scratch {
	__u32 busy;
	__u32 off; /* where the next piece of the tail goes */
	struct path_buf path;
	struct env_walk env;
	__u64 args_at, args_end;
	struct cgroup *cgroup;
	struct list_head *cgroup_link;
	void *cgroup_end;
	__s32 script_fd;
	__u32 script_rest;
	__u8 record[TAIL_END + TAIL_PIECE];
};

/* Claimed, not per CPU: those are limited to 32 KiB, and an iterator can be preempted. */
#define PROCESS_SCRATCH_SLOTS 32

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PROCESS_SCRATCH_SLOTS);
	__type(key, __u32);
	__type(value, struct process_scratch);
} process_scratches SEC(".maps");

struct exit_key {
	__u64 start_time;
	__u64 tgid;
};

/* Processes whose exit was told a moment ago. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct exit_key);
	__type(value, __u8);
} exits_told SEC(".maps");

struct scratch_walk {
	__u32 first;
	struct process_scratch *scratch; /* the first that was free */
};

static long scratch_step(__u64 i, struct scratch_walk *w)
{
	__u32 key = (w->first + i) % PROCESS_SCRATCH_SLOTS;
	struct process_scratch *s = bpf_map_lookup_elem(&process_scratches, &key);

	if (!s || __sync_val_compare_and_swap(&s->busy, 0, 1))
		return 0;
	w->scratch = s;
	return 1;
}

static __always_inline struct process_scratch *scratch_claim(void)
{
	struct scratch_walk w = {.first = bpf_get_smp_processor_id()};

	bpf_loop(PROCESS_SCRATCH_SLOTS, scratch_step, &w, 0);
	return w.scratch;
}

static __always_inline void scratch_release(struct process_scratch *s)
{
	__sync_val_compare_and_swap(&s->busy, 1, 0);
}

static __always_inline struct tail exec_tail(struct process_scratch *s)
{
	return (struct tail){s->record, &s->off, TAIL_END};
}

struct exec_walk {
	struct process_scratch *scratch;
};

/* A page of arguments; 1: that was the last, or it is not in memory. */
static long args_step(__u64 i, struct exec_walk *w)
{
	struct process_scratch *s = w->scratch;
	struct tail t = exec_tail(s);
	__u32 off = tail_off(&t), n = PAGE - (s->args_at & (PAGE - 1));

	if (s->args_at >= s->args_end)
		return 1;
	if (n > s->args_end - s->args_at)
		n = s->args_end - s->args_at;
	barrier_var(n);
	if (n > PAGE)
		return 1;
	if (bpf_probe_read_user(s->record + off, n, (void *)s->args_at)) {
		emit_unread(LANE_CRIT, KIND_exec);
		return 1;
	}
	s->args_at += n;
	s->off = off + n;
	return 0;
}

/* Another task's are in another address space: user space reads them. */
static __always_inline void args_fill(struct process_scratch *s, struct record_slice *slice,
				      struct mm_struct *mm, bool current_task)
{
	unsigned long from = PLAIN_READ(mm, arg_start), end = PLAIN_READ(mm, arg_end);
	struct exec_walk w = {s};

	slice->off = s->off;
	slice->orig = end > from ? end - from : 0;
	if (!current_task || !slice->orig)
		return;
	s->args_at = from;
	s->args_end = slice->orig > ARGS_MAX ? from + ARGS_MAX : end;
	bpf_loop(ARGS_PAGES, args_step, &w, 0);
	slice->len = s->off - slice->off;
}

static long env_walk_step(__u64 i, struct exec_walk *w)
{
	struct process_scratch *s = w->scratch;
	struct rec_exec *e = (void *)s->record;
	struct tail t = exec_tail(s);

	return env_step(&s->env, &t, &e->env);
}

static __always_inline void env_fill(struct process_scratch *s, struct mm_struct *mm)
{
	struct rec_exec *e = (void *)s->record;
	struct exec_walk w = {s};

	e->env.off = s->off;
	s->env.at = PLAIN_READ(mm, env_start);
	s->env.end = PLAIN_READ(mm, env_end);
	s->env.inside = s->env.partial = 0;
	bpf_loop(ENV_VARS_MAX, env_walk_step, &w, 0);
	e->env_truncated = s->env.partial || s->env.at < s->env.end;
}

/* Not the root of its hierarchy, whose name is empty. */
static __always_inline bool cgroup_named(struct cgroup *cgroup)
{
	const char *name = PLAIN_READ(cgroup, kn, name);
	char first = 0;

	bpf_probe_read_kernel(&first, 1, name);
	return first;
}

/* One hierarchy of cgroup v1; 1: no more of them, or it is systemd's. */
static long cgroup_step(__u64 i, struct exec_walk *w)
{
	struct process_scratch *s = w->scratch;
	struct list_head *at = s->cgroup_link;
	struct cgrp_cset_link *link =
		(void *)at - bpf_core_field_offset(struct cgrp_cset_link, cgrp_link);
	struct cgroup *cgroup;
	char name[8] = {};

	if (at == s->cgroup_end)
		return 1;
	s->cgroup_link = PLAIN_READ(at, next);
	cgroup = PLAIN_READ(link, cgrp);
	if (!cgroup_named(cgroup))
		return 0;
	BPF_CORE_READ_STR_INTO(&name, cgroup, root, name);
	if (__builtin_memcmp(name, "systemd", sizeof(name)) == 0) {
		s->cgroup = cgroup;
		return 1;
	}
	if (!s->cgroup)
		s->cgroup = cgroup;
	return 0;
}

/*
 * The cgroup that names the unit or the container: of v2, else (a host with cgroup v1) of
 * systemd's own hierarchy, else of the first controller that put the task somewhere.
 */
static __always_inline struct cgroup *cgroup_of(struct process_scratch *s, struct task_struct *task)
{
	struct css_set *set = PLAIN_READ(task, cgroups);
	struct cgroup *v2 = PLAIN_READ(set, dfl_cgrp);
	struct exec_walk w = {s};

	if (cgroup_named(v2))
		return v2;
	s->cgroup = NULL;
	s->cgroup_link = PLAIN_READ(set, cgrp_links.next);
	s->cgroup_end = (void *)set + bpf_core_field_offset(struct css_set, cgrp_links);
	bpf_loop(CGROUPS_MAX, cgroup_step, &w, 0);
	return s->cgroup ? s->cgroup : v2;
}

static __always_inline __u64 ctime_of(struct inode *inode)
{
	struct inode___6_6 *of_6_6 = (void *)inode;
	struct inode___6_1 *of_6_1 = (void *)inode;

	if (bpf_core_field_exists(inode->i_ctime_sec))
		return PLAIN_READ(inode, i_ctime_sec) * SECOND +
		       (PLAIN_READ(inode, i_ctime_nsec) & ~I_CTIME_QUERIED);
	if (bpf_core_field_exists(of_6_6->__i_ctime))
		return PLAIN_READ(of_6_6, __i_ctime.tv_sec) * SECOND +
		       PLAIN_READ(of_6_6, __i_ctime.tv_nsec);
	return PLAIN_READ(of_6_1, i_ctime.tv_sec) * SECOND + PLAIN_READ(of_6_1, i_ctime.tv_nsec);
}

/* In no directory of any mount, and named by memfd_create(2). */
static __always_inline bool dentry_is_memfd(struct dentry *dentry)
{
	char name[8] = {};

	if (dentry != PLAIN_READ(dentry, d_parent))
		return false;
	bpf_probe_read_kernel_str(name, 7, PLAIN_READ(dentry, d_name.name));
	return text_begins(name, "memfd:", 6);
}

static __always_inline void exe_fill(struct process_scratch *s, struct file *exe)
{
	struct rec_exec *e = (void *)s->record;
	struct inode *inode = PLAIN_READ(exe, f_inode);
	struct dentry *dentry = PLAIN_READ(exe, f_path.dentry);
	struct tail t = exec_tail(s);

	inode_fill(&e->exe_inode, inode);
	e->exe_nlink = PLAIN_READ(inode, i_nlink);
	e->exe_ctime = ctime_of(inode);
	e->exe_memfd = dentry_is_memfd(dentry);
	e->exe_unlinked = !PLAIN_READ(dentry, d_hash.pprev);
	tail_path(&t, &s->path, &e->exe, &exe->f_path);
}

/* The whole Exec record of a task but for what only its own exec tells; false: kernel thread. */
static __always_inline bool exec_fill(struct process_scratch *s, struct task_struct *task,
				      bool current_task)
{
	struct rec_exec *e = (void *)s->record;
	struct mm_struct *mm = PLAIN_READ(task, mm);
	struct file *exe = mm ? PLAIN_READ(mm, exe_file) : NULL;
	struct fs_struct *fs = PLAIN_READ(task, fs);
	struct cred *cred = PLAIN_READ(task, real_cred);
	struct cgroup *cgroup = cgroup_of(s, task);
	struct tail t = exec_tail(s);

	if (!mm)
		return false;
	s->off = sizeof(*e);
	__builtin_memset(e, 0, sizeof(*e));
	task_fill(&e->task, task);
	cred_fill(&e->cred, cred, task);
	namespaces_fill(&e->namespaces, PLAIN_READ(task, nsproxy), cred, task);
	fd_fill(&e->input, (__u64)task_file(task, 0));
	fd_fill(&e->output, (__u64)task_file(task, 1));
	fd_fill(&e->errors, (__u64)task_file(task, 2));
	e->sid = PLAIN_READ(task, signal, pids[3], numbers[0].nr);
	e->caller = e->task.tid;
	e->cgroup_id = PLAIN_READ(cgroup, kn, id);
	e->exe.off = s->off;
	if (exe)
		exe_fill(s, exe);
	args_fill(s, &e->args, mm, current_task);
	e->cwd.off = s->off;
	if (fs)
		tail_path(&t, &s->path, &e->cwd, &fs->pwd);
	tail_string(&t, &e->comm, (const char *)task->comm, NAME_SIZE);
	tail_string(&t, &e->cgroup, PLAIN_READ(cgroup, kn, name), NAME_SIZE);
	e->args_truncated = e->args.len < e->args.orig;
	e->path_truncated = e->exe.len < e->exe.orig || e->cwd.len < e->cwd.orig;
	return true;
}

/*
 * The descriptor in "/dev/fd/N" or "/dev/fd/N/...", as execveat(2) names it, or -1; and where the
 * rest begins. In map memory: the verifier would follow what comes after for each length of N.
 */
static __always_inline void script_fd(struct process_scratch *s, const char *name)
{
	int fd = 0;
	__u32 i;

	s->script_fd = -1;
	s->script_rest = 0;
	if (!text_begins(name, "/dev/fd/", 8))
		return;
	for (i = 8; i < 18 && name[i] >= '0' && name[i] <= '9'; i++)
		fd = fd * 10 + name[i] - '0';
	s->script_rest = i;
	if (i > 8 && (!name[i] || name[i] == '/'))
		s->script_fd = fd;
}

/* A name behind the path of the directory that it is relative to. */
static __always_inline void script_append(const struct tail *t, struct record_slice *slice,
					  const char *name, bool slash)
{
	struct record_slice rest = {};
	__u32 off = tail_off(t);

	if (slash && slice->len > 1) {
		t->record[off] = '/';
		*t->off = off + 1;
		slice->len++;
		slice->orig++;
	}
	tail_string(t, &rest, name, PATH_MAX);
	slice->len += rest.len;
	slice->orig += rest.orig;
}

/*
 * The script's file is closed by now: its name is left, as the kernel copied it before it opened
 * the file. A descriptor that it was executed by is still open, or no interpreter could read it.
 */
static __always_inline void script_fill(struct process_scratch *s, struct linux_binprm *bprm)
{
	struct rec_exec *e = (void *)s->record;
	struct task_struct *task = bpf_get_current_task_btf();
	const char *name = PLAIN_READ(bprm, filename), *interp = PLAIN_READ(bprm, interp);
	struct fs_struct *fs = PLAIN_READ(task, fs);
	struct tail t = exec_tail(s);
	char begin[24] = {};
	struct file *file;
	int fd;

	e->script.off = e->interpreter.off = s->off;
	if (name == interp)
		return;
	tail_string(&t, &e->interpreter, interp, NAME_SIZE);
	bpf_probe_read_kernel_str(begin, sizeof(begin) - 1, name);
	script_fd(s, begin);
	fd = s->script_fd;
	file = fd < 0 ? NULL : task_file(task, fd);
	e->script.off = s->off;
	if (file)
		tail_path(&t, &s->path, &e->script, &file->f_path);
	else if (begin[0] != '/' && fs)
		tail_path(&t, &s->path, &e->script, &fs->pwd);
	script_append(&t, &e->script, name + s->script_rest, !file && begin[0] != '/');
	e->path_truncated |= e->script.len < e->script.orig;
}

SEC("?tp_btf/sched_process_exec")
int BPF_PROG(exec__tp_btf, struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
	struct process_scratch *s = scratch_claim();
	struct identity *id = bpf_task_storage_get(&identities, task, NULL, 0);
	struct rec_exec *e;
	__u32 size;

	if (!s) {
		emit_lost(LANE_CRIT, KIND_exec);
		return 0;
	}
	e = (void *)s->record;
	if (exec_fill(s, task, true)) {
		env_fill(s, PLAIN_READ(task, mm));
		script_fill(s, bprm);
		e->caller = old_pid;
		e->secure = BPF_CORE_READ_BITFIELD_PROBED(bprm, secureexec);
		size = s->off;
		barrier_var(size);
		if (size <= sizeof(s->record))
			emit(LANE_CRIT, s->record, size, KIND_exec, true);
	}
	scratch_release(s);
	if (id)
		cred_compare(task, id, PLAIN_READ(task, real_cred), false);
	return 0;
}

/* Before the child runs; sched_process_fork would not tell the flags. */
SEC("?tp_btf/task_newtask")
int BPF_PROG(fork__tp_btf, struct task_struct *child, __u64 clone_flags)
{
	struct task_struct *parent = bpf_get_current_task_btf();
	struct identity *id = identity_begin(child);
	struct rec_fork f = {};

	/* A thread is no process, nor is the idle task of a CPU that comes up. */
	if (PLAIN_READ(child, pid) != PLAIN_READ(child, tgid) || !PLAIN_READ(child, tgid))
		return 0;
	task_fill(&f.task, child);
	if (id)
		f.namespaces = id->namespaces;
	else
		namespaces_fill(&f.namespaces, PLAIN_READ(child, nsproxy),
				PLAIN_READ(child, real_cred), child);
	f.clone_flags = clone_flags;
	f.lineage = interest_lineage();
	f.parent_tgid = PLAIN_READ(parent, tgid);
	f.parent_start_time = PLAIN_READ(parent, group_leader, start_boottime);
	emit(LANE_CRIT, &f, sizeof(f), KIND_fork, false);
	return 0;
}

/*
 * As wait(2) reports it. From 6.0 on, the last thread to exit marks the group as exiting with
 * its own code; should a kernel not, the leader's code is the process's.
 */
static __always_inline __u32 exit_code_of(struct task_struct *task)
{
	struct signal_struct *signal = PLAIN_READ(task, signal);

	if (PLAIN_READ(signal, flags) & SIGNAL_GROUP_EXIT)
		return PLAIN_READ(signal, group_exit_code);
	return PLAIN_READ(task, group_leader, exit_code);
}

SEC("?tp_btf/sched_process_exit")
int BPF_PROG(exit__tp_btf, struct task_struct *task)
{
	struct rec_exit e = {};
	struct exit_key key;
	__u8 one = 1;
	int r;

	/*
	 * do_exit() decrements signal->live before this tracepoint: 0 for the last thread, and for
	 * one that was about to be here when the last one came.
	 */
	if (PLAIN_READ(task, signal, live.counter))
		return 0;
	task_fill(&e.task, task);
	key.start_time = e.task.start_time;
	key.tgid = e.task.tgid;
	/* Before 6.4 only the lower half of the result is the helper's. */
	r = bpf_map_update_elem(&exits_told, &key, &one, BPF_NOEXIST);
	if (r == -EEXIST)
		return 0;
	e.exit_code = exit_code_of(task);
	emit(LANE_CRIT, &e, sizeof(e), KIND_exit, true);
	return 0;
}

/* The processes that were here before the sensor, as Exec records. */
SEC("?iter/task")
int exec__iter(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct process_scratch *s;
	struct record_header *h;
	__u32 size;

	if (!task)
		return 0;
	identity_begin(task);
	/* One record a process; of every thread when the first has ended before the others. */
	if (PLAIN_READ(task, pid) != PLAIN_READ(task, tgid) && PLAIN_READ(task, group_leader, mm))
		return 0;
	s = scratch_claim();
	if (!s) {
		emit_lost(LANE_CRIT, KIND_exit);
		return 0;
	}
	if (exec_fill(s, task, false)) {
		size = s->off;
		barrier_var(size);
		h = (void *)s->record;
		h->time = bpf_ktime_get_boot_ns();
		h->size = size;
		h->kind = KIND_exec;
		h->version = RECORD_VERSION;
		if (size <= sizeof(s->record))
			bpf_seq_write(ctx->meta->seq, s->record, size);
	}
	scratch_release(s);
	return 0;
}
