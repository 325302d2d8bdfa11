// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Processes: exec, fork, exit, and those that run already. Everything else is attributed with
 * what these say, so they are in the crit lane and wake the consumer.
 */
#include "emit.h"
#include "path.h"
#include "task.h"

#define ARGS_MAX 4096
#define TAIL_MAX (2 * PATH_MAX + ARGS_MAX + 256)

/* Tracepoint programs run with preemption off, so one per CPU is safe here. */
struct process_scratch {
	struct path_buf path;
	__u32 off; /* where the next piece of the tail goes */
	__u32 pad;
	__u8 record[sizeof(struct rec_exec) + TAIL_MAX + PATH_MAX];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct process_scratch);
} process_scratches SEC(".maps");

/* The tail's end, clamped so that a piece of PATH_MAX bytes fits behind it. */
static __always_inline __u32 tail_off(struct process_scratch *s)
{
	__u32 off = s->off;

	barrier_var(off);
	return off > sizeof(struct rec_exec) + TAIL_MAX ? sizeof(struct rec_exec) + TAIL_MAX : off;
}

static __always_inline void tail_kernel(struct process_scratch *s, struct record_slice *slice,
					const void *src, __u32 n, __u32 orig)
{
	__u32 off = tail_off(s);

	slice->off = off;
	slice->orig = orig;
	if (n > PATH_MAX)
		n = PATH_MAX;
	if (bpf_probe_read_kernel(s->record + off, n, src))
		return;
	slice->len = n;
	s->off = off + n;
}

static __always_inline void tail_path(struct process_scratch *s, struct record_slice *slice,
				      struct path *p)
{
	__u32 n = path_fill(&s->path, p), at = s->path.pos;

	barrier_var(at);
	at &= PATH_MAX - 1;
	tail_kernel(s, slice, s->path.bytes + at, n, n + s->path.cut);
}

/* A NUL-ended kernel string. */
static __always_inline void tail_string(struct process_scratch *s, struct record_slice *slice,
					const char *src)
{
	__u32 off = tail_off(s);
	long n = bpf_probe_read_kernel_str(s->record + off, 128, src);

	slice->off = off;
	if (n <= 1 || n > 128)
		return;
	slice->len = slice->orig = n - 1;
	s->off = off + n - 1;
}

static __always_inline void tail_args(struct process_scratch *s, struct record_slice *slice,
				      struct mm_struct *mm, bool current_task)
{
	unsigned long from = BPF_CORE_READ(mm, arg_start), end = BPF_CORE_READ(mm, arg_end);
	__u32 n = end > from ? end - from : 0, off = tail_off(s);

	slice->off = off;
	slice->orig = n;
	if (n > ARGS_MAX)
		n = ARGS_MAX;
	/* Another task's arguments are in another address space: user space reads them. */
	if (!current_task || bpf_probe_read_user(s->record + off, n, (void *)from))
		return;
	slice->len = n;
	s->off = off + n;
}

/* The whole Exec record of a task; its size, or 0 for a kernel thread. */
static __always_inline __u32 exec_fill(struct process_scratch *s, struct task_struct *task,
				       bool current_task)
{
	struct rec_exec *e = (void *)s->record;
	struct mm_struct *mm = BPF_CORE_READ(task, mm);
	struct file *exe = mm ? BPF_CORE_READ(mm, exe_file) : NULL;
	struct fs_struct *fs = BPF_CORE_READ(task, fs);
	struct cgroup *cgroup = BPF_CORE_READ(task, cgroups, dfl_cgrp);

	if (!exe)
		return 0;
	s->off = sizeof(*e);
	__builtin_memset(e, 0, sizeof(*e));
	task_fill(&e->task, task);
	inode_fill(&e->exe_inode, BPF_CORE_READ(exe, f_inode));
	e->exe_nlink = BPF_CORE_READ(exe, f_inode, i_nlink);
	e->sid = BPF_CORE_READ(task, signal, pids[3], numbers[0].nr);
	e->cgroup_id = BPF_CORE_READ(cgroup, kn, id);
	tail_path(s, &e->exe, &exe->f_path);
	tail_args(s, &e->args, mm, current_task);
	if (fs)
		tail_path(s, &e->cwd, &fs->pwd);
	else
		e->cwd.off = s->off;
	tail_string(s, &e->comm, (const char *)task->comm);
	tail_string(s, &e->cgroup, BPF_CORE_READ(cgroup, kn, name));
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
	if (size && size <= sizeof(s->record))
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

SEC("?tp_btf/sched_process_exit")
int BPF_PROG(exit__tp_btf, struct task_struct *task)
{
	struct rec_exit e = {};

	/* do_exit() decrements signal->live before this tracepoint: 0 for the last thread. */
	if (BPF_CORE_READ(task, signal, live.counter))
		return 0;
	task_fill(&e.task, task);
	e.exit_code = BPF_CORE_READ(task, exit_code);
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

	if (!task || BPF_CORE_READ(task, pid) != BPF_CORE_READ(task, tgid))
		return 0;
	s = bpf_map_lookup_elem(&process_scratches, &key);
	if (!s)
		return 0;
	size = exec_fill(s, task, false);
	if (!size || size > sizeof(s->record))
		return 0;
	h = (void *)s->record;
	h->time = bpf_ktime_get_boot_ns();
	h->size = size;
	h->kind = KIND_exec;
	h->version = RECORD_VERSION;
	bpf_seq_write(ctx->meta->seq, s->record, size);
	return 0;
}
