// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Processes: exec, fork, exit, and those that run already. Everything else is attributed with
 * what these say, so they are in the crit lane and wake the consumer.
 */
#include <linux/errno.h>

#include "emit.h"
#include "tail.h"
#include "task.h"

#define ARGS_MAX	  4096
#define PAGE		  4096
#define NAME_SIZE	  256 /* of a cgroup, with its NUL */
#define TAIL_MAX	  (2 * PATH_MAX + ARGS_MAX + 2 * NAME_SIZE)
#define TAIL_END	  (sizeof(struct rec_exec) + TAIL_MAX)
#define SIGNAL_GROUP_EXIT 4

struct process_scratch {
	struct path_buf path;
	__u32 off; /* where the next piece of the tail goes */
	__u32 pad;
	__u8 record[TAIL_END + TAIL_PIECE];
};

/* Tracepoint programs run with preemption off, so one per CPU is safe here. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct process_scratch);
} process_scratches SEC(".maps");

/* An iterator can be preempted by an exec on its CPU. The sensor runs one at a time. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct process_scratch);
} seed_scratch SEC(".maps");

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

/* Reads up to the first page that is not in memory; at most two, as ARGS_MAX is a page. */
static __always_inline void args_fill(const struct tail *t, struct record_slice *slice,
				      struct mm_struct *mm, bool current_task)
{
	unsigned long from = BPF_CORE_READ(mm, arg_start), end = BPF_CORE_READ(mm, arg_end);
	__u32 n = end > from ? end - from : 0, off = tail_off(t);
	__u32 first = PAGE - (from & (PAGE - 1));

	slice->off = off;
	slice->orig = n;
	if (n > ARGS_MAX)
		n = ARGS_MAX;
	if (first > n)
		first = n;
	/* Another task's arguments are in another address space: user space reads them. */
	if (!current_task || !n)
		return;
	if (bpf_probe_read_user(t->record + off, n, (void *)from)) {
		n = first;
		if (bpf_probe_read_user(t->record + off, n, (void *)from))
			return;
	}
	slice->len = n;
	*t->off = off + n;
}

/* Not the root of its hierarchy, whose name is empty. */
static __always_inline bool cgroup_named(struct cgroup *cgroup)
{
	const char *name = BPF_CORE_READ(cgroup, kn, name);
	char first = 0;

	bpf_probe_read_kernel(&first, 1, name);
	return first;
}

/*
 * The cgroup that names the unit or the container: of v2, else (a host with cgroup v1) of
 * systemd's own hierarchy, else of the first controller that put the task somewhere.
 */
static __always_inline struct cgroup *cgroup_of(struct task_struct *task)
{
	struct css_set *set = BPF_CORE_READ(task, cgroups);
	struct cgroup *v2 = BPF_CORE_READ(set, dfl_cgrp), *found = NULL;
	struct list_head *at = BPF_CORE_READ(set, cgrp_links.next);

	if (cgroup_named(v2))
		return v2;
	for (int i = 0; i < 20; i++, at = BPF_CORE_READ(at, next)) {
		struct cgrp_cset_link *link =
			(void *)at - bpf_core_field_offset(struct cgrp_cset_link, cgrp_link);
		struct cgroup *cgroup;
		char name[8] = {};

		if ((void *)at == (void *)set + bpf_core_field_offset(struct css_set, cgrp_links))
			break;
		cgroup = BPF_CORE_READ(link, cgrp);
		if (!cgroup_named(cgroup))
			continue;
		BPF_CORE_READ_STR_INTO(&name, cgroup, root, name);
		if (__builtin_memcmp(name, "systemd", sizeof(name)) == 0)
			return cgroup;
		if (!found)
			found = cgroup;
	}
	return found ? found : v2;
}

/* The whole Exec record of a task; its size, or 0 for a kernel thread. */
static __always_inline __u32 exec_fill(struct process_scratch *s, struct task_struct *task,
				       bool current_task)
{
	struct rec_exec *e = (void *)s->record;
	struct tail t = {s->record, &s->off, TAIL_END};
	struct mm_struct *mm = BPF_CORE_READ(task, mm);
	struct file *exe = mm ? BPF_CORE_READ(mm, exe_file) : NULL;
	struct fs_struct *fs = BPF_CORE_READ(task, fs);
	struct cgroup *cgroup = cgroup_of(task);

	if (!mm)
		return 0;
	s->off = sizeof(*e);
	__builtin_memset(e, 0, sizeof(*e));
	task_fill(&e->task, task);
	e->sid = BPF_CORE_READ(task, signal, pids[3], numbers[0].nr);
	e->cgroup_id = BPF_CORE_READ(cgroup, kn, id);
	e->exe.off = s->off;
	if (exe) {
		inode_fill(&e->exe_inode, BPF_CORE_READ(exe, f_inode));
		e->exe_nlink = BPF_CORE_READ(exe, f_inode, i_nlink);
		tail_path(&t, &s->path, &e->exe, &exe->f_path);
	}
	args_fill(&t, &e->args, mm, current_task);
	if (fs)
		tail_path(&t, &s->path, &e->cwd, &fs->pwd);
	else
		e->cwd.off = s->off;
	tail_string(&t, &e->comm, (const char *)task->comm, NAME_SIZE);
	tail_string(&t, &e->cgroup, BPF_CORE_READ(cgroup, kn, name), NAME_SIZE);
	e->args_truncated = e->args.len < e->args.orig;
	e->path_truncated = e->exe.len < e->exe.orig || e->cwd.len < e->cwd.orig;
	return s->off;
}

SEC("?tp_btf/sched_process_exec")
int BPF_PROG(exec__tp_btf, struct task_struct *task)
{
	__u32 key = 0, size;
	struct process_scratch *s = bpf_map_lookup_elem(&process_scratches, &key);

	if (!s)
		return 0;
	size = exec_fill(s, task, true);
	if (!size)
		return 0;
	barrier_var(size); /* or both comparisons become one of size - 1, lost on the verifier */
	if (size <= sizeof(s->record))
		emit(LANE_CRIT, s->record, size, KIND_exec, true);
	return 0;
}

SEC("?tp_btf/sched_process_fork")
int BPF_PROG(fork__tp_btf, struct task_struct *parent, struct task_struct *child)
{
	struct rec_fork f = {};

	/* A thread is no process. */
	if (BPF_CORE_READ(child, pid) != BPF_CORE_READ(child, tgid))
		return 0;
	task_fill(&f.task, child);
	f.parent_tgid = BPF_CORE_READ(parent, tgid);
	f.parent_start_time = BPF_CORE_READ(parent, group_leader, start_boottime);
	emit(LANE_CRIT, &f, sizeof(f), KIND_fork, false);
	return 0;
}

/*
 * As wait(2) reports it. From 6.0 on, the last thread to exit marks the group as exiting with
 * its own code; should a kernel not, the leader's code is the process's.
 */
static __always_inline __u32 exit_code_of(struct task_struct *task)
{
	struct signal_struct *signal = BPF_CORE_READ(task, signal);

	if (BPF_CORE_READ(signal, flags) & SIGNAL_GROUP_EXIT)
		return BPF_CORE_READ(signal, group_exit_code);
	return BPF_CORE_READ(task, group_leader, exit_code);
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
	if (BPF_CORE_READ(task, signal, live.counter))
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
	__u32 key = 0, size;

	/* One record a process; of every thread when the first has ended before the others. */
	if (!task || (BPF_CORE_READ(task, pid) != BPF_CORE_READ(task, tgid) &&
		      BPF_CORE_READ(task, group_leader, mm)))
		return 0;
	s = bpf_map_lookup_elem(&seed_scratch, &key);
	if (!s)
		return 0;
	size = exec_fill(s, task, false);
	if (!size)
		return 0;
	barrier_var(size);
	if (size > sizeof(s->record))
		return 0;
	h = (void *)s->record;
	h->time = bpf_ktime_get_boot_ns();
	h->size = size;
	h->kind = KIND_exec;
	h->version = RECORD_VERSION;
	bpf_seq_write(ctx->meta->seq, s->record, size);
	return 0;
}
