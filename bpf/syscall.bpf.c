// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * The one program on the exit of every system call: enters the program that wants this call, by
 * number. One tp_btf program is taken rather than classic tracepoints of single calls: those skip
 * 32-bit callers, so a static i386 program would walk past them, and they need a mounted tracefs.
 */
#include "syscall.h"

/*
 * Enters the program of a call that is made often: the kernel makes one jump of an entry of a slot
 * that is a constant, and of another two loads and an indirect jump.
 */
static __always_inline void often_enter(void *ctx, unsigned long nr)
{
	switch (nr) {
	case CALL_WRITE:
		bpf_tail_call_static(ctx, &syscall_exits, CALL_WRITE);
		break;
	case CALL_CLOSE:
		bpf_tail_call_static(ctx, &syscall_exits, CALL_CLOSE);
		break;
	case CALL_WRITEV:
		bpf_tail_call_static(ctx, &syscall_exits, CALL_WRITEV);
		break;
	case CALL_SENDFILE:
		bpf_tail_call_static(ctx, &syscall_exits, CALL_SENDFILE);
		break;
	case CALL_SENDTO:
		bpf_tail_call_static(ctx, &syscall_exits, CALL_SENDTO);
		break;
	case CALL_RECVFROM:
		bpf_tail_call_static(ctx, &syscall_exits, CALL_RECVFROM);
		break;
	case CALL_OPENAT:
		bpf_tail_call_static(ctx, &syscall_exits, CALL_OPENAT);
		break;
	case CALL_ACCEPT4:
		bpf_tail_call_static(ctx, &syscall_exits, CALL_ACCEPT4);
		break;
	}
}

/* Of the other calls. */
static __always_inline bool call_wanted(unsigned long nr)
{
	__u32 zero = 0;
	struct syscall_calls *calls = bpf_map_lookup_elem(&syscall_calls, &zero);

	return calls && nr < SYSCALL_MAX && calls->wanted[nr];
}

SEC("?tp_btf/sys_exit")
int BPF_PROG(syscall_exit__dispatch, struct pt_regs *regs, long ret)
{
	unsigned long nr = syscall_number(regs);
	bool compat = syscall_compat();

	if (!compat)
		often_enter(ctx, nr);
	if (!call_wanted(nr))
		return 0;
	bpf_tail_call(ctx, &syscall_exits, compat ? SYSCALL_MAX + nr : nr);
	return 0; /* nobody wants it */
}
