/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What a database server sends and receives in clear, at the return of send(2) and recv(2): bytes
 * count when the kernel took or gave them. Costs a session no breakpoint, and everybody else one
 * look-up.
 */
#pragma once

#include "kernel.h"

#define MSG_PEEK 2

/* Known servers by process; user space adds, their exit removes. */
struct db_server {
	__u32 system; /* enum rec_system */
	__u32 binary; /* of db_binaries */
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, struct db_server);
} db_servers __weak SEC(".maps");

static __always_inline struct db_server *db_server_current(void)
{
	__u32 tgid = bpf_get_current_task_btf()->tgid;

	return bpf_map_lookup_elem(&db_servers, &tgid);
}

/* The socket behind a descriptor that the current task has just sent to or received from. */
static __always_inline struct sock *db_socket(int fd)
{
	struct fdtable *fdt = bpf_get_current_task_btf()->files->fdt;
	struct file *file = NULL;
	struct socket *socket;

	if (fd < 0 || (__u32)fd >= fdt->max_fds)
		return NULL;
	bpf_probe_read_kernel(&file, sizeof(file), fdt->fd + fd);
	socket = BPF_CORE_READ(file, private_data);
	return BPF_CORE_READ(socket, sk);
}
