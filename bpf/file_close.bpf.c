// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * The last close of the files that file.bpf.c remembers in open_files.
 *
 * Ladder: the final fput, whatever led to it. Where fentry is refused, the calls that close: the
 * descriptors of such files are followed through dup, fork, exec and the process's end; when one of
 * them goes, and the file has no reference left, that was the last. There, unseen: a file that is
 * still mapped, held by io_uring, or was sent over a socket when its last descriptor is closed; who
 * it was sent to is not followed, nor are descriptors above 1023; nor a file of two processes that
 * end at the same moment.
 */
#include <linux/io_uring.h>

#include "fd_file.h"
#include "syscall.h"

#define F_DUPFD		0
#define F_DUPFD_CLOEXEC 1030
#define STDERR		2
#define FDS_MAX		1024 /* descriptors of a process that are looked at */

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

/*
 * A descriptor is not what it was: if that was the last one, it is told. 1: it is open, by another
 * descriptor, or in a call to close it that another processor has not ended. To the verifier by
 * itself, as path_walk() is.
 */
__noinline int fd_use_left(__u64 address, __u64 opened)
{
	struct fd_use use = {address, opened};
	struct open_file *o = fd_use_open(&use);
	struct file *file = (struct file *)address;

	if (!o)
		return 0;
	if (file_references(file) >= 0 && file_is(file, o))
		return 1;
	file_closed(file, o, true);
	return 0;
}

/* As fd_use_left(): of what the descriptor was, when another exit put what it is in its place. */
static __always_inline int fd_was_left(struct fd_file *f)
{
	struct fd_use was = fd_use_read(&f->was);

	if (!was.opened)
		return 0;
	if (fd_use_left(was.address, was.opened))
		return 1;
	__sync_val_compare_and_swap(&f->was.opened, was.opened, 0);
	return 0;
}

/* 1: there is a close to be looked at yet. It is left alone when it was opened since. */
__noinline int fd_gone(__u32 tgid, __u32 fd)
{
	struct fd_key key = {tgid, fd};
	struct fd_file *f = bpf_map_lookup_elem(&fd_files, &key);
	struct fd_use is;
	int left;

	if (!f)
		return 0;
	left = fd_was_left(f);
	is = fd_use_read(&f->is);
	if (!is.opened)
		return left;
	if ((__u64)syscall_file((long)fd) == is.address)
		return 1;
	if (__sync_val_compare_and_swap(&f->is.opened, is.opened, 0) != is.opened ||
	    !fd_use_left(is.address, is.opened))
		return left;
	fd_was(f, &is);
	return 1;
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
	if (fd_gone(w->tgid, fd))
		__sync_fetch_and_or(&w->holder->fds, file_fd_bit(fd));
	return 0;
}

/* Those of a range that are no more what they were. */
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
	if (f && f->is.opened)
		fd_held(tgid, to, &f->is);
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

	if (f && f->is.opened)
		fd_held(w->to, fd, &f->is);
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

/* Those that are closed on exec. */
SEC("?tp_btf/sched_process_exec")
int BPF_PROG(file_close__sys_exit_exec, struct task_struct *task)
{
	__u32 tgid = PLAIN_READ(task, tgid);
	struct file_holder *h = bpf_map_lookup_elem(&file_holders, &tgid);

	if (h && h->fds)
		fds_closed(h, tgid, 0, fds_end(h->fds) - 1);
	return 0;
}

/* Of the process that ends, so many of its descriptors were this file, this one included. */
static __always_inline __u32 exit_left(struct open_file *o, __u32 tgid)
{
	if (o->leaver != tgid) {
		o->leaver = tgid;
		o->left = 0;
	}
	return ++o->left;
}

/* Still open: when the process has no other reference, and nobody else has one, it closes now. */
static long exit_step(__u64 fd, struct fd_walk *w)
{
	struct fd_key key = {w->tgid, fd};
	struct fd_file *f = w->all & file_fd_bit(fd) ? bpf_map_lookup_elem(&fd_files, &key) : NULL;
	struct open_file *o;
	struct file *file;

	if (!f)
		return 0;
	file = (struct file *)f->is.address;
	o = f->is.opened ? fd_use_open(&f->is) : NULL;
	if (o && syscall_file((long)fd) == file && file_references(file) < exit_left(o, w->tgid))
		file_closed(file, o, false);
	fd_was_left(f);
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
