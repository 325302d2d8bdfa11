/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Paths, walked from the dentry: bpf_d_path() is refused outside LSM and fentry. Absolute in the
 * mount namespace, whatever the caller's root or working directory; names through symlinks and
 * bind mounts come out as where the object is.
 */
#pragma once

#include "interest.h"
#include "plain.h"
#include "record.h"

#define PATH_MAX       4096
#define PATH_NAMES_MAX 128 /* components; the field's norm, beyond it the head is missing */
#define PATH_DELETED   " (deleted)"
#define PATH_WORD      8  /* bytes of a name that are copied at once */
#define PATH_BEFORE    32 /* of the longest name that is copied so */
#define PATH_BEHIND    256

/*
 * Names are written from the end towards the front: what is before the first byte is for the words
 * of a name, what is behind the last for the longest name, as the verifier sees it; and it wants
 * PATH_MAX bytes of the same map's value behind all this.
 * The walk's state is in map memory too: what the verifier does not track, it cannot multiply. It
 * is near the end of a path and the begin of a record: a page that a system call has not touched
 * yet costs as much as the copy of a path.
 */
struct path_buf {
	__u8 before[PATH_BEFORE];
	__u8 bytes[PATH_MAX + PATH_BEHIND];
	struct dentry *begin; /* of the object */
	struct vfsmount *begin_mnt;
	struct dentry *dentry;
	struct vfsmount *vfsmnt;
	__u32 pos;
	__u32 cut;
	__u32 dev;   /* of all below this mount */
	__u32 marks; /* of the trees that hold the object */
	__u16 looks; /* for trees */
	__u16 full;  /* no name is written any more: the way up goes on for the marks */
	__u32 bound; /* a mount was left that does not show the root of its disk */
};

struct path_ctx {
	struct path_buf *buf;
};

static __always_inline struct mount *path_mount(struct vfsmount *v)
{
	return (struct mount *)((void *)v - bpf_core_field_offset(struct mount, mnt));
}

static __always_inline void path_enter(struct path_buf *b, struct dentry *dentry,
				       struct vfsmount *vfsmnt)
{
	b->dentry = dentry;
	b->vfsmnt = vfsmnt;
	b->dev = PLAIN_READ(vfsmnt, mnt_sb, s_dev);
}

/* From the root of a mount to its mount point; 1: it is the root of all. */
static __always_inline long path_leave(struct path_buf *b, bool disk_root)
{
	struct mount *mount = path_mount(b->vfsmnt), *above = PLAIN_READ(mount, mnt_parent);

	if (!disk_root && b->looks)
		b->bound = 1;
	if (mount == above) {
		b->cut = b->full;
		return 1;
	}
	path_enter(b, PLAIN_READ(mount, mnt_mountpoint),
		   (void *)above + bpf_core_field_offset(struct mount, mnt));
	return 0;
}

/* The words of a name, from its end; with what is before it, when it is shorter. */
static __always_inline void path_words(struct path_buf *b, __u32 end, const unsigned char *name_end,
				       int words)
{
	for (int i = 1; i <= words; i++)
		*(void **)(b->before + PATH_BEFORE + end - i * PATH_WORD) =
			plain_pointer(name_end - i * PATH_WORD);
}

/*
 * A name behind its slash at `pos`, both masked. A short one by words, for a helper that copies
 * costs more than all else of a component; what they have before the name, which is kernel memory
 * too, is where the next component is written.
 */
static __always_inline void path_name(struct path_buf *b, __u32 pos, const unsigned char *name,
				      __u32 len)
{
	if (!PLAIN_KNOWN() || len > PATH_BEFORE)
		bpf_probe_read_kernel(&b->bytes[pos + 1], len, name);
	else if (len <= PATH_BEFORE / 2)
		path_words(b, pos + 1 + len, name + len, PATH_BEFORE / PATH_WORD / 2);
	else
		path_words(b, pos + 1 + len, name + len, PATH_BEFORE / PATH_WORD);
	b->bytes[pos] = '/';
}

static __always_inline void path_add(struct path_buf *b, struct dentry *dentry)
{
	const unsigned char *name = PLAIN_READ(dentry, d_name.name);
	__u32 len = PLAIN_READ(dentry, d_name.len), pos = b->pos;

	if (len > 255)
		len = 255;
	if (pos < len + 1)
		b->full = 1;
	if (b->full)
		return;
	pos -= len + 1;
	b->pos = pos;
	barrier_var(pos);
	pos &= PATH_MAX - 1;
	barrier_var(len);
	len &= 255;
	path_name(b, pos, name, len);
}

/* Of a file that is watched itself, or one of the directories that hold it. */
static __always_inline void path_look(struct path_buf *b, struct dentry *dentry)
{
	struct inode_key key = {.dev = b->dev};

	if (!interest_watched || !b->looks)
		return;
	key.ino = PLAIN_READ(dentry, d_inode, i_ino);
	b->marks |= tree_marks(&key);
}

/* One component towards the root; 1 when the root is reached. */
static long path_step(__u64 i, struct path_ctx *w)
{
	struct path_buf *b = w->buf;
	struct dentry *dentry = b->dentry, *parent = PLAIN_READ(dentry, d_parent);

	path_look(b, dentry);
	if (dentry == PLAIN_READ(b->vfsmnt, mnt_root))
		return path_leave(b, dentry == parent);
	if (dentry == parent) /* below a directory opened by handle: the rest is not known */
		return 1;
	path_add(b, dentry);
	b->dentry = parent;
	return 0;
}

/* One directory towards the root of the disk. */
static long path_disk_step(__u64 i, struct path_ctx *w)
{
	struct path_buf *b = w->buf;
	struct dentry *dentry = b->dentry, *parent = PLAIN_READ(dentry, d_parent);

	path_look(b, dentry);
	b->dentry = parent;
	return dentry == parent;
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

/*
 * Both ways up: a bind mount puts a directory into a tree by its mount point, and takes one out of
 * a tree by another name. A function by itself to the verifier, which looks at it once a program,
 * not once a path.
 */
__weak __noinline int path_walk(struct path_buf *buf)
{
	struct path_ctx w = {.buf = buf};

	if (!buf)
		return 0;
	path_enter(buf, buf->begin, buf->begin_mnt);
	if (path_detached(buf)) {
		path_look(buf, buf->dentry);
		return 0;
	}
	bpf_loop(PATH_NAMES_MAX, path_step, &w, 0);
	if (buf->pos >= PATH_MAX) { /* the root itself */
		buf->pos = PATH_MAX - 1;
		buf->bytes[PATH_MAX - 1] = '/';
	}
	if (buf->bound) {
		path_enter(buf, buf->begin, buf->begin_mnt);
		bpf_loop(PATH_NAMES_MAX, path_disk_step, &w, 0);
	}
	return 0;
}

/*
 * Writes the path of *p into buf: from buf->bytes + buf->pos up to PATH_MAX; buf->marks, when it
 * `looks` for trees. buf->cut: the head of the path is missing: it has too many bytes or
 * components.
 */
static __always_inline void path_fill(struct path_buf *buf, struct path *p, bool looks)
{
	buf->pos = PATH_MAX;
	buf->cut = 1; /* until the root is reached */
	buf->marks = 0;
	buf->looks = looks;
	buf->full = 0;
	buf->bound = 0;
	buf->begin = PLAIN_READ(p, dentry);
	buf->begin_mnt = PLAIN_READ(p, mnt);
	path_walk(buf);
}

static __always_inline void inode_fill(struct rec_inode *r, struct inode *inode)
{
	r->ino = PLAIN_READ(inode, i_ino);
	r->dev = PLAIN_READ(inode, i_sb, s_dev);
	r->mode = PLAIN_READ(inode, i_mode);
	r->size = PLAIN_READ(inode, i_size);
}
