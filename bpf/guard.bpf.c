// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Who touches what is guarded: signals, memory, BPF objects. Root can do all that; it cannot do it
 * unseen.
 *
 * Ladders: a tracepoint for signals; the security hooks, which have the objects, for the rest; else
 * the exit of the calls. There, ptrace(2) is told when it succeeded, and what bpf(2) changes is
 * looked for by arguments in the caller's memory.
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
	return PLAIN_READ(info, si_code);
}

SEC("?tp_btf/signal_generate")
int BPF_PROG(signal__tp_btf, int sig, struct kernel_siginfo *info, struct task_struct *task)
{
	struct rec_signal rec = {};
	__u32 guarded = guard_of(task);

	if (!guarded || guard_own() == guarded || !signal_matters(guarded, sig))
		return 0;
	task_fill(&rec.task, bpf_get_current_task_btf());
	rec.target_tgid = PLAIN_READ(task, tgid);
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

	if (!file || PLAIN_READ(file, f_inode, i_sb, s_magic) != PID_FS_MAGIC)
		return;
	target = guard_task((struct pid *)PLAIN_READ(file, f_inode, i_private));
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

/* ---- bpf(2): taking an object by its id, and what changes one ---- */

#define ATTR_WORDS 10 /* the longest way to a descriptor, in 32-bit words */
#define COMMANDS   (BPF_PROG_BIND_MAP + 1)

enum { BY_NOTHING, BY_FD, BY_ID, BY_NAME /* of a pin: known when it is open */ };

/* Where in the arguments the object is named. What only reads by a descriptor is not told. */
static const struct {
	__u8 by;
	__u8 word;
	__u8 object; /* by id: enum rec_bpf_object */
} commands[COMMANDS] = {
	[BPF_MAP_UPDATE_ELEM] = {BY_FD, 0, 0},
	[BPF_MAP_DELETE_ELEM] = {BY_FD, 0, 0},
	[BPF_MAP_LOOKUP_AND_DELETE_ELEM] = {BY_FD, 0, 0},
	[BPF_MAP_FREEZE] = {BY_FD, 0, 0},
	[BPF_MAP_LOOKUP_AND_DELETE_BATCH] = {BY_FD, 9, 0},
	[BPF_MAP_UPDATE_BATCH] = {BY_FD, 9, 0},
	[BPF_MAP_DELETE_BATCH] = {BY_FD, 9, 0},
	[BPF_OBJ_PIN] = {BY_FD, 2, 0},
	[BPF_OBJ_GET] = {BY_NAME, 0, 0},
	[BPF_PROG_ATTACH] = {BY_FD, 1, 0},
	[BPF_PROG_DETACH] = {BY_FD, 1, 0},
	[BPF_PROG_TEST_RUN] = {BY_FD, 0, 0},
	[BPF_RAW_TRACEPOINT_OPEN] = {BY_FD, 2, 0},
	[BPF_LINK_CREATE] = {BY_FD, 0, 0},
	[BPF_LINK_UPDATE] = {BY_FD, 0, 0},
	[BPF_LINK_DETACH] = {BY_FD, 0, 0},
	[BPF_ITER_CREATE] = {BY_FD, 0, 0},
	[BPF_PROG_BIND_MAP] = {BY_FD, 0, 0},
	[BPF_MAP_GET_FD_BY_ID] = {BY_ID, 0, BpfObject_map},
	[BPF_PROG_GET_FD_BY_ID] = {BY_ID, 0, BpfObject_program},
	[BPF_LINK_GET_FD_BY_ID] = {BY_ID, 0, BpfObject_link},
};

/* An index that the verifier cannot misjudge. */
static __always_inline __u32 word_at(const __u32 *words, __u32 n)
{
	switch (n) {
	case 0:
		return words[0];
	case 1:
		return words[1];
	case 2:
		return words[2];
	default:
		return words[ATTR_WORDS - 1];
	}
}

/* "bpf-map", "bpf-prog", "bpf_link": what files of BPF objects are called. */
static __always_inline struct guarded_object_key object_of(struct file *file)
{
	void *data = PLAIN_READ(file, private_data);
	struct bpf_prog *prog = data;
	struct bpf_link *link = data;
	struct bpf_map *map = data;
	char name[8] = {};

	bpf_probe_read_kernel_str(name, sizeof(name), PLAIN_READ(file, f_path.dentry, d_name.name));
	if (name[0] != 'b' || name[1] != 'p' || name[2] != 'f')
		return (struct guarded_object_key){};
	switch (name[4]) {
	case 'm':
		return (struct guarded_object_key){BpfObject_map, PLAIN_READ(map, id)};
	case 'p':
		return (struct guarded_object_key){BpfObject_program, PLAIN_READ(prog, aux, id)};
	case 'l':
		return (struct guarded_object_key){BpfObject_link, PLAIN_READ(link, id)};
	default:
		return (struct guarded_object_key){};
	}
}

static __always_inline void object_accessed(__u32 command, const struct guarded_object_key *key,
					    __u32 error)
{
	struct rec_bpf_access rec = {};

	if (!bpf_map_lookup_elem(&guarded_object, key) || guard_own() == Guarded_sensor)
		return;
	task_fill(&rec.task, bpf_get_current_task_btf());
	rec.command = command;
	rec.object = key->object;
	rec.object_id = key->id;
	rec.error = error;
	emit(LANE_CRIT, &rec, sizeof(rec), KIND_bpf_access, true);
}

/* `opened`: what the call made, where its exit is the hook: nobody can change that afterwards. */
static __always_inline void bpf_called(__u32 command, const __u32 *words, struct file *opened,
				       __u32 error)
{
	struct guarded_object_key key = {};
	struct file *file;
	__u32 word;

	if (command >= COMMANDS || commands[command].by == BY_NOTHING)
		return;
	word = word_at(words, commands[command].word);
	file = commands[command].by == BY_FD ? syscall_file((int)word) : opened;
	if (file)
		key = object_of(file);
	else if (commands[command].by == BY_ID)
		key = (struct guarded_object_key){commands[command].object, word};
	if (key.object)
		object_accessed(command, &key, error);
}

/* The kernel's own copy of the attributes, which is as long as the longest. */
static __always_inline void bpf_checked(__u32 command, void *attr)
{
	__u32 words[ATTR_WORDS];

	if (bpf_probe_read_kernel(words, sizeof(words), attr) == 0)
		bpf_called(command, words, NULL, 0);
}

SEC("?lsm/bpf")
int BPF_PROG(bpf_access__lsm, int command, union bpf_attr *attr, unsigned int size)
{
	bpf_checked(command, attr);
	return 0;
}

SEC("?fentry/security_bpf")
int BPF_PROG(bpf_access__fentry, int command, union bpf_attr *attr)
{
	bpf_checked(command, attr);
	return 0;
}

/*
 * A pin is opened by name: what it is of only the descriptor tells that was made. (The arguments of
 * the function are others since 6.4; its result is not.)
 */
static __always_inline int opened_by_name(void *ctx)
{
	struct guarded_object_key key;
	struct file *file;
	__u64 fd = 0;

	bpf_get_func_ret(ctx, &fd);
	file = syscall_file((int)fd);
	if (!file)
		return 0;
	key = object_of(file);
	if (key.object)
		object_accessed(BPF_OBJ_GET, &key, 0);
	return 0;
}

SEC("?fexit/bpf_obj_get_user")
int bpf_access__lsm_pin(void *ctx)
{
	return opened_by_name(ctx);
}

SEC("?fexit/bpf_obj_get_user")
int bpf_access__fentry_pin(void *ctx)
{
	return opened_by_name(ctx);
}

/* bpf(vw): command, attributes, and behind them their size. */
SEC("?tp_btf/sys_exit")
int BPF_PROG(bpf_access__sys_exit, struct pt_regs *regs, long ret)
{
	struct syscall_shape *shape = syscall_shape(regs);
	__u32 words[ATTR_WORDS] = {}, size = syscall_arg(regs, 2);
	void *attr;

	if (!shape || !shape->value || !shape->value2)
		return 0;
	attr = (void *)syscall_arg(regs, shape->value2 - 1);
	barrier_var(size);
	if (size < sizeof(words))
		bpf_probe_read_user(words, size, attr);
	else
		bpf_probe_read_user(words, sizeof(words), attr);
	bpf_called((__u32)syscall_arg(regs, shape->value - 1), words,
		   ret < 0 ? NULL : syscall_file(ret), ret < 0 ? -ret : 0);
	return 0;
}

/* A number that is free again guards nobody. */
SEC("?tp_btf/sched_process_exit")
int BPF_PROG(guard_exit__tp_btf, struct task_struct *task)
{
	__u32 tgid = PLAIN_READ(task, tgid);

	if (!PLAIN_READ(task, signal, live.counter))
		bpf_map_delete_elem(&guarded_task, &tgid);
	return 0;
}
