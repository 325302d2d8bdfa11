/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Paths, walked from the dentry: bpf_d_path() is refused outside LSM and fentry. Absolute in the
 * mount namespace, whatever the caller's root or working directory; names through symlinks and
 * bind mounts come out as where the object is.
 */
#pragma once

#include "plain.h"
#include "record.h"

#define PATH_MAX       4096
#define PATH_NAMES_MAX 128 /* components; the field's norm, beyond it the head is missing */
#define PATH_DELETED   " (deleted)"

/*
 * Names are written from the end towards the front; the second half is slack for the verifier.
 * The walk's state is in map memory too: what the verifier does not track, it cannot multiply.
 */
struct path_buf {
	struct dentry *dentry;
	struct vfsmount *vfsmnt;
	__u32 pos;
	__u32 cut;
	__u8 bytes[2 * PATH_MAX];
};

struct path_ctx {
	struct path_buf *buf;
};

static __always_inline struct mount *path_mount(struct vfsmount *v)
{
	return (struct mount *)((void *)v - bpf_core_field_offset(struct mount, mnt));
}

/* One component towards the root; 1 when the root is reached. */
static long path_step(__u64 i, struct path_ctx *w)
{
	struct path_buf *b = w->buf;
	struct dentry *dentry = b->dentry, *parent = PLAIN_READ(dentry, d_parent);
	struct vfsmount *vfsmnt = b->vfsmnt;
	struct mount *mount, *mount_parent;
	const unsigned char *name;
	__u32 len, pos;

	if (dentry == PLAIN_READ(vfsmnt, mnt_root)) {
		mount = path_mount(vfsmnt);
		mount_parent = PLAIN_READ(mount, mnt_parent);
		if (mount == mount_parent) {
			b->cut = 0;
			return 1;
		}
		b->dentry = PLAIN_READ(mount, mnt_mountpoint);
		b->vfsmnt = (void *)mount_parent + bpf_core_field_offset(struct mount, mnt);
		return 0;
	}
	if (dentry == parent) /* below a directory opened by handle: the rest is not known */
		return 1;
	len = PLAIN_READ(dentry, d_name.len);
	name = PLAIN_READ(dentry, d_name.name);
	if (len > 255)
		len = 255;
	pos = b->pos;
	if (pos < len + 1)
		return 1;
	pos -= len + 1;
	b->pos = pos;
	barrier_var(pos);
	pos &= PATH_MAX - 1;
	barrier_var(len);
	len &= 255;
	b->bytes[pos] = '/';
	bpf_probe_read_kernel(&b->bytes[pos + 1], len, name);
	b->dentry = parent;
	return 0;
}

/*
 * A memfd, a pipe: in no directory and under no mount. The kernel's own name for it, as in
 * /proc/PID/exe: "/memfd:NAME (deleted)". False for any other file.
 */
static __always_inline bool path_detached(struct path_buf *b)
{
	struct dentry *dentry = b->dentry;
	struct vfsmount *vfsmnt = b->vfsmnt;
	__u32 len = PLAIN_READ(dentry, d_name.len), pos;

	if (dentry != PLAIN_READ(dentry, d_parent) || dentry == PLAIN_READ(vfsmnt, mnt_root) ||
	    len > 255)
		return false;
	pos = PATH_MAX - sizeof(PATH_DELETED) - len; /* its NUL is the slash's room */
	b->pos = pos;
	b->cut = 0;
	barrier_var(pos);
	pos &= PATH_MAX - 1;
	barrier_var(len);
	len &= 255;
	b->bytes[pos] = '/';
	bpf_probe_read_kernel(&b->bytes[pos + 1], len, PLAIN_READ(dentry, d_name.name));
	__builtin_memcpy(&b->bytes[PATH_MAX + 1 - sizeof(PATH_DELETED)], PATH_DELETED,
			 sizeof(PATH_DELETED) - 1);
	return true;
}

/* A function by itself to the verifier, which looks at it once a program, not once a path. */
__weak __noinline int path_walk(struct path_buf *buf)
{
	struct path_ctx w = {.buf = buf};

	if (!buf || path_detached(buf))
		return 0;
	bpf_loop(PATH_NAMES_MAX, path_step, &w, 0);
	if (buf->pos >= PATH_MAX) { /* the root itself */
		buf->pos = PATH_MAX - 1;
		buf->bytes[PATH_MAX - 1] = '/';
	}
	return 0;
}

/*
 * Writes the path of *p into buf: from buf->bytes + buf->pos up to PATH_MAX. Returns its length.
 * buf->cut: the head of the path is missing: it has too many bytes or components.
 */
static __always_inline __u32 path_fill(struct path_buf *buf, struct path *p)
{
	buf->pos = PATH_MAX;
	buf->cut = 1; /* until the root is reached */
	buf->dentry = PLAIN_READ(p, dentry);
	buf->vfsmnt = PLAIN_READ(p, mnt);
	path_walk(buf);
	return PATH_MAX - buf->pos;
}

static __always_inline void inode_fill(struct rec_inode *r, struct inode *inode)
{
	r->ino = PLAIN_READ(inode, i_ino);
	r->dev = PLAIN_READ(inode, i_sb, s_dev);
	r->mode = PLAIN_READ(inode, i_mode);
	r->size = PLAIN_READ(inode, i_size);
}
