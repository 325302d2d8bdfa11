// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * The last close of the files that file.bpf.c remembers in open_files.
 *
 * Ladder: the final fput, whatever led to it. Where fentry is refused, the calls that close: a
 * process that opened such a file, and what it forks, is known by the descriptors that it may have
 * of it; when one of those goes, the files that have no reference left are told. There, unseen: a
 * file that is still mapped, held by io_uring, or was sent over a socket when its last descriptor
 * of that process is closed; who it was sent to is not followed.
 */
#include "file.h"
#include "syscall.h"

#define EXIT_FDS	1024 /* descriptors of an exiting process that are looked at */
#define F_DUPFD		0
#define F_DUPFD_CLOEXEC 1030

static __always_inline void file_close_emit(struct file *file, const struct open_file *o)
{
	struct file_scratch *s = file_scratch_claim();
	struct rec_file_close *rec;
	struct tail t;

	if (!s)
		return;
	rec = (void *)s->record;
	task_fill(&rec->task, (struct task_struct *)bpf_get_current_task());
	inode_fill(&rec->inode, BPF_CORE_READ(file, f_inode));
	rec->written = o->written;
	rec->created = o->created;
	rec->tree = o->tree;
	rec->lineage = o->lineage;
	t = file_tail(s, sizeof(*rec));
	tail_path(&t, &s->path, &rec->path, &file->f_path);
	file_emit(s, LANE_BULK, KIND_file_close);
	file_scratch_release(s);
}

static __always_inline void file_closed(struct file *file)
{
	struct open_file *o = file_known(file);
	__u64 address = (__u64)file;

	if (!o)
		return;
	file_close_emit(file, o);
	bpf_map_delete_elem(&open_files, &address);
}

/* In the final fput, before the path is let go; another name for "the file is released". */
SEC("?fentry/locks_remove_file")
int BPF_PROG(file_close__fentry, struct file *file)
{
	file_closed(file);
	return 0;
}

/* References besides the first: none is 0, all gone is negative. */
static __always_inline long file_references(struct file *file)
{
	struct file___count *before = (void *)file;
	struct file___ref *since = (void *)file;

	if (bpf_core_field_exists(since->f_ref))
		return BPF_CORE_READ(since, f_ref.refcnt.counter);
	return BPF_CORE_READ(before, f_count.counter) - 1;
}

struct sweep {
	__u32 pad;
};

/*
 * A struct file that is released keeps its fields until it is used again. When that was at once,
 * by another CPU, its close is lost, and counted.
 */
static long sweep_step(void *map, __u64 *address, struct open_file *o, struct sweep *w)
{
	struct file *file = (struct file *)*address;

	if (!file_known(file)) {
		emit_lost(LANE_BULK);
		bpf_map_delete_elem(&open_files, address);
	} else if (file_references(file) < 0) {
		file_closed(file);
	}
	return 0;
}

static __noinline int files_sweep(void)
{
	struct sweep w = {};

	bpf_for_each_map_elem(&open_files, sweep_step, &w, 0);
	return 0;
}

/* Where `to` was, nothing is any more; it is what `from` is. */
static __always_inline void fd_copied(__u64 *fds, __u64 from, __u64 to)
{
	bool had = *fds & file_fd_bit(to);

	if (*fds & file_fd_bit(from))
		*fds |= file_fd_bit(to);
	else if (to < FD_BITS)
		*fds &= ~file_fd_bit(to);
	if (had)
		files_sweep();
}

static __always_inline void fds_closed(__u64 *fds, __u64 first, __u64 last)
{
	__u64 mask = (file_fd_bit(last) << 1) - file_fd_bit(first);

	if (!(*fds & mask))
		return;
	*fds &= ~mask | file_fd_bit(FD_BITS);
	files_sweep();
}

/* close(v), close_range(vw); dup(f), dup2(fv), dup3(fv), fcntl(fw): as the shapes have them. */
SEC("?tp_btf/sys_exit")
int BPF_PROG(file_close__sys_exit, struct pt_regs *regs, long ret)
{
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;
	__u64 *fds = bpf_map_lookup_elem(&file_holders, &tgid);
	struct syscall_shape *shape = fds && ret >= 0 ? syscall_shape(regs) : NULL;
	__u64 first, last;

	if (!shape)
		return 0;
	if (!shape->fd) {
		first = syscall_arg(regs, shape->value - 1);
		last = shape->value2 ? syscall_arg(regs, shape->value2 - 1) : first;
		fds_closed(fds, first, last);
		return 0;
	}
	if (shape->value2) {
		first = (__u32)syscall_arg(regs, shape->value2 - 1);
		if (first != F_DUPFD && first != F_DUPFD_CLOEXEC)
			return 0;
	}
	fd_copied(fds, syscall_arg(regs, shape->fd - 1), ret);
	return 0;
}

SEC("?tp_btf/sched_process_fork")
int BPF_PROG(file_close__sys_exit_fork, struct task_struct *parent, struct task_struct *child)
{
	__u32 from = BPF_CORE_READ(parent, tgid), to = BPF_CORE_READ(child, tgid);
	__u64 *fds = from == to ? NULL : bpf_map_lookup_elem(&file_holders, &from), copy;

	if (!fds)
		return 0;
	copy = *fds;
	bpf_map_update_elem(&file_holders, &to, &copy, BPF_ANY);
	return 0;
}

/* Descriptors that close on exec are closed by now. */
SEC("?tp_btf/sched_process_exec")
int BPF_PROG(file_close__sys_exit_exec, struct task_struct *task)
{
	__u32 tgid = BPF_CORE_READ(task, tgid);

	if (bpf_map_lookup_elem(&file_holders, &tgid))
		files_sweep();
	return 0;
}

struct exit_walk {
	__u32 pad;
};

static long exit_step(__u64 fd, struct exit_walk *w)
{
	struct file *file = syscall_file((long)fd);

	if (file && file_references(file) == 0)
		file_closed(file);
	return 0;
}

/* A process that ends closes what it has. */
SEC("?tp_btf/sched_process_exit")
int BPF_PROG(file_close__sys_exit_exit, struct task_struct *task)
{
	__u32 tgid = BPF_CORE_READ(task, tgid), n = BPF_CORE_READ(task, files, fdt, max_fds);
	struct exit_walk w = {};

	if (BPF_CORE_READ(task, signal, live.counter) || !bpf_map_lookup_elem(&file_holders, &tgid))
		return 0;
	bpf_map_delete_elem(&file_holders, &tgid);
	bpf_loop(n > EXIT_FDS ? EXIT_FDS : n, exit_step, &w, 0);
	return 0;
}
