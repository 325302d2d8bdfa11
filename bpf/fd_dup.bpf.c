// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * A socket becomes standard input, output or error of a watched lineage.
 *
 * Ladder: the kernel's functions that put a file into a descriptor, whatever the call (dup, fcntl,
 * socket and accept after a close, descriptors that are received); else the exit of dup, dup2, dup3
 * and fcntl, which file_close.bpf.c wants, too, and leaves to this one.
 */
#include "conn.h"
#include "interest.h"
#include "syscall.h"

#define STDERR 2

struct dup_rec {
	struct rec_fd_dup rec;
	struct endpoint_pair pair;
};

static __noinline int dup_tell(struct file *file, __u32 fd, __u32 lineage)
{
	struct sock *sk = sock_of_file(file);
	struct rec_socket socket = {};
	struct dup_rec r = {};
	__u16 family;

	if (!sk)
		return 0;
	family = PLAIN_READ(sk, __sk_common.skc_family);
	task_fill(&r.rec.task, bpf_get_current_task_btf());
	r.rec.ino = PLAIN_READ(file, f_inode, i_ino);
	r.rec.fd = fd;
	r.rec.family = family;
	r.rec.lineage = lineage;
	if (family == AF_UNIX || family == AF_INET || family == AF_INET6) {
		sock_fill(&socket, sk);
		r.rec.peer_tgid = socket.peer_tgid;
	}
	if (family == AF_INET || family == AF_INET6)
		conn_ends(sk, &r.rec.local, &r.rec.remote, &r.pair, sizeof(r.rec));
	emit(LANE_BULK, &r, sizeof(r), KIND_fd_dup, false);
	return 0;
}

static __always_inline void fd_became(struct file *file, __u64 fd)
{
	__u32 lineage = file && fd <= STDERR ? interest_lineage() : 0;

	if (lineage)
		dup_tell(file, fd, lineage);
}

SEC("?fentry/fd_install")
int BPF_PROG(fd_dup__fentry, unsigned int fd, struct file *file)
{
	fd_became(file, fd);
	return 0;
}

SEC("?fentry/do_dup2")
int BPF_PROG(fd_dup__fentry_dup2, struct files_struct *files, struct file *file, unsigned int fd)
{
	fd_became(file, fd);
	return 0;
}

/* Entered by file_close__sys_exit, for what a call did copy. */
SEC("?tp_btf/sys_exit")
int BPF_PROG(fd_dup__sys_exit, struct pt_regs *regs, long ret)
{
	fd_became(syscall_file(ret), ret);
	return 0;
}
