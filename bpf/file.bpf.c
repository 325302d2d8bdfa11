// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Physical reads: a program other than the database server opens a file that holds a watched
 * table. Files are known by {device, inode}, so names, links, bind mounts, directory descriptors
 * and /proc/PID/fd make no difference, and a path that changes during the call cannot deceive.
 *
 * Ladder: the security hook sees every way to open (io_uring and 32-bit calls included) before
 * it succeeds; where the kernel takes neither BPF LSM nor fentry, the exit of the open family of
 * system calls. That rung does not see io_uring's open.
 */
#include "emit.h"
#include "path.h"
#include "syscall.h"
#include "task.h"

#define O_ACCMODE 03
#define O_WRONLY  01
#define O_PATH	  010000000

/* As user/sensor/watch.h declares it. */
struct inode_key {
	__u64 ino;
	__u32 dev;
	__u32 pad;
};

/* Files of watched tables; the value is the set of tables, one bit each. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, struct inode_key);
	__type(value, __u64);
} watched_inode SEC(".maps");

/* Executables of database servers: their reads are their work. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, struct inode_key);
	__type(value, __u32);
} server_exe SEC(".maps");

static __always_inline void inode_key_fill(struct inode_key *key, struct inode *inode)
{
	key->ino = BPF_CORE_READ(inode, i_ino);
	key->dev = BPF_CORE_READ(inode, i_sb, s_dev);
	key->pad = 0;
}

static __always_inline bool task_is_server(struct task_struct *task)
{
	struct inode *exe = BPF_CORE_READ(task, mm, exe_file, f_inode);
	struct inode_key key;

	if (!exe)
		return false;
	inode_key_fill(&key, exe);
	return bpf_map_lookup_elem(&server_exe, &key) != NULL;
}

/* Opens are rare enough that a claimed slot a CPU or two is plenty; see db.h for why claimed. */
struct file_scratch {
	__u32 busy;
	__u32 pad;
	struct rec_file_read rec;
	__u8 tail[PATH_MAX]; /* right behind rec */
	struct path_buf path;
};

#define FILE_SCRATCH_SLOTS 16

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, FILE_SCRATCH_SLOTS);
	__type(key, __u32);
	__type(value, struct file_scratch);
} file_scratches SEC(".maps");

/* Returned with its record zeroed. */
static __always_inline struct file_scratch *file_scratch_claim(void)
{
	__u32 first = bpf_get_smp_processor_id();

	for (__u32 i = 0; i < FILE_SCRATCH_SLOTS; i++) {
		__u32 key = (first + i) % FILE_SCRATCH_SLOTS;
		struct file_scratch *s = bpf_map_lookup_elem(&file_scratches, &key);

		if (s && !__sync_val_compare_and_swap(&s->busy, 0, 1)) {
			__builtin_memset(&s->rec, 0, sizeof(s->rec));
			return s;
		}
	}
	return NULL;
}

static __always_inline void file_emit(struct file_scratch *s, struct file *file)
{
	__u32 n = path_fill(&s->path, &file->f_path), at = s->path.pos;

	barrier_var(at);
	at &= PATH_MAX - 1;
	if (n > PATH_MAX || bpf_probe_read_kernel(s->tail, n, s->path.bytes + at))
		n = 0;
	s->rec.path.off = sizeof(s->rec);
	s->rec.path.len = n;
	s->rec.path.orig = n + s->path.cut;
	emit(LANE_CRIT, &s->rec, sizeof(s->rec) + n, KIND_file_read, true);
}

/* A watched file was opened: reports it unless the database server did that, or only to write. */
static __always_inline void file_opened(struct file *file)
{
	struct inode *inode = BPF_CORE_READ(file, f_inode);
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct file_scratch *s;
	struct inode_key key;
	__u32 flags;

	inode_key_fill(&key, inode);
	if (!bpf_map_lookup_elem(&watched_inode, &key))
		return;
	flags = BPF_CORE_READ(file, f_flags);
	/* An O_PATH descriptor cannot be read from; opening it again by /proc can, and is seen. */
	if ((flags & O_ACCMODE) == O_WRONLY || (flags & O_PATH) || task_is_server(task))
		return;
	s = file_scratch_claim();
	if (!s) {
		emit_lost(LANE_CRIT);
		return;
	}
	task_fill(&s->rec.task, task);
	inode_fill(&s->rec.inode, inode);
	s->rec.flags = flags;
	file_emit(s, file);
	__sync_val_compare_and_swap(&s->busy, 1, 0);
}

SEC("?lsm/file_open")
int BPF_PROG(file_read__lsm, struct file *file, int ret)
{
	if (!ret)
		file_opened(file);
	return ret;
}

SEC("?fentry/security_file_open")
int BPF_PROG(file_read__fentry, struct file *file)
{
	file_opened(file);
	return 0;
}

SEC("?tp_btf/sys_exit")
int BPF_PROG(file_read__sys_exit, struct pt_regs *regs, long ret)
{
	struct file *file = syscall_file(ret);

	if (file)
		file_opened(file);
	return 0;
}
