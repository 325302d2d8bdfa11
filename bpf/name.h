/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Names as system calls were given them, for the last rung: what a call did to a name is over at
 * its return, and the object may be gone. There is the directory that the name begins in, a kernel
 * object, and the name in user memory, which another thread may have changed since. Which argument
 * is what comes with the call (struct syscall_shape).
 */
#pragma once

#include "file.h"
#include "syscall.h"

#define AT_FDCWD -100

/* Marks of the trees that a path is below, by its bytes. */
static __always_inline __u32 name_trees(struct file_scratch *s, const struct record_slice *path)
{
	__u32 off = path->off, len = path->len, *marks;

	barrier_var(len);
	if (len >= TREE_NAME_MAX)
		len = TREE_NAME_MAX - 1;
	barrier_var(off);
	if (off > FILE_FIXED + FILE_TAIL)
		return 0;
	__builtin_memset(&s->name, 0, sizeof(s->name));
	if (bpf_probe_read_kernel(s->name.bytes, len, s->record + off))
		return 0;
	s->name.prefixlen = 8 * (len + 1); /* with its NUL */
	marks = bpf_map_lookup_elem(&watched_name, &s->name);
	return marks ? *marks : 0;
}

static __always_inline void name_append(struct file_scratch *s, const struct tail *t,
					struct record_slice *slice, const char *name)
{
	__u32 off = tail_off(t);
	long n = bpf_probe_read_user_str(t->record + off, TAIL_PIECE, name);

	if (n < 0)
		emit_unread(s->lane, s->kind);
	if (n <= 1 || n > TAIL_PIECE)
		return;
	slice->len += n - 1;
	slice->orig += n - 1;
	*t->off = off + n - 1;
}

/* Where a name begins: the root, the working directory or that of a descriptor. */
static __always_inline struct path *name_base(int dirfd, char first)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct fs_struct *fs = PLAIN_READ(task, fs);
	struct file *dir;

	if (first == '/')
		return &fs->root;
	if (dirfd == AT_FDCWD)
		return &fs->pwd;
	dir = syscall_file(dirfd);
	return dir ? &dir->f_path : NULL;
}

/*
 * Writes a path into the record; returns the marks of the trees that hold it. An empty name, or
 * none, is the directory itself; one that is not in memory any more is not known. `used`: the
 * compiler leaves out a result that no caller looks at, and the verifier meets what is there
 * instead.
 */
static __noinline __attribute__((used)) __u32 name_fill(struct file_scratch *s,
							const struct tail *t,
							struct record_slice *slice, int dirfd,
							const char *name)
{
	struct path *base;
	char first = 0;

	if (name && bpf_probe_read_user(&first, 1, name)) {
		emit_unread(s->lane, s->kind);
		return 0;
	}
	base = name_base(dirfd, first);
	if (!base)
		return 0;
	path_fill(&s->path, base, first != '/');
	tail_walked(t, &s->path, slice);
	if (first && slice->len == 1) { /* "/": the slash comes with the name */
		slice->len = slice->orig = 0;
		*t->off -= 1;
	}
	if (first && first != '/') {
		t->record[tail_off(t)] = '/';
		*t->off += 1;
		slice->len++;
		slice->orig++;
	}
	if (first)
		name_append(s, t, slice, name);
	return s->path.marks | name_trees(s, slice);
}

/* An argument of the call by its place in the shape; `none` when it has no such. */
static __always_inline unsigned long shape_arg(struct pt_regs *regs, __u8 place, unsigned long none)
{
	return place ? syscall_arg(regs, place - 1) : none;
}

static __always_inline __u32 name_old(struct file_scratch *s, const struct tail *t,
				      struct record_slice *slice, struct pt_regs *regs,
				      const struct syscall_shape *shape)
{
	return name_fill(s, t, slice, (int)shape_arg(regs, shape->dir, AT_FDCWD),
			 (const char *)shape_arg(regs, shape->name, 0));
}

static __always_inline __u32 name_new(struct file_scratch *s, const struct tail *t,
				      struct record_slice *slice, struct pt_regs *regs,
				      const struct syscall_shape *shape)
{
	return name_fill(s, t, slice, (int)shape_arg(regs, shape->new_dir, AT_FDCWD),
			 (const char *)shape_arg(regs, shape->new_name, 0));
}
