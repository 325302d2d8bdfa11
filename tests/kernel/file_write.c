// links: tests/kernel/support/*.c user/sensor/{probe,probe_map,probe_pins,probe_report,probe_server,host,pins,uprobe,uprobe_ahead,discover,choice,guard,ladder,syscall,trial,kernel_types,verify,sandbox,elf,proctab,*_offsets}.c
// SPDX-License-Identifier: Apache-2.0
// Creates and writes files below a watched tree and by a watched lineage, in every way; checks
// file_open, file_write and file_close against stat(2) and what the calls returned. What is
// neither below the tree nor by the lineage must stay silent.
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/support/check.h"
#include "kernel/support/ends.h"
#include "kernel/support/tree.h"
#include "kernel/support/way.h"
#include "kernel/support/witness.h"

#define OPEN  ROLLCALL__EVENT__KIND_FILE_OPEN
#define WRITE ROLLCALL__EVENT__KIND_FILE_WRITE
#define CLOSE ROLLCALL__EVENT__KIND_FILE_CLOSE

static int create(const char *name)
{
	return open(tree_at(name), O_RDWR | O_CREAT, 0644);
}

/* ---- ways to write ten bytes; each runs in a child of its own and returns 0 ---- */

static int way_close(void)
{
	int fd = create("www/new.jsp");

	return write(fd, "0123", 4) != 4 || write(fd, "456789", 6) != 6 || close(fd);
}

/* As a shell redirects: the descriptor that was opened is not the one that is closed last. */
static int way_dup(void)
{
	int fd = create("www/new.jsp");

	dup2(fd, 9);
	close(fd);
	return write(9, "0123456789", 10) != 10 || dup2(0, 9) != 9;
}

/* Written by a child, closed by its end. */
static int way_exit(void)
{
	int fd = create("www/new.jsp"), status = 1;
	pid_t pid = fork();

	if (!pid)
		_exit(write(fd, "0123456789", 10) != 10);
	waitpid(pid, &status, 0);
	return status;
}

/* As "COMMAND >FILE 2>&1" leaves it. */
static int way_exit_twice(void)
{
	int fd = create("www/new.jsp");

	return dup2(fd, 100) != 100 || write(100, "0123456789", 10) != 10;
}

static int way_vector(void)
{
	struct iovec v[2] = {{.iov_base = (char[]){"01234"}, .iov_len = 5},
			     {.iov_base = (char[]){"56789"}, .iov_len = 5}};
	int fd = create("www/new.jsp");

	return writev(fd, v, 2) != 10 || close(fd);
}

static int way_pwrite(void)
{
	int fd = create("www/new.jsp");

	return pwrite(fd, "0123456789", 10, 0) != 10 || close(fd);
}

static int way_sendfile(void)
{
	int from = open(tree_at("other/ten"), O_RDONLY), fd = create("www/new.jsp");

	return sendfile(fd, from, NULL, 10) != 10 || close(fd);
}

static int way_copy(void)
{
	int from = open(tree_at("other/ten"), O_RDONLY), fd = create("www/new.jsp");

	return copy_file_range(from, NULL, fd, NULL, 10, 0) != 10 || close(fd);
}

static int way_splice(void)
{
	int fd = create("www/new.jsp"), p[2];

	if (pipe(p) || write(p[1], "0123456789", 10) != 10)
		return 1;
	return splice(p[0], NULL, fd, NULL, 10, 0) != 10 || close(fd);
}

static int way_symlink(void)
{
	int fd = create("other/link/new.jsp");

	return write(fd, "0123456789", 10) != 10 || close(fd);
}

static int way_creat(void)
{
	int fd = (int)syscall(SYS_creat, tree_at("www/new.jsp"), 0644);

	return write(fd, "0123456789", 10) != 10 || close(fd);
}

static int namespace(const char *from, const char *to)
{
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return -1;
	return mount(from, to, NULL, MS_BIND, NULL);
}

/* The tree under another name, in a mount namespace that the sensor is not in. */
static int way_bind_out(void)
{
	int fd = namespace(tree_at("www"), tree_at("other/dir")) ? -1 : create("other/dir/new.jsp");

	return write(fd, "0123456789", 10) != 10 || close(fd);
}

/* Another directory, mounted into the tree. */
static int way_bind_in(void)
{
	int fd = namespace(tree_at("other"), tree_at("www/sub")) ? -1 : create("www/sub/new.jsp");

	return write(fd, "0123456789", 10) != 10 || close(fd);
}

/* A program of the watched lineage, two generations down, outside the tree. */
static int way_lineage(void)
{
	execl(tree_at("sh"), "sh", "-c", "(printf 0123456789 >\"$0\"; :)", tree_at("other/new.jsp"),
	      NULL);
	return 1;
}

static int silent_write(void)
{
	int fd = create("other/new.jsp");

	return write(fd, "0123456789", 10) != 10 || close(fd);
}

static int silent_read(void)
{
	return open(tree_at("www/a"), O_RDONLY) < 0;
}

static int silent_null(void)
{
	return open("/dev/null", O_WRONLY) < 0;
}

/* open, write and close of a 32-bit program. */
static int way_32(void)
{
	const char *path = tree_at("www/new.jsp");
	long fd = way_i386(5, (long[6]){way_low(path, strlen(path) + 1), O_RDWR | O_CREAT, 0644});

	return way_i386(4, (long[6]){fd, way_low("0123456789", 10), 10}) != 10 ||
	       way_i386(6, (long[6]){fd}) != 0;
}

static int way_openat2(void)
{
	struct open_how how = {.flags = O_RDWR | O_CREAT, .mode = 0644};
	int fd = (int)syscall(SYS_openat2, AT_FDCWD, tree_at("www/new.jsp"), &how, sizeof(how));

	return write(fd, "0123456789", 10) != 10 || close(fd);
}

static bool always(void)
{
	return true;
}

static const struct {
	const char *name;
	int (*go)(void);
	const char *path;   /* as the events must name it; NULL: no event */
	const char *really; /* where stat(2) finds the file afterwards */
	unsigned tree, lineage;
	int flags;
	bool (*possible)(void);
	unsigned head; /* bytes of the first write that are known */
} ways[] = {
	{"write", way_close, "www/new.jsp", "www/new.jsp", TREE_WEB_ROOT, 0, O_RDWR | O_CREAT,
	 always, 4},
	{"dup2", way_dup, "www/new.jsp", "www/new.jsp", TREE_WEB_ROOT, 0, O_RDWR | O_CREAT, always,
	 10},
	{"exit", way_exit, "www/new.jsp", "www/new.jsp", TREE_WEB_ROOT, 0, O_RDWR | O_CREAT, always,
	 10},
	{"exit with two descriptors", way_exit_twice, "www/new.jsp", "www/new.jsp", TREE_WEB_ROOT,
	 0, O_RDWR | O_CREAT, always, 10},
	{"writev", way_vector, "www/new.jsp", "www/new.jsp", TREE_WEB_ROOT, 0, O_RDWR | O_CREAT,
	 always, 0},
	{"pwrite64", way_pwrite, "www/new.jsp", "www/new.jsp", TREE_WEB_ROOT, 0, O_RDWR | O_CREAT,
	 always, 10},
	{"sendfile", way_sendfile, "www/new.jsp", "www/new.jsp", TREE_WEB_ROOT, 0, O_RDWR | O_CREAT,
	 always, 0},
	{"copy_file_range", way_copy, "www/new.jsp", "www/new.jsp", TREE_WEB_ROOT, 0,
	 O_RDWR | O_CREAT, always, 0},
	{"splice", way_splice, "www/new.jsp", "www/new.jsp", TREE_WEB_ROOT, 0, O_RDWR | O_CREAT,
	 always, 0},
	{"symbolic link", way_symlink, "www/new.jsp", "www/new.jsp", TREE_WEB_ROOT, 0,
	 O_RDWR | O_CREAT, always, 10},
	{"creat", way_creat, "www/new.jsp", "www/new.jsp", TREE_WEB_ROOT, 0,
	 O_WRONLY | O_CREAT | O_TRUNC, always, 10},
	{"openat2", way_openat2, "www/new.jsp", "www/new.jsp", TREE_WEB_ROOT, 0, O_RDWR | O_CREAT,
	 always, 10},
	{"32-bit", way_32, "www/new.jsp", "www/new.jsp", TREE_WEB_ROOT, 0, O_RDWR | O_CREAT,
	 way_has_i386, 10},
	{"bind mount of the tree", way_bind_out, "other/dir/new.jsp", "www/new.jsp", TREE_WEB_ROOT,
	 0, O_RDWR | O_CREAT, always, 10},
	{"bind mount into the tree", way_bind_in, "www/sub/new.jsp", "other/new.jsp", TREE_WEB_ROOT,
	 0, O_RDWR | O_CREAT, always, 10},
	{"lineage", way_lineage, "other/new.jsp", "other/new.jsp", 0, TREE_LINEAGE | TREE_ITSELF,
	 O_WRONLY | O_CREAT | O_TRUNC, always, 10},
	{"outside", silent_write, NULL, "other/new.jsp", 0, 0, O_RDWR | O_CREAT, always, 10},
	{"read", silent_read, NULL, "www/a", 0, 0, O_RDWR | O_CREAT, always, 10},
	{"device", silent_null, NULL, "www/a", 0, 0, O_RDWR | O_CREAT, always, 10},
};

/* The one event of a kind, whosever: a lineage's is of a grandchild. */
static const Rollcall__Event *the_event(Rollcall__Event__KindCase kind, const char *name)
{
	check_number(name, "events of a kind", witness_number(kind), 1);
	return witness_any(kind);
}

static void way_check(unsigned i)
{
	const char *name = ways[i].name, *path = tree_at(ways[i].path);
	const Rollcall__Event *o = the_event(OPEN, name), *w = the_event(WRITE, name);
	const Rollcall__Event *c = the_event(CLOSE, name);
	struct stat now = {}, then;

	ends_coverage("file_open", name, witness_hook("file_read"), o);
	ends_coverage("file_write", name, witness_hook("file_write"), w);
	ends_coverage("file_close", name, witness_hook("file_close"), c);
	check(name, "the file is there", stat(tree_at(ways[i].really), &now) == 0);
	if (!o || !w || !c)
		return;
	check_string(name, "path opened", o->file_open->path, path);
	check_string(name, "path written", w->file_write->path, path);
	check_string(name, "path closed", c->file_close->path, path);
	then = now;
	then.st_size = 0;
	tree_inode_check(name, o->file_open->inode, &then);
	then.st_size = (off_t)w->file_write->written;
	tree_inode_check(name, w->file_write->inode, &then);
	tree_inode_check(name, c->file_close->inode, &now);
	check_number(name, "size closed", c->file_close->inode->size, 10);
	check_number(name, "first write", w->file_write->written, ways[i].go == way_close ? 4 : 10);
	check_number(name, "bytes", c->file_close->written, 10);
	check(name, "head",
	      w->file_write->head.len == ways[i].head &&
		      memcmp(w->file_write->head.data, "0123456789", ways[i].head) == 0);
	check(name, "created", o->file_open->created && c->file_close->created);
	check_number(name, "flags", o->file_open->flags & (O_ACCMODE | O_CREAT | O_TRUNC),
		     ways[i].flags);
	check_number(name, "tree", o->file_open->tree, ways[i].tree);
	check_number(name, "tree written", w->file_write->tree, ways[i].tree);
	check_number(name, "tree closed", c->file_close->tree, ways[i].tree);
	check_number(name, "lineage", o->file_open->lineage, ways[i].lineage);
	check_number(name, "lineage written", w->file_write->lineage, ways[i].lineage);
	check_number(name, "lineage closed", c->file_close->lineage, ways[i].lineage);
	check(name, "who",
	      o->file_open->task->uid == getuid() && o->file_open->task->start_time &&
		      w->file_write->task->start_time && c->file_close->task->start_time);
}

static void run(int (*go)(void), const char *name)
{
	int status = -1;

	witness_run(go, &status);
	check_number(name, "the child itself", (uint64_t)status, 0);
	witness_settle();
}

static int again(void)
{
	int fd = create("www/a");

	return write(fd, "x", 1) != 1 || close(fd);
}

/* A file that was there is opened with O_CREAT: it was not created. */
static void not_created_check(void)
{
	const Rollcall__Event *o;

	run(again, "not created");
	o = the_event(OPEN, "not created");
	check("not created", "flag", o && !o->file_open->created);
}

static int cut(void)
{
	int fd = open(tree_at("www/a"), O_WRONLY | O_TRUNC);

	return fd < 0 || close(fd);
}

/* A log that is emptied. */
static void cut_check(void)
{
	const Rollcall__Event *o;

	run(cut, "open, O_TRUNC");
	o = the_event(OPEN, "open, O_TRUNC");
	check("open, O_TRUNC", "flag", o && o->file_open->flags & O_TRUNC);
	check_number("open, O_TRUNC", "closed size",
		     witness_any(CLOSE) ? witness_any(CLOSE)->file_close->inode->size : 1, 0);
}

/* Ways to write that no hook counts: the size at the close tells. */
static int way_mmap(void)
{
	int fd = create("www/new.jsp");
	char *p;

	if (ftruncate(fd, 10))
		return 1;
	p = mmap(NULL, 10, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	memcpy(p, "0123456789", 10);
	return munmap(p, 10) || close(fd);
}

static int way_uring_write(void)
{
	int fd = create("www/new.jsp");

	return way_uring(&(struct io_uring_sqe){
		       .opcode = IORING_OP_WRITE,
		       .fd = fd,
		       .addr = (uint64_t) "0123456789",
		       .len = 10,
	       }) != 10 ||
	       close(fd);
}

static void uncounted_check(int (*go)(void), const char *name)
{
	const Rollcall__Event *c;

	tree_fill(name);
	run(go, name);
	check_number(name, "first writes", witness_number(WRITE), 0);
	ends_coverage("file_write", name, witness_hook("file_write"), false);
	c = the_event(CLOSE, name);
	ends_coverage("file_close", name, witness_hook("file_close"), c);
	check_number(name, "bytes", c ? c->file_close->written : 1, 0);
	check_number(name, "size", c ? c->file_close->inode->size : 0, 10);
}

static int way_open_uring(void)
{
	long fd = way_uring(&(struct io_uring_sqe){
		.opcode = IORING_OP_OPENAT,
		.fd = AT_FDCWD,
		.addr = (uint64_t)tree_at("www/new.jsp"),
		.len = 0644,
		.open_flags = O_RDWR | O_CREAT,
	});

	return fd < 0 || write((int)fd, "0123456789", 10) != 10 ||
	       way_uring(&(struct io_uring_sqe){.opcode = IORING_OP_CLOSE, .fd = (int)fd});
}

/* Opened and closed by io_uring: the last rung has a program beside it. */
static void uring_open_check(void)
{
	const Rollcall__Event *o, *c;

	tree_fill("io_uring open");
	run(way_open_uring, "io_uring open");
	o = the_event(OPEN, "io_uring open");
	c = the_event(CLOSE, "io_uring open");
	check_number("io_uring open", "created", o ? o->file_open->created : 0, 1);
	check_number("io_uring open", "flags", o ? o->file_open->flags & (O_ACCMODE | O_CREAT) : 0,
		     O_RDWR | O_CREAT);
	check_number("io_uring open", "size", c ? c->file_close->inode->size : 0, 10);
	ends_coverage("file_open", "io_uring", witness_hook("file_read"), o);
	ends_coverage("file_close", "io_uring", witness_hook("file_close"), c);
}

#define AT_ONCE 3 /* files */
#define ROUNDS	100

/*
 * The kernel soon uses a struct file again, for another file, on this processor or on the next: of
 * interest or not, written or not. Each round writes 0, 1 and 2 bytes.
 */
static int way_reuse(void)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		const char *silent = tree_at("other/silent");
		cpu_set_t cpus;
		int fds[AT_ONCE];

		CPU_ZERO(&cpus);
		CPU_SET(i / 2 % (unsigned)sysconf(_SC_NPROCESSORS_ONLN), &cpus);
		if (sched_setaffinity(0, sizeof(cpus), &cpus))
			return 1;
		for (unsigned j = 0; j < AT_ONCE; j++) {
			char name[32];

			snprintf(name, sizeof(name), "www/file%u", j);
			fds[j] = create(name);
			if (write(fds[j], "01", j) != (ssize_t)j)
				return 2;
		}
		for (unsigned j = 0; j < AT_ONCE; j++)
			if (close(fds[i % 2 ? j : AT_ONCE - 1 - j]))
				return 3;
		fds[0] = open(silent, O_WRONLY | O_CREAT, 0644);
		if (write(fds[0], "silent", 6) != 6 || close(fds[0]))
			return 4;
	}
	return 0;
}

static void reuse_check(void)
{
	const char *name = "struct files used again";
	uint64_t written = 0, dropped = witness_dropped();
	pid_t pid;
	int status = -1;

	tree_fill(name);
	pid = witness_run(way_reuse, &status);
	witness_settle();
	check_number(name, "the child itself", (uint64_t)status, 0);
	check_number(name, "opened", witness_count(OPEN, pid), ROUNDS * AT_ONCE);
	check_number(name, "closed", witness_count(CLOSE, pid), ROUNDS * AT_ONCE);
	check_number(name, "first writes", witness_count(WRITE, pid), ROUNDS * (AT_ONCE - 1));
	for (unsigned i = 0; i < witness_count(CLOSE, pid); i++)
		written += witness_event(CLOSE, pid, i)->file_close->written;
	check_number(name, "bytes", written, ROUNDS * (0 + 1 + 2));
	check_number(name, "lost", witness_dropped() - dropped, 0);
}

#define THREADS 4
#define PAIRS	2000

static void *thread_pairs(void *path)
{
	for (unsigned i = 0; i < PAIRS; i++) {
		int fd = open(path, O_RDWR | O_CREAT, 0644);

		if (fd < 0 || close(fd))
			return path;
	}
	return NULL;
}

static int way_threads(void)
{
	static char paths[THREADS][256];
	pthread_t threads[THREADS];
	void *failed;
	int r = 0;

	for (unsigned i = 0; i < THREADS; i++) {
		snprintf(paths[i], sizeof(paths[i]), "%s%u", tree_at("www/thread"), i);
		if (pthread_create(&threads[i], NULL, thread_pairs, paths[i]))
			return 1;
	}
	for (unsigned i = 0; i < THREADS; i++)
		if (pthread_join(threads[i], &failed) || failed)
			r = 2;
	return r;
}

/* What is known of a process's descriptors is written by several processors at once. */
static void threads_check(void)
{
	const char *name = "threads with files";
	uint64_t dropped = witness_dropped();
	int status = -1;

	tree_fill(name);
	witness_run(way_threads, &status);
	witness_settle();
	check_number(name, "the child itself", (uint64_t)status, 0);
	check_number(name, "opened", witness_number(OPEN), THREADS * PAIRS);
	check_number(name, "closed or declared",
		     witness_number(CLOSE) + witness_dropped() - dropped, THREADS * PAIRS);
}

static void ways_check(void)
{
	for (unsigned i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		char command[512];

		if (!ways[i].possible())
			continue;
		tree_fill(ways[i].name);
		snprintf(command, sizeof(command), "printf 0123456789 >%s && ln -s ../www %s",
			 tree_at("other/ten"), tree_at("other/link"));
		check(ways[i].name, "set-up", system(command) == 0);
		run(ways[i].go, ways[i].name);
		if (ways[i].path)
			way_check(i);
		else
			check_number(ways[i].name, "silent",
				     witness_number(OPEN) + witness_number(WRITE) +
					     witness_number(CLOSE),
				     0);
	}
}

int main(void)
{
	if (!tree_open("file_write"))
		return 1;
	ways_check();
	not_created_check();
	cut_check();
	reuse_check();
	threads_check();
	uncounted_check(way_mmap, "mmap");
	if (way_has_uring()) {
		uncounted_check(way_uring_write, "io_uring write");
		uring_open_check();
	}
	return tree_close();
}
