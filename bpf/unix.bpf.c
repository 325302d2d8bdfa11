// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Connections over unix sockets, with who listens at the other end. Stream and seqpacket ones:
 * each datagram to the log daemon is of no interest.
 *
 * Ladder: the function that connects (io_uring and 32-bit calls included); where the kernel takes
 * no fentry, the exit of connect(2). That rung does not see io_uring's connect.
 */
#include "emit.h"
#include "path.h"
#include "sock.h"
#include "syscall.h"
#include "task.h"

#define SOCK_STREAM    1
#define SOCK_SEQPACKET 5
#define SUN_PATH       2   /* behind the family */
#define SUN_PATH_MAX   108 /* unix(7) */

/* A slot is claimed, as fexit programs may be preempted; see db.h. */
struct unix_scratch {
	struct path_buf path;
	__u32 busy;
	__u32 pad;
	struct rec_unix_connect rec;
	__u8 tail[PATH_MAX]; /* right behind rec */
};

#define UNIX_SCRATCH_SLOTS 16

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, UNIX_SCRATCH_SLOTS);
	__type(key, __u32);
	__type(value, struct unix_scratch);
} unix_scratches SEC(".maps");

static __always_inline struct unix_scratch *unix_scratch_claim(void)
{
	__u32 first = bpf_get_smp_processor_id();

	for (__u32 i = 0; i < UNIX_SCRATCH_SLOTS; i++) {
		__u32 key = (first + i) % UNIX_SCRATCH_SLOTS;
		struct unix_scratch *s = bpf_map_lookup_elem(&unix_scratches, &key);

		if (s && !__sync_val_compare_and_swap(&s->busy, 0, 1)) {
			__builtin_memset(&s->rec, 0, sizeof(s->rec));
			return s;
		}
	}
	return NULL;
}

/* A socket in a directory; its length in the tail. */
static __always_inline __u32 name_path(struct unix_scratch *s, struct unix_sock *peer)
{
	__u32 n, at;

	path_fill(&s->path, &peer->path, false);
	at = s->path.pos;
	n = PATH_MAX - at;
	barrier_var(at);
	at &= PATH_MAX - 1;
	if (n > PATH_MAX || bpf_probe_read_kernel(s->tail, n, s->path.bytes + at))
		n = 0;
	s->rec.path.orig = n + s->path.cut;
	return n;
}

/* An abstract one: "@" stands for its first byte, which is 0. */
static __always_inline __u32 name_abstract(struct unix_scratch *s, struct unix_address *addr)
{
	__u32 n = BPF_CORE_READ(addr, len) - SUN_PATH;

	if (!n || n > SUN_PATH_MAX || bpf_probe_read_kernel(s->tail, n, addr->name[0].sun_path))
		n = 0;
	s->tail[0] = '@';
	s->rec.path.orig = n;
	return n;
}

static __always_inline void unix_connected(struct sock *sk)
{
	struct unix_sock *peer = (struct unix_sock *)BPF_CORE_READ((struct unix_sock *)sk, peer);
	__u16 type = BPF_CORE_READ(sk, sk_type);
	struct unix_address *addr;
	struct unix_scratch *s;
	__u32 n = 0;

	if ((type != SOCK_STREAM && type != SOCK_SEQPACKET) || !peer ||
	    !emit_allowed(LANE_BULK, KIND_unix_connect))
		return;
	s = unix_scratch_claim();
	if (!s) {
		emit_lost(LANE_BULK, KIND_unix_connect);
		return;
	}
	task_fill(&s->rec.task, bpf_get_current_task_btf());
	s->rec.peer_tgid = BPF_CORE_READ(sk, sk_peer_pid, numbers[0].nr);
	s->rec.peer_uid = BPF_CORE_READ(sk, sk_peer_cred, euid.val);
	addr = BPF_CORE_READ(peer, addr);
	if (BPF_CORE_READ(peer, path.dentry))
		n = name_path(s, peer);
	else if (addr)
		n = name_abstract(s, addr);
	s->rec.path.off = sizeof(s->rec);
	s->rec.path.len = n;
	barrier_var(n);
	if (n <= PATH_MAX)
		emit_record(LANE_BULK, &s->rec, sizeof(s->rec) + n, KIND_unix_connect, false);
	__sync_val_compare_and_swap(&s->busy, 1, 0);
}

SEC("?fexit/unix_stream_connect")
int BPF_PROG(unix_connect__fexit, struct socket *socket, void *addr, int len, int flags, int ret)
{
	if (!ret)
		unix_connected(BPF_CORE_READ(socket, sk));
	return 0;
}

SEC("?tp_btf/sys_exit")
int BPF_PROG(unix_connect__sys_exit, struct pt_regs *regs, long ret)
{
	struct file *file = syscall_file((int)syscall_arg(regs, 0));
	struct sock *sk = file ? sock_of_file(file) : NULL;

	if (!sk)
		return 0;
	if (BPF_CORE_READ(sk, __sk_common.skc_family) != AF_UNIX)
		bpf_tail_call(ctx, &syscall_exits, SYSCALL_CONNECT_INET);
	else if (!ret)
		unix_connected(sk);
	return 0;
}
