/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * System calls at their return: the last rung of the ladders, for kernels that take neither BPF
 * LSM nor fentry. One dispatcher (syscall.bpf.c) is attached for all of them; a program named
 * <event>__sys_exit is not attached but entered by call number, so that a call of no interest
 * costs one look into an array, however many events there are. Which calls an event wants is in
 * user/sensor/syscall.c.
 *
 * At the return, kernel objects tell the truth (a descriptor's file, a socket); what is read from
 * user memory may have been changed by another thread since the kernel read it.
 */
#pragma once

#include "plain.h"

#define SYSCALL_MAX 512 /* 32-bit calls on a 64-bit kernel are at SYSCALL_MAX + number */

/* A call that two events want: the program of the one leaves it to that of the other. */
#define SYSCALL_CONNECT_INET (2 * SYSCALL_MAX)
#define SYSCALL_DUP_LOW	     (2 * SYSCALL_MAX + 1)
#define SYSCALL_SEND_MARIADB (2 * SYSCALL_MAX + 2)
#define SYSCALL_RECV_MARIADB (2 * SYSCALL_MAX + 3)
/* What several events have in common: a program's code is verified for each that has it. */
#define SYSCALL_FILE_CHANGE (2 * SYSCALL_MAX + 4)
#define SYSCALL_SLOTS	    (2 * SYSCALL_MAX + 5)

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, SYSCALL_SLOTS);
	__type(key, __u32);
	__type(value, __u32);
} syscall_exits __weak SEC(".maps");

/* As user/sensor/syscall.h declares it: which argument is what, from 1; 0: none. */
struct syscall_shape {
	__u8 dir, name, new_dir, new_name;
	__u8 fd;
	__u8 value, value2;
	__u8 flags;
	__u8 aspect; /* of file_change, which the call changes */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SYSCALL_SLOTS);
	__type(key, __u32);
	__type(value, struct syscall_shape);
} syscall_shapes __weak SEC(".maps");

/* By number, in either table; in one value: what nobody wants costs one load. */
struct syscall_calls {
	__u8 wanted[SYSCALL_MAX];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct syscall_calls);
} syscall_calls __weak SEC(".maps");

/* Calls that servers make for each request, by the kernel's tables. */
#if defined(__TARGET_ARCH_x86)
#define CALL_WRITE    1
#define CALL_CLOSE    3
#define CALL_WRITEV   20
#define CALL_SENDFILE 40
#define CALL_SENDTO   44
#define CALL_RECVFROM 45
#define CALL_OPENAT   257
#define CALL_ACCEPT4  288
#else
#define CALL_OPENAT   56
#define CALL_CLOSE    57
#define CALL_WRITE    64
#define CALL_WRITEV   66
#define CALL_SENDFILE 71
#define CALL_SENDTO   206
#define CALL_RECVFROM 207
#define CALL_ACCEPT4  242
#endif

#if defined(__TARGET_ARCH_x86)
#define TS_COMPAT 2

/* Made by int 0x80 or by a 32-bit process: other numbers, other argument registers. */
static __always_inline bool syscall_compat(void)
{
	/* A pointer whose type the verifier knows: one load, where a helper would call a function.
	 */
	struct task_struct___x86 *task = (void *)bpf_get_current_task_btf();

	return task->thread_info.status & TS_COMPAT;
}

/*
 * i386 has one call for all that is done to sockets, with the arguments in user memory. It counts
 * as the call that it stands for.
 */
#define I386_SOCKETCALL 102

static __always_inline unsigned long socketcall_number(unsigned long call)
{
	switch (call) {
	case 1:
		return 359; /* socket */
	case 3:
		return 362; /* connect */
	case 4:
		return 363; /* listen */
	case 5:
	case 18:
		return 364; /* accept4 */
	default:
		return I386_SOCKETCALL;
	}
}

static __always_inline unsigned long syscall_number(struct pt_regs *regs)
{
	if (regs->orig_rax == I386_SOCKETCALL && syscall_compat())
		return socketcall_number((__u32)regs->rbx);
	return regs->orig_rax;
}

static __always_inline unsigned long socketcall_arg(struct pt_regs *regs, int n)
{
	__u32 arg = 0, *args = (__u32 *)(unsigned long)(__u32)regs->rcx;

	bpf_probe_read_user(&arg, sizeof(arg), args + n);
	return arg;
}

/* Arguments from 0; entry_64.S and entry_64_compat.S leave them in place for the return. */
static __always_inline unsigned long syscall_arg(struct pt_regs *regs, int n)
{
	bool compat = syscall_compat();

	if (compat && regs->orig_rax == I386_SOCKETCALL)
		return socketcall_arg(regs, n);
	switch (n) {
	case 0:
		return compat ? (__u32)regs->rbx : regs->rdi;
	case 1:
		return compat ? (__u32)regs->rcx : regs->rsi;
	case 2:
		return compat ? (__u32)regs->rdx : regs->rdx;
	case 3:
		return compat ? (__u32)regs->rsi : regs->r10;
	case 4:
		return compat ? (__u32)regs->rdi : regs->r8;
	default:
		return compat ? (__u32)regs->rbp : regs->r9;
	}
}
#else
static __always_inline bool syscall_compat(void)
{
	return false;
}

static __always_inline unsigned long syscall_number(struct pt_regs *regs)
{
	return ((struct user_pt_regs *)regs)->regs[8];
}

/* The first argument's register holds the result by now (arm64): it is lost. */
static __always_inline unsigned long syscall_arg(struct pt_regs *regs, int n)
{
	return ((struct user_pt_regs *)regs)->regs[n & 7];
}
#endif

/* The call's slot in the dispatcher's array. */
static __always_inline __u32 syscall_slot(struct pt_regs *regs)
{
	__u32 nr = syscall_number(regs);

	return syscall_compat() ? SYSCALL_MAX + nr : nr;
}

static __always_inline struct syscall_shape *syscall_shape(struct pt_regs *regs)
{
	__u32 slot = syscall_slot(regs);

	return bpf_map_lookup_elem(&syscall_shapes, &slot);
}

/* The file behind a descriptor of the current task, or NULL. */
static __always_inline struct file *syscall_file(long fd)
{
	struct fdtable *fdt = plain_current()->files->fdt;

	return fd < 0 || (__u64)fd >= fdt->max_fds ? NULL : plain_pointer(fdt->fd + fd);
}
