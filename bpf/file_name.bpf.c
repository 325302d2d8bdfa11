// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Names that go, change and come: unlink, rename, link. By a watched lineage each is told; by
 * others those in watched trees.
 *
 * Ladder: security_inode_*() is called when the caller is allowed to, with names and objects as
 * they are before the change, by every way in; only a failing file system comes after it. It does
 * not know under which mount: security_path_*() does, a moment before. A file system that works on
 * another (overlayfs) calls the first for the lower name, too, without the second: not told.
 * Else the exit of the calls; see name.h for what that can and cannot know.
 */
#include "file.h"
#include "name.h"

#define AT_REMOVEDIR 0x200

/* What security_path_*() said last, by thread. */
struct name_op {
	struct vfsmount *mnt;
	struct dentry *dentry;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, struct name_op);
} name_ops SEC(".maps");

static __always_inline void name_op_begin(struct path *dir, struct dentry *dentry)
{
	struct name_op op = {PLAIN_READ(dir, mnt), dentry};
	__u64 thread = bpf_get_current_pid_tgid();

	bpf_map_update_elem(&name_ops, &thread, &op, BPF_ANY);
}

/* The mount that this name is under; NULL: no process asked for it by that name. */
static __always_inline struct vfsmount *name_op_end(struct dentry *dentry)
{
	__u64 thread = bpf_get_current_pid_tgid();
	struct name_op *op = bpf_map_lookup_elem(&name_ops, &thread);
	struct vfsmount *mnt;

	if (!op || op->dentry != dentry)
		return NULL;
	mnt = op->mnt;
	bpf_map_delete_elem(&name_ops, &thread);
	return mnt;
}

/* Writes a name's path into the record; returns the marks of its trees. */
static __noinline __u32 dentry_fill(struct file_scratch *s, const struct tail *t,
				    struct record_slice *slice, struct vfsmount *mnt,
				    struct dentry *dentry)
{
	struct path path = {.mnt = mnt, .dentry = dentry};

	path_fill(&s->path, &path, true);
	tail_walked(t, &s->path, slice);
	return s->path.marks;
}

static __always_inline void unlink_told(struct dentry *dentry, bool directory)
{
	struct vfsmount *mnt = name_op_end(dentry);
	struct file_scratch *s = mnt ? file_scratch_claim(LANE_BULK, KIND_file_unlink) : NULL;
	struct rec_file_unlink *rec;
	struct tail t;

	if (!s)
		return;
	rec = (void *)s->record;
	t = file_tail(s, sizeof(*rec));
	task_fill(&rec->task, bpf_get_current_task_btf());
	inode_fill(&rec->inode, PLAIN_READ(dentry, d_inode));
	rec->directory = directory;
	rec->lineage = interest_lineage();
	rec->tree = dentry_fill(s, &t, &rec->path, mnt, dentry);
	if (rec->tree || rec->lineage)
		file_emit(s, LANE_BULK, KIND_file_unlink);
	file_scratch_release(s);
}

SEC("?fentry/security_path_unlink")
int BPF_PROG(file_unlink__fentry_path, struct path *dir, struct dentry *dentry)
{
	name_op_begin(dir, dentry);
	return 0;
}

SEC("?fentry/security_path_rmdir")
int BPF_PROG(file_unlink__fentry_path_dir, struct path *dir, struct dentry *dentry)
{
	name_op_begin(dir, dentry);
	return 0;
}

SEC("?fentry/security_inode_unlink")
int BPF_PROG(file_unlink__fentry, struct inode *dir, struct dentry *dentry)
{
	unlink_told(dentry, false);
	return 0;
}

SEC("?fentry/security_inode_rmdir")
int BPF_PROG(file_unlink__fentry_dir, struct inode *dir, struct dentry *dentry)
{
	unlink_told(dentry, true);
	return 0;
}

SEC("?tp_btf/sys_exit")
int BPF_PROG(file_unlink__sys_exit, struct pt_regs *regs, long ret)
{
	struct syscall_shape *shape = ret ? NULL : syscall_shape(regs);
	struct file_scratch *s = shape ? file_scratch_claim(LANE_BULK, KIND_file_unlink) : NULL;
	struct rec_file_unlink *rec;
	struct tail t;

	if (!s)
		return 0;
	rec = (void *)s->record;
	t = file_tail(s, sizeof(*rec));
	task_fill(&rec->task, bpf_get_current_task_btf());
	rec->lineage = interest_lineage();
	rec->directory = (shape_arg(regs, shape->flags, 0) & AT_REMOVEDIR) != 0;
	rec->tree = name_old(s, &t, &rec->path, regs, shape);
	if (rec->tree || rec->lineage)
		file_emit(s, LANE_BULK, KIND_file_unlink);
	file_scratch_release(s);
	return 0;
}

/* A name that comes into a tree may be that of a file which is to be fetched. */
static __always_inline void rename_emit(struct file_scratch *s, struct rec_file_rename *rec,
					struct inode *inode)
{
	if (inode && rec->tree)
		file_is_recent(inode, rec->tree);
	if (rec->tree || rec->lineage)
		file_emit(s, LANE_BULK, KIND_file_rename);
}

SEC("?fentry/security_path_rename")
int BPF_PROG(file_rename__fentry_path, struct path *old_dir, struct dentry *old)
{
	name_op_begin(old_dir, old);
	return 0;
}

SEC("?fentry/security_inode_rename")
int BPF_PROG(file_rename__fentry, struct inode *old_dir, struct dentry *old, struct inode *new_dir,
	     struct dentry *new)
{
	struct vfsmount *mnt = name_op_end(old);
	struct file_scratch *s = mnt ? file_scratch_claim(LANE_BULK, KIND_file_rename) : NULL;
	struct inode *inode = PLAIN_READ(old, d_inode);
	struct rec_file_rename *rec;
	struct tail t;

	if (!s)
		return 0;
	rec = (void *)s->record;
	t = file_tail(s, sizeof(*rec));
	task_fill(&rec->task, bpf_get_current_task_btf());
	inode_fill(&rec->inode, inode);
	rec->lineage = interest_lineage();
	rec->tree = dentry_fill(s, &t, &rec->path, mnt, new);
	rec->tree |= dentry_fill(s, &t, &rec->old_path, mnt, old);
	rename_emit(s, rec, inode);
	file_scratch_release(s);
	return 0;
}

SEC("?tp_btf/sys_exit")
int BPF_PROG(file_rename__sys_exit, struct pt_regs *regs, long ret)
{
	struct syscall_shape *shape = ret ? NULL : syscall_shape(regs);
	struct file_scratch *s = shape ? file_scratch_claim(LANE_BULK, KIND_file_rename) : NULL;
	struct rec_file_rename *rec;
	struct tail t;

	if (!s)
		return 0;
	rec = (void *)s->record;
	t = file_tail(s, sizeof(*rec));
	task_fill(&rec->task, bpf_get_current_task_btf());
	rec->lineage = interest_lineage();
	rec->tree = name_new(s, &t, &rec->path, regs, shape);
	rec->tree |= name_old(s, &t, &rec->old_path, regs, shape);
	rename_emit(s, rec, NULL);
	file_scratch_release(s);
	return 0;
}

SEC("?fentry/security_path_link")
int BPF_PROG(file_link__fentry_path, struct dentry *old, struct path *new_dir, struct dentry *new)
{
	name_op_begin(new_dir, new);
	return 0;
}

SEC("?fentry/security_path_symlink")
int BPF_PROG(file_link__fentry_path_symbolic, struct path *dir, struct dentry *dentry)
{
	name_op_begin(dir, dentry);
	return 0;
}

static __always_inline void link_emit(struct file_scratch *s, struct rec_file_link *rec)
{
	if (rec->tree || rec->lineage)
		file_emit(s, LANE_BULK, KIND_file_link);
}

/* A hard link stays under its mount: both names are below the same. */
SEC("?fentry/security_inode_link")
int BPF_PROG(file_link__fentry, struct dentry *old, struct inode *dir, struct dentry *new)
{
	struct vfsmount *mnt = name_op_end(new);
	struct file_scratch *s = mnt ? file_scratch_claim(LANE_BULK, KIND_file_link) : NULL;
	struct rec_file_link *rec;
	struct tail t;

	if (!s)
		return 0;
	rec = (void *)s->record;
	t = file_tail(s, sizeof(*rec));
	task_fill(&rec->task, bpf_get_current_task_btf());
	inode_fill(&rec->inode, PLAIN_READ(old, d_inode));
	rec->lineage = interest_lineage();
	rec->tree = dentry_fill(s, &t, &rec->path, mnt, new);
	rec->tree |= dentry_fill(s, &t, &rec->target, mnt, old);
	link_emit(s, rec);
	file_scratch_release(s);
	return 0;
}

SEC("?fentry/security_inode_symlink")
int BPF_PROG(file_link__fentry_symbolic, struct inode *dir, struct dentry *dentry,
	     const char *target)
{
	struct vfsmount *mnt = name_op_end(dentry);
	struct file_scratch *s = mnt ? file_scratch_claim(LANE_BULK, KIND_file_link) : NULL;
	struct rec_file_link *rec;
	struct tail t;

	if (!s)
		return 0;
	rec = (void *)s->record;
	t = file_tail(s, sizeof(*rec));
	task_fill(&rec->task, bpf_get_current_task_btf());
	rec->symbolic = true;
	rec->lineage = interest_lineage();
	rec->tree = dentry_fill(s, &t, &rec->path, mnt, dentry);
	tail_string(&t, &rec->target, target, TAIL_PIECE);
	link_emit(s, rec);
	file_scratch_release(s);
	return 0;
}

/* A call without an old name makes a symbolic link, whose target is no name of a file yet. */
SEC("?tp_btf/sys_exit")
int BPF_PROG(file_link__sys_exit, struct pt_regs *regs, long ret)
{
	struct syscall_shape *shape = ret ? NULL : syscall_shape(regs);
	struct file_scratch *s = shape ? file_scratch_claim(LANE_BULK, KIND_file_link) : NULL;
	struct rec_file_link *rec;
	struct tail t;

	if (!s)
		return 0;
	rec = (void *)s->record;
	t = file_tail(s, sizeof(*rec));
	task_fill(&rec->task, bpf_get_current_task_btf());
	rec->lineage = interest_lineage();
	rec->symbolic = !shape->name;
	rec->tree = name_new(s, &t, &rec->path, regs, shape);
	rec->target.off = s->end;
	if (rec->symbolic)
		name_append(s, &t, &rec->target, (const char *)shape_arg(regs, shape->value, 0));
	else
		rec->tree |= name_old(s, &t, &rec->target, regs, shape);
	link_emit(s, rec);
	file_scratch_release(s);
	return 0;
}
