// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * The last close of the files that file.bpf.c remembers in open_files.
 *
 * Ladder: the final fput, whatever led to it. Where fentry is refused, the calls that close: the
 * descriptors of such files are followed through dup, fork, exec and the process's end; when one of
 * them goes, and the file has no reference left, that was the last. There, unseen: a file that is
 * still mapped, held by io_uring, or was sent over a socket when its last descriptor is closed; who
 * it was sent to is not followed, nor are descriptors above 1023; nor a file whose descriptor
 * another thread opens anew before the exit of the close is looked at.
 */
#include <linux/io_uring.h>

#include "file.h"
#include "syscall.h"

#define F_DUPFD		0
#define F_DUPFD_CLOEXEC 1030
#define STDERR		2
#define FDS_MAX		1024 /* descriptors of a process that are looked at */

/* References besides the first: none is 0, all gone is negative. */
static __always_inline long file_references(struct file *file)
{
	struct file___count *before = (void *)file;
	struct file___ref *since = (void *)file;

	if (bpf_core_field_exists(since->f_ref))
		return PLAIN_READ(since, f_ref.refcnt.counter);
	return PLAIN_READ(before, f_count.counter) - 1;
}

/* `freed`: its memory may be another file's at any moment: what was read is good if it was not. */
static __always_inline void file_close_emit(struct file_scratch *s, struct file *file,
					    const struct open_file *o, bool freed)
{
	struct rec_file_close *rec = (void *)s->record;
	struct tail t;

	if (!emit_allowed(LANE_BULK, KIND_file_close))
		return;
	task_fill(&rec->task, bpf_get_current_task_btf());
	inode_fill(&rec->inode, PLAIN_READ(file, f_inode));
	rec->written = o->written;
	rec->created = o->created;
	rec->tree = o->tree;
	rec->lineage = o->lineage;
	t = file_tail(s, sizeof(*rec));
	tail_path(&t, &s->path, &rec->path, &file->f_path);
	if (freed && file_references(file) >= 0)
		emit_lost(LANE_BULK, KIND_file_close);
	else
		file_send(s, LANE_BULK, KIND_file_close);
}

/*
 * The place in open_files of the file that was closed last on a CPU is kept: its struct file is
 * the next that the CPU opens, and to take it out and put it in again costs more than the record.
 * The one before goes, unless another CPU has opened it by now.
 */
static __always_inline void closed_keep(struct file_scratch *s, __u64 address)
{
	__u64 before = s->closed;
	struct open_file *o;

	if (before == address)
		return;
	s->closed = address;
	o = bpf_map_lookup_elem(&open_files, &before);
	if (o && __sync_val_compare_and_swap(&o->opened, OPENED_NOT, OPENED_LEFT) == OPENED_NOT)
		bpf_map_delete_elem(&open_files, &before);
}

/* Whoever ends it tells it: several may see that it is gone. */
static __always_inline void file_closed(struct file *file, struct open_file *known, bool freed)
{
	struct open_file o = *known;
	struct file_scratch *s;

	if (o.opened <= OPENED_LEFT ||
	    __sync_val_compare_and_swap(&known->opened, o.opened, OPENED_NOT) != o.opened)
		return;
	s = file_scratch_claim(LANE_BULK, KIND_file_close);
	if (!s)
		return;
	closed_keep(s, (__u64)file);
	file_close_emit(s, file, &o, freed);
	file_scratch_release(s);
}

/* In the final fput, before the path is let go; another name for "the file is released". */
SEC("?fentry/locks_remove_file")
int BPF_PROG(file_close__fentry, struct file *file)
{
	struct open_file *o = file_known(file);

	if (o)
		file_closed(file, o, false);
	return 0;
}

/* What a descriptor was, and is no more: the last one? */
static __always_inline void fd_file_gone(const struct fd_file *f)
{
	struct open_file *o = bpf_map_lookup_elem(&open_files, &f->address);
	struct file *file = (struct file *)f->address;

	if (o && o->opened == f->opened && file_references(file) < 0)
		file_closed(file, o, true);
}

/* To the verifier by itself, as path_walk() is. */
__noinline int fd_gone(__u32 tgid, __u32 fd)
{
	struct fd_key key = {tgid, fd};
	struct fd_file *f = bpf_map_lookup_elem(&fd_files, &key), copy;

	if (!f || !f->opened)
		return 0;
	copy = *f;
	f->opened = 0;
	fd_file_gone(&copy);
	return 0;
}

struct fd_walk {
	struct file_holder *holder;
	__u64 all;	/* its bits, as they were */
	__u32 tgid, to; /* to: the child */
	__u32 first, last;
};

static long close_step(__u64 i, struct fd_walk *w)
{
	__u32 fd = w->first + i;

	if (fd > w->last)
		return 1;
	if (!(w->all & file_fd_bit(fd)))
		return 0;
	if (fd < FD_BITS)
		__sync_fetch_and_and(&w->holder->fds, ~file_fd_bit(fd));
	fd_gone(w->tgid, fd);
	return 0;
}

static __always_inline void fds_closed(struct file_holder *h, __u32 tgid, __u32 first, __u32 last)
{
	struct fd_walk w = {h, h->fds, tgid, 0, first, last};

	bpf_loop(last > first ? FDS_MAX : 1, close_step, &w, 0);
}

/* Where `to` was, nothing is any more; it is what `from` is. */
static __always_inline void fd_copied(struct file_holder *h, __u32 tgid, __u32 from, __u32 to)
{
	struct fd_key key = {tgid, from};
	struct fd_file *f;

	if (from == to)
		return;
	if (h->fds & file_fd_bit(to))
		fds_closed(h, tgid, to, to);
	f = h->fds & file_fd_bit(from) ? bpf_map_lookup_elem(&fd_files, &key) : NULL;
	if (f && f->opened)
		file_held(tgid, to, f);
}

/* close(v), close_range(vw); dup(f), dup2(fv), dup3(fv), fcntl(fw): as the shapes have them. */
static __always_inline bool call_copies(struct pt_regs *regs, struct syscall_shape *shape, long ret)
{
	__u32 command = shape->value2 ? syscall_arg(regs, shape->value2 - 1) : F_DUPFD;

	return shape->fd && (command == F_DUPFD || command == F_DUPFD_CLOEXEC) &&
	       (__u32)syscall_arg(regs, shape->fd - 1) != (__u32)ret;
}

static __always_inline void call_closes(struct pt_regs *regs, struct syscall_shape *shape,
					struct file_holder *h, __u32 tgid)
{
	__u32 first = syscall_arg(regs, shape->value - 1);
	__u32 last = shape->value2 ? syscall_arg(regs, shape->value2 - 1) : first;

	fds_closed(h, tgid, first, last);
}

SEC("?tp_btf/sys_exit")
int BPF_PROG(file_close__sys_exit, struct pt_regs *regs, long ret)
{
	struct syscall_shape *shape = ret >= 0 ? syscall_shape(regs) : NULL;
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;
	struct file_holder *h;
	bool holds, low;

	if (!shape)
		return 0;
	h = bpf_map_lookup_elem(&file_holders, &tgid);
	holds = h && h->fds;
	low = shape->fd && ret <= STDERR && interest_lineage();
	if (!holds && !low)
		return 0;
	if (holds && !shape->fd)
		call_closes(regs, shape, h, tgid);
	if (!call_copies(regs, shape, ret))
		return 0;
	if (holds)
		fd_copied(h, tgid, syscall_arg(regs, shape->fd - 1), ret);
	if (low)
		bpf_tail_call(ctx, &syscall_exits, SYSCALL_DUP_LOW);
	return 0;
}

SEC("?tp_btf/io_uring_complete")
int BPF_PROG(file_close__beside_sys_exit, void *ring, struct io_kiocb *req)
{
	__u32 tgid = bpf_get_current_pid_tgid() >> 32, fd;
	struct file_holder *h = bpf_map_lookup_elem(&file_holders, &tgid);

	if (!h || !h->fds || PLAIN_READ(req, opcode) != IORING_OP_CLOSE ||
	    PLAIN_READ(req, cqe.res) < 0)
		return 0;
	fd = PLAIN_READ((struct io_close *)req, fd);
	fds_closed(h, tgid, fd, fd);
	return 0;
}

/* Few have more than the bits can tell. */
static __always_inline __u32 fds_end(__u64 fds)
{
	return fds >> FD_BITS ? FDS_MAX : FD_BITS;
}

static long fork_step(__u64 fd, struct fd_walk *w)
{
	struct fd_key key = {w->tgid, fd};
	struct fd_file *f = w->all & file_fd_bit(fd) ? bpf_map_lookup_elem(&fd_files, &key) : NULL;

	if (f && f->opened)
		file_held(w->to, fd, f);
	return 0;
}

SEC("?tp_btf/sched_process_fork")
int BPF_PROG(file_close__sys_exit_fork, struct task_struct *parent, struct task_struct *child)
{
	__u32 from = PLAIN_READ(parent, tgid), to = PLAIN_READ(child, tgid);
	struct file_holder *h = from == to ? NULL : bpf_map_lookup_elem(&file_holders, &from);
	struct fd_walk w = {.holder = h, .tgid = from, .to = to};

	if (!h || !h->fds)
		return 0;
	w.all = h->fds;
	bpf_loop(fds_end(w.all), fork_step, &w, 0);
	return 0;
}

/* A descriptor that is not what it was: closed on exec. */
static long exec_step(__u64 fd, struct fd_walk *w)
{
	struct fd_key key = {w->tgid, fd};
	struct fd_file *f = w->all & file_fd_bit(fd) ? bpf_map_lookup_elem(&fd_files, &key) : NULL;

	if (!f || !f->opened || (__u64)syscall_file((long)fd) == f->address)
		return 0;
	if (fd < FD_BITS)
		__sync_fetch_and_and(&w->holder->fds, ~file_fd_bit(fd));
	fd_gone(w->tgid, fd);
	return 0;
}

SEC("?tp_btf/sched_process_exec")
int BPF_PROG(file_close__sys_exit_exec, struct task_struct *task)
{
	__u32 tgid = PLAIN_READ(task, tgid);
	struct file_holder *h = bpf_map_lookup_elem(&file_holders, &tgid);
	struct fd_walk w = {.holder = h, .tgid = tgid};

	if (!h || !h->fds)
		return 0;
	w.all = h->fds;
	bpf_loop(fds_end(w.all), exec_step, &w, 0);
	return 0;
}

/* Still open: without another reference it closes now. */
static long exit_step(__u64 fd, struct fd_walk *w)
{
	struct fd_key key = {w->tgid, fd};
	struct fd_file *f = w->all & file_fd_bit(fd) ? bpf_map_lookup_elem(&fd_files, &key) : NULL;
	struct open_file *o;
	struct file *file;

	if (!f)
		return 0;
	file = (struct file *)f->address;
	o = f->opened ? bpf_map_lookup_elem(&open_files, &f->address) : NULL;
	if (o && o->opened == f->opened && syscall_file((long)fd) == file &&
	    file_references(file) == 0)
		file_closed(file, o, false);
	bpf_map_delete_elem(&fd_files, &key);
	return 0;
}

/* A process that ends closes what it has. */
SEC("?tp_btf/sched_process_exit")
int BPF_PROG(file_close__sys_exit_exit, struct task_struct *task)
{
	__u32 tgid = PLAIN_READ(task, tgid);
	struct fd_walk w = {.tgid = tgid};
	struct file_holder *h;

	if (PLAIN_READ(task, signal, live.counter))
		return 0;
	h = bpf_map_lookup_elem(&file_holders, &tgid);
	if (!h)
		return 0;
	w.all = h->kept;
	bpf_loop(fds_end(w.all), exit_step, &w, 0);
	bpf_map_delete_elem(&file_holders, &tgid);
	return 0;
}
