// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * First writes to the files that file.bpf.c remembers in open_files, and how many bytes since.
 *
 * Bytes are what write calls returned, for the open file (the struct file), so a descriptor that
 * was duplicated, inherited or sent over a socket counts on. Not counted: mmap and io_uring;
 * the final size in file_close has them, too. Ladder: the kernel's functions for them, 32-bit calls
 * included; else the exit of the calls.
 */
#include "file.h"
#include "syscall.h"

static __always_inline void file_write_emit(struct file *file, long bytes,
					    const struct open_file *o)
{
	struct file_scratch *s = file_scratch_claim();
	struct rec_file_write *rec;
	struct tail t;

	if (!s)
		return;
	rec = (void *)s->record;
	task_fill(&rec->task, (struct task_struct *)bpf_get_current_task());
	inode_fill(&rec->inode, BPF_CORE_READ(file, f_inode));
	rec->written = bytes;
	rec->tree = o->tree;
	rec->lineage = o->lineage;
	t = file_tail(s, sizeof(*rec));
	tail_path(&t, &s->path, &rec->path, &file->f_path);
	file_emit(s, LANE_BULK, KIND_file_write);
	file_scratch_release(s);
}

static __always_inline void file_written(struct file *file, long bytes)
{
	struct open_file *o;

	if (bytes <= 0 || !file)
		return;
	o = file_known(file);
	if (!o || __sync_fetch_and_add(&o->written, bytes))
		return;
	bpf_map_update_elem(&recent_files, &o->inode, &o->tree, BPF_ANY);
	file_write_emit(file, bytes, o);
}

SEC("?fexit/vfs_write")
int BPF_PROG(file_write__fexit, struct file *file, const char *buf, __u64 count, void *pos,
	     long ret)
{
	file_written(file, ret);
	return 0;
}

SEC("?fexit/vfs_writev")
int BPF_PROG(file_write__fexit_vector, struct file *file, void *vec, unsigned long n, void *pos,
	     int flags, long ret)
{
	file_written(file, ret);
	return 0;
}

SEC("?fexit/do_splice")
int BPF_PROG(file_write__fexit_splice, struct file *in, void *from, struct file *out, void *to,
	     __u64 n, __u32 flags, long ret)
{
	file_written(out, ret);
	return 0;
}

/* sendfile */
SEC("?fexit/do_splice_direct")
int BPF_PROG(file_write__fexit_direct, struct file *in, void *from, struct file *out, void *to,
	     __u64 n, __u32 flags, long ret)
{
	file_written(out, ret);
	return 0;
}

SEC("?fexit/vfs_copy_file_range")
int BPF_PROG(file_write__fexit_copy, struct file *in, long long from, struct file *out,
	     long long to, __u64 n, __u32 flags, long ret)
{
	file_written(out, ret);
	return 0;
}

SEC("?tp_btf/sys_exit")
int BPF_PROG(file_write__sys_exit, struct pt_regs *regs, long ret)
{
	struct syscall_shape *shape = ret > 0 ? syscall_shape(regs) : NULL;

	if (shape && shape->fd)
		file_written(syscall_file((int)syscall_arg(regs, shape->fd - 1)), ret);
	return 0;
}
