/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What a descriptor of a task is, from its file and not from its name. A shell whose input and
 * output are one socket is somebody's remote shell: exec tells of descriptors 0, 1 and 2.
 */
#pragma once

#include "sock.h"
#include "task.h"

#define S_IFIFO 0010000
#define S_IFCHR 0020000
#define S_IFREG 0100000

#define RDEV(major, minor) ((major) << 20 | (minor))
#define RDEV_MAJOR(rdev)   ((rdev) >> 20)

/* Virtual and serial terminals, pseudo terminals, those of ARM, USB and hypervisors. */
static __always_inline bool rdev_is_tty(__u32 rdev)
{
	__u32 major = RDEV_MAJOR(rdev);

	return major == 4 || major == 5 || (major >= 136 && major <= 143) || major == 188 ||
	       major == 204 || major == 229;
}

static __always_inline __u32 fd_kind(struct inode *inode)
{
	__u32 rdev;

	switch (PLAIN_READ(inode, i_mode) & S_IFMT) {
	case S_IFREG:
		return FdKind_fd_file;
	case S_IFIFO:
		return FdKind_fd_pipe;
	case S_IFSOCK:
		return FdKind_fd_socket;
	case S_IFCHR:
		rdev = PLAIN_READ(inode, i_rdev);
		if (rdev == RDEV(1, 3))
			return FdKind_fd_null;
		return rdev_is_tty(rdev) ? FdKind_fd_tty : FdKind_fd_other;
	default:
		return FdKind_fd_other;
	}
}

/*
 * Leaves *s zeroed when it is closed: no file. To the verifier by itself, as path_walk() is, which
 * takes numbers and memory, and no kernel pointer.
 */
__noinline int fd_fill(struct rec_stdio *s, __u64 address)
{
	struct file *file = (struct file *)address;
	struct inode *inode = file ? PLAIN_READ(file, f_inode) : NULL;
	struct sock *sk;
	__u16 family;

	if (!s || !inode)
		return 0;
	s->kind = fd_kind(inode);
	s->ino = PLAIN_READ(inode, i_ino);
	sk = sock_of_file(file);
	if (!sk)
		return 0;
	family = PLAIN_READ(sk, __sk_common.skc_family);
	if (family == AF_UNIX || family == AF_INET || family == AF_INET6)
		sock_fill(&s->socket, sk);
	else
		s->socket.family = family;
	return 0;
}
