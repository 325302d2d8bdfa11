// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Who touches what is guarded: signals, memory, BPF objects. Root can do all that; it cannot do it
 * unseen.
 *
 * Ladders: a tracepoint for signals; the security hooks, which have the objects, for the rest; else
 * the exit of the calls. There, ptrace(2) is told when it succeeded, and an id of bpf(2) is read
 * from the caller's memory.
 */
#include "guard.h"
#include "syscall.h"

#define SIGHUP	  1
#define SIGQUIT	  3
#define SIGABRT	  6
#define SIGKILL	  9
#define SIGTERM	  15
#define SIGCONT	  18
#define SIGSTOP	  19
#define SIGTSTP	  20
#define SI_USER	  0
#define SI_KERNEL 128

/* A server's own processes wake each other by signals all day; these end, stop or continue it. */
static __always_inline bool signal_matters(__u32 guarded, int sig)
{
	if (guarded == Guarded_sensor)
		return true;
	return sig == SIGKILL || sig == SIGSTOP || sig == SIGTSTP || sig == SIGCONT ||
	       sig == SIGTERM || sig == SIGQUIT || sig == SIGABRT;
}

/* The kernel's own, by address: nothing (a process sent it), itself. */
static __always_inline int signal_code(struct kernel_siginfo *info)
{
	if ((unsigned long)info <= 1)
		return info ? SI_KERNEL : SI_USER;
	return BPF_CORE_READ(info, si_code);
}

SEC("?tp_btf/signal_generate")
int BPF_PROG(signal__tp_btf, int sig, struct kernel_siginfo *info, struct task_struct *task)
{
	struct rec_signal rec = {};
	__u32 guarded = guard_of(task);

	if (!guarded || guard_own() == guarded || !signal_matters(guarded, sig))
		return 0;
	task_fill(&rec.task, (struct task_struct *)bpf_get_current_task());
	rec.target_tgid = BPF_CORE_READ(task, tgid);
	rec.target = guarded;
	rec.number = sig;
	rec.code = signal_code(info);
	emit(LANE_CRIT, &rec, sizeof(rec), KIND_signal, true);
	return 0;
}

#define PTRACE_MODE_ATTACH 2
#define PTRACE_ATTACH	   16
#define PTRACE_SEIZE	   0x4206

SEC("?lsm/ptrace_access_check")
int BPF_PROG(process_access__lsm, struct task_struct *child, unsigned int mode, int ret)
{
	if (!ret && mode & PTRACE_MODE_ATTACH)
		accessed(child);
	return ret;
}

SEC("?fentry/security_ptrace_access_check")
int BPF_PROG(process_access__fentry, struct task_struct *child, unsigned int mode)
{
	if (mode & PTRACE_MODE_ATTACH)
		accessed(child);
	return 0;
}

#define PID_FS_MAGIC 0x50494446

/* By number, as the caller's pid namespace counts; a thread's is good as well. Since 6.14. */
extern struct task_struct *bpf_task_from_vpid(__s32 vpid) __ksym __weak;
extern void bpf_task_release(struct task_struct *task) __ksym __weak;

static __always_inline void accessed_pidfd(struct file *file)
{
	struct task_struct *target;

	if (!file || BPF_CORE_READ(file, f_inode, i_sb, s_magic) != PID_FS_MAGIC)
		return;
	target = guard_task((struct pid *)BPF_CORE_READ(file, f_inode, i_private));
	if (target)
		accessed(target);
}

/*
 * ptrace(vw): request and process; process_vm_readv(w), process_vm_writev(w): process;
 * pidfd_getfd(f).
 */
SEC("?tp_btf/sys_exit")
int BPF_PROG(process_access__sys_exit, struct pt_regs *regs, long ret)
{
	struct syscall_shape *shape = ret < 0 ? NULL : syscall_shape(regs);
	struct task_struct *target;
	unsigned long request;

	if (!shape)
		return 0;
	if (shape->fd)
		accessed_pidfd(syscall_file(syscall_arg(regs, shape->fd - 1)));
	if (shape->value) {
		request = syscall_arg(regs, shape->value - 1);
		if (request != PTRACE_ATTACH && request != PTRACE_SEIZE)
			return 0;
	}
	target = shape->value2 ? bpf_task_from_vpid(syscall_arg(regs, shape->value2 - 1)) : NULL;
	if (!target)
		return 0;
	accessed(target);
	bpf_task_release(target);
	return 0;
}

static __always_inline void object_accessed(__u32 object, __u32 id, __u32 error)
{
	struct guarded_object_key key = {object, id};
	struct rec_bpf_access rec = {};

	if (!bpf_map_lookup_elem(&guarded_object, &key) || guard_own() == Guarded_sensor)
		return;
	task_fill(&rec.task, (struct task_struct *)bpf_get_current_task());
	rec.object = object;
	rec.object_id = id;
	rec.error = error;
	emit(LANE_CRIT, &rec, sizeof(rec), KIND_bpf_access, true);
}

/* The commands that open an object by its id, and what it is. */
static __always_inline __u32 object_of(__u32 command)
{
	switch (command) {
	case BPF_MAP_GET_FD_BY_ID:
		return BpfObject_map;
	case BPF_PROG_GET_FD_BY_ID:
		return BpfObject_program;
	case BPF_LINK_GET_FD_BY_ID:
		return BpfObject_link;
	default:
		return 0;
	}
}

/* The kernel's own copy of the attributes; the id is what all three begin with. */
SEC("?lsm/bpf")
int BPF_PROG(bpf_access__lsm, int command, union bpf_attr *attr, unsigned int size)
{
	__u32 object = object_of(command), id = 0;

	if (object && bpf_probe_read_kernel(&id, sizeof(id), attr) == 0)
		object_accessed(object, id, 0);
	return 0;
}

SEC("?fentry/security_bpf")
int BPF_PROG(bpf_access__fentry, int command, union bpf_attr *attr)
{
	__u32 object = object_of(command), id = 0;

	if (object && bpf_probe_read_kernel(&id, sizeof(id), attr) == 0)
		object_accessed(object, id, 0);
	return 0;
}

/* Of what the call opened, by the new descriptor: the caller cannot change that afterwards. */
static __always_inline __u32 object_opened(__u32 object, struct file *file)
{
	void *data = BPF_CORE_READ(file, private_data);
	struct bpf_prog *prog = data;
	struct bpf_link *link = data;
	struct bpf_map *map = data;

	switch (object) {
	case BpfObject_map:
		return BPF_CORE_READ(map, id);
	case BpfObject_program:
		return BPF_CORE_READ(prog, aux, id);
	default:
		return BPF_CORE_READ(link, id);
	}
}

/* bpf(vw): command, attributes. Of a refused call the id is read from the caller's memory. */
SEC("?tp_btf/sys_exit")
int BPF_PROG(bpf_access__sys_exit, struct pt_regs *regs, long ret)
{
	struct syscall_shape *shape = syscall_shape(regs);
	struct file *file = ret < 0 ? NULL : syscall_file(ret);
	__u32 object, id = 0;

	if (!shape || !shape->value || !shape->value2)
		return 0;
	object = object_of((__u32)syscall_arg(regs, shape->value - 1));
	if (!object)
		return 0;
	if (file)
		id = object_opened(object, file);
	else
		bpf_probe_read_user(&id, sizeof(id), (void *)syscall_arg(regs, shape->value2 - 1));
	object_accessed(object, id, ret < 0 ? -ret : 0);
	return 0;
}

/* A number that is free again guards nobody. */
SEC("?tp_btf/sched_process_exit")
int BPF_PROG(guard_exit__tp_btf, struct task_struct *task)
{
	__u32 tgid = BPF_CORE_READ(task, tgid);

	if (!BPF_CORE_READ(task, signal, live.counter))
		bpf_map_delete_elem(&guarded_task, &tgid);
	return 0;
}
