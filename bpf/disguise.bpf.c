// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * A thread of user space takes a name that ps shows of kernel threads only: "[kworker/0:1]", or
 * the same without brackets (T1036.004). By prctl, by writing /proc/PID/comm, or by an exec of a
 * file so called: all end where this tracepoint is.
 */
#include "emit.h"
#include "tail.h"
#include "task.h"
#include "text.h"

#define PF_KTHREAD   0x00200000
#define COMM_SIZE    16
#define NAME_WIDTH   10
#define PREFIXES     7
#define DISGUISE_END (sizeof(struct rec_disguise) + 2 * COMM_SIZE + PATH_MAX)

struct disguise_scratch {
	struct path_buf path;
	__u32 off;
	__u32 pad;
	__u8 record[DISGUISE_END + TAIL_PIECE];
};

/* Tracepoint programs run with preemption off. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct disguise_scratch);
} disguise_scratches SEC(".maps");

static const char prefixes[PREFIXES][NAME_WIDTH] = {
	"kworker/", "kthreadd", "ksoftirqd", "migration", "kswapd", "khungtask", "jbd2/",
};

/* "[" alone is a program: test(1). */
static __always_inline bool is_kernel_name(const char *comm)
{
	if (comm[0] == '[' && comm[1])
		return true;
	for (int i = 0; i < PREFIXES; i++)
		if (text_begins(comm, prefixes[i], NAME_WIDTH))
			return true;
	return false;
}

static __always_inline void disguise_emit(struct disguise_scratch *s, struct task_struct *task,
					  const char *comm)
{
	struct rec_disguise *d = (void *)s->record;
	struct tail t = {s->record, &s->off, DISGUISE_END};
	struct file *exe = PLAIN_READ(task, mm, exe_file);
	__u32 size;

	__builtin_memset(d, 0, sizeof(*d));
	s->off = sizeof(*d);
	task_fill(&d->task, task);
	tail_string(&t, &d->comm, comm, COMM_SIZE);
	tail_string(&t, &d->former, (const char *)task->comm, COMM_SIZE);
	if (exe)
		tail_path(&t, &s->path, &d->exe, &exe->f_path);
	size = s->off;
	barrier_var(size);
	if (size <= sizeof(s->record))
		emit(LANE_CRIT, d, size, KIND_disguise, true);
}

SEC("?tp_btf/task_rename")
int BPF_PROG(disguise__tp_btf, struct task_struct *task, const char *comm)
{
	struct disguise_scratch *s;
	char name[COMM_SIZE] = {};
	__u32 key = 0;

	bpf_probe_read_kernel_str(name, sizeof(name), comm);
	if (!is_kernel_name(name) || (PLAIN_READ(task, flags) & PF_KTHREAD) ||
	    !PLAIN_READ(task, mm))
		return 0;
	s = bpf_map_lookup_elem(&disguise_scratches, &key);
	if (s)
		disguise_emit(s, task, comm);
	return 0;
}
