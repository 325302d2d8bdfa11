// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * What is changed about a file, other than by writing to it: permissions, owner, times, size,
 * extended attributes. By a watched lineage each is told; by others those in watched trees.
 *
 * Ladder: the kernel's functions for them, which have the object and the result, by every way in;
 * else the exit of the calls; see name.h for what that can and cannot know.
 */
#include "file.h"
#include "name.h"

#define ATTR_OPEN (1 << 15) /* cut by open(O_TRUNC): file_open says so */
#define NSEC	  1000000000ull

static __always_inline __u64 inode_mtime(struct inode *inode)
{
	struct inode___6_1 *old = (void *)inode;

	if (bpf_core_field_exists(old->i_mtime))
		return PLAIN_READ(old, i_mtime.tv_sec) * NSEC + PLAIN_READ(old, i_mtime.tv_nsec);
	return PLAIN_READ(inode, i_mtime_sec) * NSEC + PLAIN_READ(inode, i_mtime_nsec);
}

/* A record with what is the same in all; `value` and `value2` are the aspect's. */
static __always_inline void change_begin(struct rec_file_change *rec, __u32 aspect, __u64 value,
					 __u64 value2)
{
	rec->aspect = aspect;
	rec->lineage = interest_lineage();
	if (aspect == FileAspect_mode)
		rec->mode = value & 07777;
	if (aspect == FileAspect_size)
		rec->size = value;
	if (aspect == FileAspect_owner) {
		rec->uid = value;
		rec->gid = value2;
	}
}

static __always_inline bool change_wanted(struct rec_file_change *rec)
{
	if (!(rec->tree || rec->lineage) || !emit_allowed(LANE_BULK, KIND_file_change))
		return false;
	task_fill(&rec->task, bpf_get_current_task_btf());
	return true;
}

/* What is known of an object behind a path, once it is changed; false: it is not to be told. */
static __always_inline bool change_object(struct file_scratch *s, const struct tail *t,
					  struct rec_file_change *rec, struct path *path)
{
	struct inode *inode;

	path_fill(&s->path, path, true);
	rec->tree = s->path.marks;
	if (!change_wanted(rec))
		return false;
	inode = PLAIN_READ(path, dentry, d_inode);
	inode_fill(&rec->inode, inode);
	if (rec->aspect == FileAspect_times)
		rec->mtime = inode_mtime(inode);
	tail_walked(t, &s->path, &rec->path);
	return true;
}

static __noinline int changed(struct path *path, __u32 aspect, __u64 value, __u64 value2,
			      const char *xattr)
{
	struct file_scratch *s = file_scratch_claim(LANE_BULK, KIND_file_change);
	struct rec_file_change *rec;
	struct tail t;

	if (!s)
		return 0;
	rec = (void *)s->record;
	t = file_tail(s, sizeof(*rec));
	change_begin(rec, aspect, value, value2);
	if (change_object(s, &t, rec, path)) {
		if (xattr)
			tail_string(&t, &rec->name, xattr, 256);
		file_send(s, LANE_BULK, KIND_file_change);
	}
	file_scratch_release(s);
	return 0;
}

SEC("?fexit/chmod_common")
int BPF_PROG(file_mode__fexit, struct path *path, __u16 mode, int ret)
{
	if (!ret)
		changed(path, FileAspect_mode, mode, 0, NULL);
	return 0;
}

SEC("?fexit/chown_common")
int BPF_PROG(file_owner__fexit, struct path *path, __u32 uid, __u32 gid, int ret)
{
	if (!ret)
		changed(path, FileAspect_owner, uid, gid, NULL);
	return 0;
}

SEC("?fexit/vfs_utimes")
int BPF_PROG(file_times__fexit, struct path *path, void *times, int ret)
{
	if (!ret)
		changed(path, FileAspect_times, 0, 0, NULL);
	return 0;
}

SEC("?fexit/vfs_truncate")
int BPF_PROG(file_size__fexit, struct path *path, long long length, long ret)
{
	if (!ret)
		changed(path, FileAspect_size, length, 0, NULL);
	return 0;
}

/* ftruncate, of a descriptor; truncate comes here without a file. */
SEC("?fexit/do_truncate")
int BPF_PROG(file_size__fexit_file, void *idmap, struct dentry *dentry, long long length,
	     unsigned int attributes, struct file *file, int ret)
{
	if (!ret && file && !(attributes & ATTR_OPEN))
		changed(&file->f_path, FileAspect_size, length, 0, NULL);
	return 0;
}

/*
 * No function has an attribute's name and the path. Whoever changes something under a mount takes
 * hold of it first: the last that a thread did, when it is of the file's file system.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, struct vfsmount *);
} written_mounts SEC(".maps");

static __always_inline void mount_taken(struct vfsmount *mnt)
{
	__u64 thread = bpf_get_current_pid_tgid();

	bpf_map_update_elem(&written_mounts, &thread, &mnt, BPF_ANY);
}

SEC("?fentry/mnt_want_write")
int BPF_PROG(file_xattr__fexit_mount, struct vfsmount *mnt)
{
	mount_taken(mnt);
	return 0;
}

SEC("?fentry/mnt_want_write_file")
int BPF_PROG(file_xattr__fexit_mount_file, struct file *file)
{
	mount_taken(PLAIN_READ(file, f_path.mnt));
	return 0;
}

static __always_inline void xattr_changed(struct dentry *dentry, const char *name)
{
	__u64 thread = bpf_get_current_pid_tgid();
	struct vfsmount **mnt = bpf_map_lookup_elem(&written_mounts, &thread);
	struct path path = {.dentry = dentry};

	if (!mnt || PLAIN_READ(*mnt, mnt_sb) != PLAIN_READ(dentry, d_sb))
		return; /* of a file system below another: its own caller is told */
	path.mnt = *mnt;
	changed(&path, FileAspect_xattr, 0, 0, name);
}

SEC("?fexit/vfs_setxattr")
int BPF_PROG(file_xattr__fexit, void *idmap, struct dentry *dentry, const char *name, void *value,
	     __u64 size, int flags, int ret)
{
	if (!ret)
		xattr_changed(dentry, name);
	return 0;
}

SEC("?fexit/vfs_removexattr")
int BPF_PROG(file_xattr__fexit_remove, void *idmap, struct dentry *dentry, const char *name,
	     int ret)
{
	if (!ret)
		xattr_changed(dentry, name);
	return 0;
}

/* A descriptor, or a name; utimensat(2) takes a descriptor and no name, too. */
static __always_inline bool change_target(struct file_scratch *s, const struct tail *t,
					  struct rec_file_change *rec, struct pt_regs *regs,
					  const struct syscall_shape *shape)
{
	bool named = shape->name && syscall_arg(regs, shape->name - 1);
	struct file *file;

	if (named) {
		rec->tree = name_old(s, t, &rec->path, regs, shape);
		return change_wanted(rec);
	}
	file = syscall_file((int)shape_arg(regs, shape->fd ? shape->fd : shape->dir, AT_FDCWD));
	return file && change_object(s, t, rec, &file->f_path);
}

SEC("?tp_btf/sys_exit")
int BPF_PROG(file_change__dispatch, struct pt_regs *regs, long ret)
{
	struct syscall_shape *shape = syscall_shape(regs);
	struct file_scratch *s = shape ? file_scratch_claim(LANE_BULK, KIND_file_change) : NULL;
	struct rec_file_change *rec;
	struct tail t;

	if (!s)
		return 0;
	rec = (void *)s->record;
	t = file_tail(s, sizeof(*rec));
	change_begin(rec, shape->aspect, shape_arg(regs, shape->value, 0),
		     shape_arg(regs, shape->value2, 0));
	if (change_target(s, &t, rec, regs, shape)) {
		rec->name.off = s->end;
		if (shape->aspect == FileAspect_xattr)
			name_append(s, &t, &rec->name,
				    (const char *)shape_arg(regs, shape->value, 0));
		file_send(s, LANE_BULK, KIND_file_change);
	}
	file_scratch_release(s);
	return 0;
}

/* A call that failed changed nothing. */
static __always_inline int call_changed(void *ctx, long ret)
{
	if (!ret)
		bpf_tail_call(ctx, &syscall_exits, SYSCALL_FILE_CHANGE);
	return 0;
}

SEC("?tp_btf/sys_exit")
int BPF_PROG(file_mode__sys_exit, struct pt_regs *regs, long ret)
{
	return call_changed(ctx, ret);
}

SEC("?tp_btf/sys_exit")
int BPF_PROG(file_owner__sys_exit, struct pt_regs *regs, long ret)
{
	return call_changed(ctx, ret);
}

SEC("?tp_btf/sys_exit")
int BPF_PROG(file_times__sys_exit, struct pt_regs *regs, long ret)
{
	return call_changed(ctx, ret);
}

SEC("?tp_btf/sys_exit")
int BPF_PROG(file_size__sys_exit, struct pt_regs *regs, long ret)
{
	return call_changed(ctx, ret);
}

SEC("?tp_btf/sys_exit")
int BPF_PROG(file_xattr__sys_exit, struct pt_regs *regs, long ret)
{
	return call_changed(ctx, ret);
}
