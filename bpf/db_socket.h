/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What a database server sends and receives in clear, at the return of send(2) and recv(2): bytes
 * count when the kernel took or gave them. Costs a session no breakpoint, and everybody else five
 * loads and a bit.
 */
#pragma once

#include "plain.h"

#define MSG_PEEK 2

/* Bit i: a server's executable has an inode number that ends in i. Whoever runs none passes on. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} db_exe_bits __weak SEC(".maps");

static __always_inline struct inode *db_exe_inode(void)
{
	struct mm_struct *mm = plain_current()->mm;
	struct file *exe = mm ? mm->exe_file : NULL;

	return exe ? exe->f_inode : NULL;
}

/* Constant time, no call: everybody's send(2) comes here. */
static __always_inline bool db_exe_may(struct inode *inode)
{
	__u32 zero = 0;
	__u64 *bits = bpf_map_lookup_elem(&db_exe_bits, &zero);

	return bits && inode && *bits >> (inode->i_ino & 63) & 1;
}

/* `task` runs a server. */
static __always_inline void db_exe_mark(struct task_struct *task)
{
	__u32 zero = 0;
	__u64 *bits = bpf_map_lookup_elem(&db_exe_bits, &zero);
	struct inode *inode = BPF_CORE_READ(task, mm, exe_file, f_inode);

	if (bits && inode)
		__sync_fetch_and_or(bits, 1ull << (BPF_CORE_READ(inode, i_ino) & 63));
}

/* Known servers by process; user space adds, their exit removes. */
struct db_server {
	__u32 system; /* enum rec_system */
	__u32 binary; /* of db_binaries */
	__u32 marked; /* its executable is: the process was there */
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, struct db_server);
} db_servers __weak SEC(".maps");

/* Is the current process itself such a server? A backend of PostgreSQL is not: its parent is. */
static __always_inline bool db_server_is(__u32 system)
{
	__u32 tgid = bpf_get_current_task_btf()->tgid;
	struct db_server *server = bpf_map_lookup_elem(&db_servers, &tgid);

	return server && server->system == system;
}

/* The socket behind a descriptor that the current task has just sent to or received from. */
static __always_inline struct sock *db_socket(int fd)
{
	struct fdtable *fdt = plain_current()->files->fdt;
	struct file *file;
	struct socket *socket;

	if (fd < 0 || (__u32)fd >= fdt->max_fds)
		return NULL;
	file = plain_pointer(fdt->fd + fd);
	socket = PLAIN_READ(file, private_data);
	/* To the verifier a number: each type that it knows is a path of its own through what
	 * follows. */
	return BPF_CORE_READ(socket, sk);
}
