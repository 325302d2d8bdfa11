// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * The one program on the exit of every system call: enters the program that wants this call, by
 * number. One tp_btf program is taken rather than classic tracepoints of single calls: those skip
 * 32-bit callers, so a static i386 program would walk past them, and they need a mounted tracefs.
 */
#include "syscall.h"

/* By either table: which of them it is takes a helper, and most calls are in none. */
static __always_inline bool call_wanted(__u32 nr)
{
	__u32 compat = SYSCALL_MAX + nr;
	struct syscall_shape *native = bpf_map_lookup_elem(&syscall_shapes, &nr);
	struct syscall_shape *other = bpf_map_lookup_elem(&syscall_shapes, &compat);

	return (native && native->wanted) || (other && other->wanted);
}

SEC("?tp_btf/sys_exit")
int BPF_PROG(syscall_exit__dispatch, struct pt_regs *regs, long ret)
{
	unsigned long nr = syscall_number(regs);

	if (nr >= SYSCALL_MAX || !call_wanted(nr))
		return 0;
	if (syscall_compat())
		nr += SYSCALL_MAX;
	bpf_tail_call(ctx, &syscall_exits, nr);
	return 0; /* nobody wants it */
}
