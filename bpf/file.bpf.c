// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Opens. Physical reads: a program other than the database server opens a file that holds a watched
 * table. Files are known by {device, inode}, so names, links, bind mounts, directory descriptors
 * and /proc/PID/fd make no difference, and a path that changes during the call cannot deceive.
 * Reads of secrets, and of files that were put into a watched tree a moment ago: what is staged is
 * fetched. And opens for writing, and files that are created, where interest.h says so.
 *
 * Ladder: the security hook sees every way to open (io_uring and 32-bit calls included) before
 * it succeeds; where the kernel takes neither BPF LSM nor fentry, the exit of the open family of
 * system calls, and beside it the end of io_uring's opens.
 */
#include <linux/io_uring.h>

#include "fd_file.h"
#include "guard.h"
#include "syscall.h"

#define O_ACCMODE 03
#define O_WRONLY  01
#define O_CREAT	  0100
#define O_TRUNC	  01000
#define O_PATH	  010000000
#define S_IFMT	  0170000
#define S_IFREG	  0100000

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

static __always_inline bool task_is_server(struct task_struct *task)
{
	struct inode *exe = PLAIN_READ(task, mm, exe_file, f_inode);
	struct inode_key key;

	if (!exe)
		return false;
	inode_key_fill(&key, exe);
	return bpf_map_lookup_elem(&server_exe, &key) != NULL;
}

static __always_inline void file_read_emit(struct file *file, __u32 flags, const struct read_why *m)
{
	enum lane lane = m->table ? LANE_CRIT : LANE_BULK;
	struct rec_file_read *rec;
	struct file_scratch *s;
	struct tail t;

	if (!emit_allowed(lane, KIND_file_read))
		return;
	s = file_scratch_claim(lane, KIND_file_read);
	if (!s)
		return;
	rec = (void *)s->record;
	task_fill(&rec->task, bpf_get_current_task_btf());
	inode_fill(&rec->inode, PLAIN_READ(file, f_inode));
	rec->flags = flags;
	rec->tree = m->tree;
	rec->lineage = m->lineage;
	rec->recent = m->recent;
	rec->table = m->table;
	t = file_tail(s, sizeof(*rec));
	tail_path(&t, &s->path, &rec->path, &file->f_path);
	file_send(s, lane, KIND_file_read);
	file_scratch_release(s);
}

/* Tells it when it is of interest, unless the database server did that, or only to write. */
static __always_inline void file_read_opened(struct file *file, __u32 flags)
{
	struct read_why m = {};
	struct inode_key key;

	/* An O_PATH descriptor cannot be read from; opening it again by /proc can, and is seen. */
	if ((flags & O_ACCMODE) == O_WRONLY || (flags & O_PATH))
		return;
	inode_key_fill(&key, PLAIN_READ(file, f_inode));
	m.table = inode_may(&watched_bits, key.ino) && bpf_map_lookup_elem(&watched_inode, &key) &&
		  !task_is_server(bpf_get_current_task_btf());
	if (file_read_why(file, &key, &m))
		file_read_emit(file, flags, &m);
}

#define OPEN_SLOT_SHIFT 48

/* Another than that of any use of the same struct file before; a clock costs ten times as much. */
static __always_inline __u64 open_number(struct file_scratch *s)
{
	return ((__u64)s->slot << OPEN_SLOT_SHIFT) + ++s->opens + OPENED_LEFT;
}

/*
 * The place of a struct file, for another use of it; false: the close of this one will not be told.
 * The same struct file again, before the end of what it was is looked at: that is lost.
 */
static __always_inline bool file_place_take(struct open_file *known, struct open_file *o)
{
	__u64 before = known->opened;

	if (before == OPENED_LEFT || /* whoever takes it out would take this one out, too */
	    __sync_val_compare_and_swap(&known->opened, before, o->opened) != before)
		return false;
	if (before != OPENED_NOT)
		emit_lost(LANE_BULK, KIND_file_close);
	*known = *o;
	return true;
}

static __always_inline void file_remember(struct file *file, struct open_file *o)
{
	__u64 address = (__u64)file;
	struct open_file *known = bpf_map_lookup_elem(&open_files, &address);

	if (!known)
		bpf_map_update_elem(&open_files, &address, o, BPF_ANY);
	else if (!file_place_take(known, o) && !file_place_take(known, o))
		emit_lost(LANE_BULK, KIND_file_close);
}

/* Tells the open, whose path was walked, and remembers the file until its last close. */
static __always_inline void file_open_emit(struct file_scratch *s, struct file *file, __u32 flags,
					   struct open_file *o)
{
	struct rec_file_open *rec = (void *)s->record;
	struct tail t = file_tail(s, sizeof(*rec));

	file_remember(file, o);
	if (!emit_allowed(LANE_BULK, KIND_file_open))
		return;
	task_fill(&rec->task, bpf_get_current_task_btf());
	inode_fill(&rec->inode, PLAIN_READ(file, f_inode));
	rec->flags = flags;
	rec->created = o->created;
	rec->tree = o->tree;
	rec->lineage = o->lineage;
	tail_walked(&t, &s->path, &rec->path);
	file_send(s, LANE_BULK, KIND_file_open);
}

/*
 * A regular file was opened to be written, or created, in a watched tree or by a lineage. Returns
 * what it is remembered by, open_file.opened, or 0.
 */
static __always_inline __u64 file_write_opened(struct file *file, __u32 flags)
{
	__u32 mode = PLAIN_READ(file, f_mode);
	struct inode *inode = PLAIN_READ(file, f_inode);
	struct open_file o = {};
	struct file_scratch *s;
	bool told;

	if (!interest_watched || !(mode & (FMODE_WRITE | FMODE_CREATED)) || (flags & O_PATH) ||
	    (PLAIN_READ(inode, i_mode) & S_IFMT) != S_IFREG)
		return 0;
	s = file_scratch_claim(LANE_BULK, KIND_file_open);
	if (!s)
		return 0;
	o.opened = open_number(s);
	o.lineage = interest_lineage();
	path_fill(&s->path, &file->f_path, true);
	o.tree = s->path.marks;
	o.created = !!(mode & FMODE_CREATED);
	inode_key_fill(&o.inode, inode);
	told = o.tree || o.lineage;
	if (told)
		file_open_emit(s, file, flags, &o);
	file_scratch_release(s);
	return told ? o.opened : 0;
}

static __always_inline __u64 file_opened(struct file *file, __u32 flags)
{
	file_read_opened(file, flags);
	return file_write_opened(file, flags);
}

SEC("?lsm/file_open")
int BPF_PROG(file_read__lsm, struct file *file, int ret)
{
	if (!ret)
		file_opened(file, PLAIN_READ(file, f_flags));
	return ret;
}

SEC("?fentry/security_file_open")
int BPF_PROG(file_read__fentry, struct file *file)
{
	file_opened(file, PLAIN_READ(file, f_flags));
	return 0;
}

/* O_CREAT and O_TRUNC are of the call, the open file has them no more. */
static __always_inline __u32 open_flags(struct pt_regs *regs, struct file *file)
{
	struct syscall_shape *shape = syscall_shape(regs);
	__u64 given = 0;

	if (shape && shape->value) {
		given = syscall_arg(regs, shape->value - 1);
	} else if (shape && shape->value2) { /* struct open_how, which begins with them */
		bpf_probe_read_user(&given, sizeof(given),
				    (void *)syscall_arg(regs, shape->value2 - 1));
	} else { /* creat(2) */
		given = O_CREAT | O_TRUNC;
	}
	return PLAIN_READ(file, f_flags) | (given & (O_CREAT | O_TRUNC));
}

/* What the current process got as a descriptor. */
static __always_inline void fd_opened(long fd, struct file *file, __u32 flags)
{
	struct fd_use use = {.address = (__u64)file};

	accessed_by_proc(file);
	use.opened = file_opened(file, flags);
	if (use.opened)
		fd_held(bpf_get_current_pid_tgid() >> 32, fd, &use);
}

SEC("?tp_btf/sys_exit")
int BPF_PROG(file_read__sys_exit, struct pt_regs *regs, long ret)
{
	struct file *file = syscall_file(ret);

	if (file)
		fd_opened(ret, file, open_flags(regs, file));
	return 0;
}

/* By io_uring, whose workers share the descriptors; not seen: into a slot of the ring's own. */
SEC("?tp_btf/io_uring_complete")
int BPF_PROG(file_read__beside_sys_exit, void *ring, struct io_kiocb *req)
{
	__u8 opcode = PLAIN_READ(req, opcode);
	int fd = PLAIN_READ(req, cqe.res);
	struct file *file;
	__u64 given;

	if (opcode != IORING_OP_OPENAT && opcode != IORING_OP_OPENAT2)
		return 0;
	file = syscall_file(fd);
	if (!file)
		return 0;
	given = PLAIN_READ((struct io_open *)req, how.flags);
	fd_opened(fd, file, PLAIN_READ(file, f_flags) | (given & (O_CREAT | O_TRUNC)));
	return 0;
}
