// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * First writes to the files that file.bpf.c remembers in open_files, and how many bytes since.
 *
 * Bytes are what write calls returned, for the open file (the struct file), so a descriptor that
 * was duplicated, inherited or sent over a socket counts on. Not counted: mmap and io_uring;
 * the final size in file_close has them, too. Beside them, of the same calls: writes into the pipes
 * of pipe.h, files that are sent (file_send.h), and writes to /proc/sys. Ladder: the kernel's
 * functions for them, 32-bit calls included; else the exit of the calls.
 */
#include "file.h"
#include "file_send.h"
#include "pipe.h"
#include "syscall.h"

/* What a file begins with tells what it is, whatever its name says. */
#define HEAD_MAX 16

#define S_IFREG 0100000

/* `from`: where the bytes were, in the caller's memory; NULL: not known. */
static __always_inline void file_head(struct file_scratch *s, const struct tail *t,
				      struct record_slice *head, const void *from, __u32 n,
				      __u32 max)
{
	__u32 off = tail_off(t);

	head->off = off;
	head->orig = n;
	barrier_var(n);
	if (n > max)
		n = max;
	if (!from)
		return;
	if (bpf_probe_read_user(t->record + off, n, from)) {
		emit_unread(s->lane, s->kind);
		return;
	}
	head->len = n;
	*t->off = off + n;
}

static __always_inline void file_write_emit(struct file *file, const void *from, long bytes,
					    const struct open_file *o)
{
	struct rec_file_write *rec;
	struct file_scratch *s;
	struct tail t;

	if (!emit_allowed(LANE_BULK, KIND_file_write))
		return;
	s = file_scratch_claim(LANE_BULK, KIND_file_write);
	if (!s)
		return;
	rec = (void *)s->record;
	task_fill(&rec->task, bpf_get_current_task_btf());
	inode_fill(&rec->inode, PLAIN_READ(file, f_inode));
	rec->written = bytes;
	rec->tree = o->tree;
	rec->lineage = o->lineage;
	t = file_tail(s, sizeof(*rec));
	tail_path(&t, &s->path, &rec->path, &file->f_path);
	file_head(s, &t, &rec->head, from, bytes < HEAD_MAX ? bytes : HEAD_MAX, HEAD_MAX);
	file_send(s, LANE_BULK, KIND_file_write);
	file_scratch_release(s);
}

static __always_inline void file_written(struct file *file, const void *from, long bytes)
{
	struct open_file *o;

	if (bytes <= 0 || !file)
		return;
	o = file_known(file);
	if (!o || __sync_fetch_and_add(&o->written, bytes))
		return;
	file_is_recent(PLAIN_READ(file, f_inode), o->tree);
	file_write_emit(file, from, bytes, o);
}

#define SYSCTL_DEPTH 10
#define SYSCTL_VALUE 256

/* Is it below the directory "sys" of a proc file system? */
static __always_inline bool file_is_sysctl(struct file *file)
{
	struct dentry *dentry = PLAIN_READ(file, f_path.dentry), *parent;
	char name[4] = {};

	if (PLAIN_READ(file, f_inode, i_sb, s_magic) != PROC_SUPER_MAGIC)
		return false;
	for (int i = 0; i < SYSCTL_DEPTH; i++) {
		parent = PLAIN_READ(dentry, d_parent);
		if (parent == PLAIN_READ(parent, d_parent))
			break;
		dentry = parent;
	}
	bpf_probe_read_kernel(name, 3, PLAIN_READ(dentry, d_name.name));
	return PLAIN_READ(dentry, d_name.len) == 3 && name[0] == 's' && name[1] == 'y' &&
	       name[2] == 's';
}

static __always_inline void sysctl_written(struct file *file, const void *from, long bytes)
{
	struct file_scratch *s;
	struct rec_sysctl *rec;
	struct tail t;
	char last = 0;

	if (from && bpf_probe_read_user(&last, 1, from + bytes - 1) == 0 && last == '\n')
		bytes--;
	s = file_scratch_claim(LANE_CRIT, KIND_sysctl);
	if (!s)
		return;
	rec = (void *)s->record;
	t = file_tail(s, sizeof(*rec));
	task_fill(&rec->task, bpf_get_current_task_btf());
	tail_path(&t, &s->path, &rec->path, &file->f_path);
	file_head(s, &t, &rec->value, from, bytes, SYSCTL_VALUE);
	file_emit(s, LANE_CRIT, KIND_sysctl);
	file_scratch_release(s);
}

struct iovec {
	const void *base;
	__u64 len;
};

/* Where the first of its pieces begins; an empty one tells nothing. */
static __always_inline const void *iovec_base(const struct iovec *user)
{
	struct iovec v = {};

	if (bpf_probe_read_user(&v, sizeof(v), user) || v.len < HEAD_MAX)
		return NULL;
	return v.base;
}

SEC("?fexit/vfs_write")
int BPF_PROG(file_write__fexit, struct file *file, const char *buf, __u64 count, void *pos,
	     long ret)
{
	file_written(file, buf, ret);
	pipe_written(file, ret);
	if (ret > 0 && file_is_sysctl(file))
		sysctl_written(file, buf, ret);
	return 0;
}

SEC("?fexit/vfs_writev")
int BPF_PROG(file_write__fexit_vector, struct file *file, const struct iovec *v, unsigned long n,
	     void *pos, int flags, long ret)
{
	file_written(file, iovec_base(v), ret);
	pipe_written(file, ret);
	return 0;
}

SEC("?fexit/do_splice")
int BPF_PROG(file_write__fexit_splice, struct file *in, void *from, struct file *out, void *to,
	     __u64 n, __u32 flags, long ret)
{
	file_written(out, NULL, ret);
	pipe_written(out, ret);
	return 0;
}

/* Threads in vfs_copy_file_range(), which may do its work by do_splice_direct(): counted once. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, __u32);
} file_copies SEC(".maps");

/* sendfile */
SEC("?fexit/do_splice_direct")
int BPF_PROG(file_write__fexit_direct, struct file *in, void *from, struct file *out, void *to,
	     __u64 n, __u32 flags, long ret)
{
	__u64 thread = bpf_get_current_pid_tgid();

	file_sent(in, out, ret);
	if (!bpf_map_lookup_elem(&file_copies, &thread))
		file_written(out, NULL, ret);
	return 0;
}

SEC("?fentry/vfs_copy_file_range")
int BPF_PROG(file_write__fexit_copying)
{
	__u64 thread = bpf_get_current_pid_tgid();
	__u32 one = 1;

	bpf_map_update_elem(&file_copies, &thread, &one, BPF_ANY);
	return 0;
}

SEC("?fexit/vfs_copy_file_range")
int BPF_PROG(file_write__fexit_copy, struct file *in, long long from, struct file *out,
	     long long to, __u64 n, __u32 flags, long ret)
{
	__u64 thread = bpf_get_current_pid_tgid();

	bpf_map_delete_elem(&file_copies, &thread);
	file_written(out, NULL, ret);
	return 0;
}

/* Where the bytes were that a call wrote, in the caller's memory. */
static __always_inline const void *call_from(struct pt_regs *regs, struct syscall_shape *shape)
{
	if (shape->value)
		return (const void *)syscall_arg(regs, shape->value - 1);
	if (shape->value2 && !syscall_compat())
		return iovec_base((const struct iovec *)syscall_arg(regs, shape->value2 - 1));
	return NULL;
}

/* Every write of this host comes here: first whether it is of interest, then what it was. */
SEC("?tp_btf/sys_exit")
int BPF_PROG(file_write__sys_exit, struct pt_regs *regs, long ret)
{
	struct syscall_shape *shape = ret > 0 ? syscall_shape(regs) : NULL;
	struct file *file;
	__u32 type;

	if (!shape || !shape->fd)
		return 0;
	file = syscall_file((int)syscall_arg(regs, shape->fd - 1));
	if (!file)
		return 0;
	if (interest_watched && shape->dir)
		file_sent(syscall_file((int)syscall_arg(regs, shape->dir - 1)), file, ret);
	type = PLAIN_READ(file, f_inode, i_mode) & S_IFMT;
	if (type == S_IFIFO)
		pipe_written(file, ret);
	if (type != S_IFREG) /* most: sockets */
		return 0;
	if (file_known(file))
		file_written(file, call_from(regs, shape), ret);
	if (file_is_sysctl(file))
		sysctl_written(file, call_from(regs, shape), ret);
	return 0;
}
