// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Raw and packet sockets: they see what is for others, and forge what TCP and UDP would not send.
 *
 * Ladder: the security hook after a socket's creation (io_uring and 32-bit calls included); where
 * the kernel takes neither BPF LSM nor fentry, the exit of socket(2). That rung does not see
 * sockets that io_uring makes.
 */
#include "emit.h"
#include "sock.h"
#include "syscall.h"
#include "task.h"

#define AF_PACKET 17
#define AF_XDP	  44
#define SOCK_RAW  3

/* Netlink sockets are "raw" too, and of no interest. */
static __always_inline void created(int family, int type, int protocol)
{
	struct rec_raw_socket r = {};

	if (family != AF_PACKET && family != AF_XDP &&
	    ((family != AF_INET && family != AF_INET6) || type != SOCK_RAW))
		return;
	task_fill(&r.task, bpf_get_current_task_btf());
	r.family = family;
	r.type = type;
	r.protocol = family == AF_PACKET ? bpf_ntohs(protocol) : protocol;
	emit(LANE_BULK, &r, sizeof(r), KIND_raw_socket, false);
}

SEC("?lsm/socket_post_create")
int BPF_PROG(raw_socket__lsm, struct socket *socket, int family, int type, int protocol, int kern,
	     int ret)
{
	if (!ret && !kern)
		created(family, type, protocol);
	return ret;
}

SEC("?fentry/security_socket_post_create")
int BPF_PROG(raw_socket__fentry, struct socket *socket, int family, int type, int protocol,
	     int kern)
{
	if (!kern)
		created(family, type, protocol);
	return 0;
}

SEC("?tp_btf/sys_exit")
int BPF_PROG(raw_socket__sys_exit, struct pt_regs *regs, long ret)
{
	struct file *file = syscall_file(ret);
	struct sock *sk = file ? sock_of_file(file) : NULL;

	if (sk)
		created(BPF_CORE_READ(sk, __sk_common.skc_family), BPF_CORE_READ(sk, sk_type),
			syscall_arg(regs, 2));
	return 0;
}
