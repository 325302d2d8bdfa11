// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Changes of the kernel itself: modules, another kernel by kexec, the wall clock, io_uring (a way
 * around everything that looks at system calls).
 *
 * Ladders: a tracepoint where there is one, else the kernel's function, else the exit of the call.
 * At the exit a refused attempt is seen as well.
 */
#include "file.h"
#include "name.h"

#define CLOCK_REALTIME 0
#define ADJ_SETOFFSET  0x0100
#define ADJ_NANO       0x2000
#define NSEC	       1000000000ll

#if defined(__TARGET_ARCH_x86)
#define NR_FINIT_MODULE	       313
#define NR_FINIT_MODULE_COMPAT 350
#else
#define NR_FINIT_MODULE	       273
#define NR_FINIT_MODULE_COMPAT NR_FINIT_MODULE
#endif

/* init_module(2) has no descriptor, finit_module(2) has it first, as kexec_file_load(2). */
static __always_inline void file_of_call(struct file_scratch *s, const struct tail *t,
					 struct record_slice *path, struct file *file)
{
	if (file)
		tail_path(t, &s->path, path, &file->f_path);
	else
		path->off = s->end;
}

static __always_inline struct file *descriptor_of(struct pt_regs *regs)
{
	struct syscall_shape *shape = syscall_shape(regs);

	return shape && shape->fd ? syscall_file((int)syscall_arg(regs, shape->fd - 1)) : NULL;
}

static __always_inline void module_told(struct module *mod, struct file *file, __u32 error)
{
	struct file_scratch *s = file_scratch_claim(LANE_CRIT, KIND_module_load);
	struct rec_module_load *rec;
	struct tail t;

	if (!s)
		return;
	rec = (void *)s->record;
	t = file_tail(s, sizeof(*rec));
	task_fill(&rec->task, bpf_get_current_task_btf());
	rec->error = error;
	if (mod) {
		rec->taints = BPF_CORE_READ(mod, taints);
		tail_string(&t, &rec->name, mod->name, sizeof(mod->name));
	}
	file_of_call(s, &t, &rec->path, file);
	file_emit(s, LANE_CRIT, KIND_module_load);
	file_scratch_release(s);
}

SEC("?tp_btf/module_load")
int BPF_PROG(module_load__tp_btf, struct module *mod)
{
	struct pt_regs *regs = (void *)bpf_task_pt_regs(bpf_get_current_task_btf());
	bool file = syscall_number(regs) ==
		    (syscall_compat() ? NR_FINIT_MODULE_COMPAT : NR_FINIT_MODULE);

	module_told(mod, file ? syscall_file((int)syscall_arg(regs, 0)) : NULL, 0);
	return 0;
}

/* A kernel without modules has no such tracepoint: the attempt is all there is. */
SEC("?tp_btf/sys_exit")
int BPF_PROG(module_load__sys_exit, struct pt_regs *regs, long ret)
{
	module_told(NULL, descriptor_of(regs), ret < 0 ? -ret : 0);
	return 0;
}

static __always_inline void kexec_told(struct file *file, __u32 error)
{
	struct file_scratch *s = file_scratch_claim(LANE_CRIT, KIND_kexec);
	struct rec_kexec *rec;
	struct tail t;

	if (!s)
		return;
	rec = (void *)s->record;
	t = file_tail(s, sizeof(*rec));
	task_fill(&rec->task, bpf_get_current_task_btf());
	rec->error = error;
	file_of_call(s, &t, &rec->path, file);
	file_emit(s, LANE_CRIT, KIND_kexec);
	file_scratch_release(s);
}

SEC("?fentry/security_kernel_load_data")
int BPF_PROG(kexec__fentry, __u32 id)
{
	if (id == bpf_core_enum_value(enum kernel_load_data_id, LOADING_KEXEC_IMAGE))
		kexec_told(NULL, 0);
	return 0;
}

SEC("?fentry/security_kernel_read_file")
int BPF_PROG(kexec__fentry_file, struct file *file, __u32 id)
{
	if (id == bpf_core_enum_value(enum kernel_read_file_id, READING_KEXEC_IMAGE))
		kexec_told(file, 0);
	return 0;
}

SEC("?tp_btf/sys_exit")
int BPF_PROG(kexec__sys_exit, struct pt_regs *regs, long ret)
{
	kexec_told(descriptor_of(regs), ret < 0 ? -ret : 0);
	return 0;
}

static __always_inline void clock_told(__s64 to, __s64 step, __u32 error)
{
	struct rec_clock_set rec = {};

	task_fill(&rec.task, bpf_get_current_task_btf());
	rec.to = to;
	rec.step = step;
	rec.error = error;
	emit(LANE_CRIT, &rec, sizeof(rec), KIND_clock_set, true);
}

/* Of clock_settime and settimeofday; adjtimex steps by another function. */
SEC("?fexit/do_settimeofday64")
int BPF_PROG(clock_set__fexit, struct timespec64 *ts, int ret)
{
	clock_told(BPF_CORE_READ(ts, tv_sec) * NSEC + BPF_CORE_READ(ts, tv_nsec), 0,
		   ret < 0 ? -ret : 0);
	return 0;
}

SEC("?fexit/do_adjtimex")
int BPF_PROG(clock_step__fexit, struct __kernel_timex *tx, int ret)
{
	__u32 modes = BPF_CORE_READ(tx, modes);
	long long fraction = BPF_CORE_READ(tx, time.tv_usec);

	if (modes & ADJ_SETOFFSET)
		clock_told(0,
			   BPF_CORE_READ(tx, time.tv_sec) * NSEC +
				   (modes & ADJ_NANO ? fraction : fraction * 1000),
			   ret < 0 ? -ret : 0);
	return 0;
}

/* As linux/timex.h has it. */
struct user_timex {
	__u32 modes, pad;
	__u64 unused[8];
	struct user_time {
		__s64 sec, fraction;
	} time;
};

/* clock_settime(vw): which clock, a time in nanoseconds; settimeofday(w): one in microseconds. */
SEC("?tp_btf/sys_exit")
int BPF_PROG(clock_set__sys_exit, struct pt_regs *regs, long ret)
{
	struct syscall_shape *shape = syscall_shape(regs);
	struct user_time time = {};
	const void *from;

	if (!shape || !shape->value2)
		return 0;
	if (shape->value && (__u32)syscall_arg(regs, shape->value - 1) != CLOCK_REALTIME)
		return 0;
	from = (const void *)syscall_arg(regs, shape->value2 - 1);
	if (!from) /* a time zone only */
		return 0;
	if (!syscall_compat())
		bpf_probe_read_user(&time, sizeof(time), from);
	clock_told(time.sec * NSEC + time.fraction * (shape->value ? 1 : 1000), 0,
		   ret < 0 ? -ret : 0);
	return 0;
}

/* adjtimex(w), clock_adjtime(vw). A 32-bit caller's is told without how far. */
SEC("?tp_btf/sys_exit")
int BPF_PROG(clock_step__sys_exit, struct pt_regs *regs, long ret)
{
	struct syscall_shape *shape = syscall_shape(regs);
	struct user_timex tx = {};
	const void *from;

	if (!shape || !shape->value2)
		return 0;
	from = (const void *)syscall_arg(regs, shape->value2 - 1);
	if (bpf_probe_read_user(&tx.modes, sizeof(tx.modes), from) || !(tx.modes & ADJ_SETOFFSET))
		return 0;
	if (!syscall_compat())
		bpf_probe_read_user(&tx, sizeof(tx), from);
	clock_told(0, tx.time.sec * NSEC + tx.time.fraction * (tx.modes & ADJ_NANO ? 1 : 1000),
		   ret < 0 ? -ret : 0);
	return 0;
}

SEC("?tp_btf/io_uring_create")
int BPF_PROG(io_uring_setup__tp_btf, int fd, void *ring, __u32 entries, __u32 cq_entries,
	     __u32 flags)
{
	struct rec_io_uring_setup rec = {};

	task_fill(&rec.task, bpf_get_current_task_btf());
	rec.entries = entries;
	rec.flags = flags;
	emit(LANE_CRIT, &rec, sizeof(rec), KIND_io_uring_setup, true);
	return 0;
}
