// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Mounts, whoever makes or removes them: one of a directory over another hides what is below, or
 * shows a tree under a name that nobody watches. They are few.
 *
 * Ladder: the kernel's functions, with their objects; else the exit of the calls (name.h).
 */
#include "file.h"
#include "name.h"

static __always_inline struct rec_mount *mount_begin(struct file_scratch *s, struct tail *ret_tail)
{
	struct rec_mount *rec = (void *)s->record;

	*ret_tail = file_tail(s, sizeof(*rec));
	task_fill(&rec->task, bpf_get_current_task_btf());
	return rec;
}

SEC("?fexit/path_mount")
int BPF_PROG(mount__fexit, const char *source, struct path *path, const char *type,
	     unsigned long flags, void *data, int ret)
{
	struct file_scratch *s = ret ? NULL : file_scratch_claim(LANE_BULK, KIND_mount);
	struct rec_mount *rec;
	struct tail t;

	if (!s)
		return 0;
	rec = mount_begin(s, &t);
	rec->flags = flags;
	if (source)
		tail_string(&t, &rec->source, source, TAIL_PIECE);
	tail_path(&t, &s->path, &rec->path, path);
	if (type)
		tail_string(&t, &rec->type, type, 256);
	file_emit(s, LANE_BULK, KIND_mount);
	file_scratch_release(s);
	return 0;
}

/* The newer calls put a mount, made before, into its place. */
SEC("?fentry/security_move_mount")
int BPF_PROG(mount__fexit_move, struct path *from, struct path *to)
{
	struct file_scratch *s = file_scratch_claim(LANE_BULK, KIND_mount);
	struct rec_mount *rec;
	struct tail t;

	if (!s)
		return 0;
	rec = mount_begin(s, &t);
	tail_path(&t, &s->path, &rec->source, from);
	tail_path(&t, &s->path, &rec->path, to);
	file_emit(s, LANE_BULK, KIND_mount);
	file_scratch_release(s);
	return 0;
}

/* Before it is gone: afterwards nothing tells where it was. */
SEC("?fentry/security_sb_umount")
int BPF_PROG(mount__fexit_remove, struct vfsmount *mnt, int flags)
{
	struct path path = {.mnt = mnt, .dentry = PLAIN_READ(mnt, mnt_root)};
	struct file_scratch *s = file_scratch_claim(LANE_BULK, KIND_mount);
	struct rec_mount *rec;
	struct tail t;

	if (!s)
		return 0;
	rec = mount_begin(s, &t);
	rec->unmount = true;
	rec->flags = flags;
	tail_path(&t, &s->path, &rec->path, &path);
	file_emit(s, LANE_BULK, KIND_mount);
	file_scratch_release(s);
	return 0;
}

/* mount: source and type are strings; move_mount: a new name; umount2: neither. */
SEC("?tp_btf/sys_exit")
int BPF_PROG(mount__sys_exit, struct pt_regs *regs, long ret)
{
	struct syscall_shape *shape = ret ? NULL : syscall_shape(regs);
	struct file_scratch *s = shape ? file_scratch_claim(LANE_BULK, KIND_mount) : NULL;
	struct rec_mount *rec;
	struct tail t;

	if (!s)
		return 0;
	rec = mount_begin(s, &t);
	rec->unmount = !shape->value && !shape->new_name;
	rec->flags = shape_arg(regs, shape->flags, 0);
	if (shape->new_name) {
		name_old(s, &t, &rec->source, regs, shape);
		name_new(s, &t, &rec->path, regs, shape);
	} else {
		name_old(s, &t, &rec->path, regs, shape);
		rec->source.off = s->end;
		name_append(s, &t, &rec->source, (const char *)shape_arg(regs, shape->value, 0));
		rec->type.off = s->end;
		name_append(s, &t, &rec->type, (const char *)shape_arg(regs, shape->value2, 0));
	}
	file_emit(s, LANE_BULK, KIND_mount);
	file_scratch_release(s);
	return 0;
}
