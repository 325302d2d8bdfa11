// links: tests/kernel/support/{way,check}.c user/sensor/{probe,probe_map,probe_pins,probe_report,probe_server,host,pins,uprobe,uprobe_ahead,discover,choice,guard,ladder,syscall,trial,kernel_types,verify,sandbox,elf,*_offsets}.c
// SPDX-License-Identifier: Apache-2.0
// Opens a watched file in every way a thief would, and checks each field of the event; opens that
// are no read, files that are not watched and the server's own reads must stay silent.
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/support/way.h"
#include "lib/arena.h"
#include "lib/clean.h"
#include "lib/log.h"
#include "lib/record.h"
#include "sensor/probe.h"

#define SEEN_MAX 16

/* As struct inode_key in bpf/file.bpf.c. */
struct key {
	uint64_t ino;
	uint32_t dev, pad;
};

static struct {
	struct arena *arena;
	struct probe *probe;
	Rollcall__FileRead *seen[SEEN_MAX];
	unsigned n;
	unsigned passed, failed;
	char dir[64];
} t;

static void check(bool ok, const char *what, const char *detail)
{
	t.passed += ok;
	t.failed += !ok;
	if (!ok)
		printf("FAILED %s: %s\n", what, detail);
}

static void on_record(void *ctx, const void *record, size_t size)
{
	Rollcall__Event *ev;
	unsigned truncated;

	(void)ctx;
	if (record_decode(t.arena, record, size, &ev, &truncated) < 0)
		check(false, "decode", "malformed record");
	else if (ev->kind_case == ROLLCALL__EVENT__KIND_FILE_READ && t.n < SEEN_MAX)
		t.seen[t.n++] = ev->file_read;
}

static const char *at(const char *name)
{
	static char path[4][128];
	static unsigned i;

	i = (i + 1) % 4;
	snprintf(path[i], sizeof(path[i]), "%s/%s", t.dir, name);
	return path[i];
}

static struct key key_of(const char *path)
{
	struct stat st = {};

	if (stat(path, &st))
		perror(path);
	return (struct key){st.st_ino, major(st.st_dev) << 20 | minor(st.st_dev), 0};
}

/* ---- ways to open; each runs in a child of its own and returns 0 ---- */

static int run(const char *program, const char *a, const char *b)
{
	int null = open("/dev/null", O_WRONLY);

	dup2(null, 1);
	execl(program, program, a, b, NULL);
	return 1;
}

static int open_cat(void)
{
	return run("/bin/cat", at("data"), NULL);
}
static int open_hard(void)
{
	return run("/bin/cp", at("hard"), at("copy"));
}
static int open_symlink(void)
{
	return run("/bin/cat", at("symlink"), NULL);
}
static int open_write(void)
{
	return open(at("data"), O_WRONLY | O_APPEND) < 0;
}
static int open_rdwr(void)
{
	return open(at("data"), O_RDWR) < 0;
}
static int open_path(void)
{
	return open(at("data"), O_PATH) < 0;
}
static int open_other(void)
{
	return open(at("other"), O_RDONLY) < 0;
}
static int open_server(void)
{
	return run(at("server"), at("data"), NULL);
}
static int open_old(void)
{
	return (int)syscall(SYS_openat, AT_FDCWD, at("data"), O_RDONLY) < 0;
}

static int open_relative(void)
{
	int dir = open(t.dir, O_RDONLY | O_DIRECTORY);

	return openat(dir, "data", O_RDONLY | O_NOFOLLOW) < 0;
}

/* Two opens: an O_PATH descriptor, which cannot be read, is opened again through /proc. */
static int open_again(void)
{
	char path[64];
	int fd = open(at("data"), O_PATH);

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_RDONLY) < 0;
}

static int open_openat2(void)
{
	struct open_how how = {.flags = O_RDONLY | O_CLOEXEC};

	return syscall(SYS_openat2, AT_FDCWD, at("data"), &how, sizeof(how)) < 0;
}

static int open_handle(void)
{
	struct {
		struct file_handle h;
		unsigned char bytes[MAX_HANDLE_SZ];
	} h = {.h.handle_bytes = MAX_HANDLE_SZ};
	int mount, root = open(t.dir, O_RDONLY | O_DIRECTORY);

	if (name_to_handle_at(AT_FDCWD, at("data"), &h.h, &mount, 0))
		return 1;
	return open_by_handle_at(root, &h.h, O_RDONLY) < 0;
}

/*
 * open(2) of i386, which a 64-bit program may call too: its number means fstat on x86-64. A
 * kernel without 32-bit support has no such way in, and the plain call stands in for it.
 */
static int open_compat(void)
{
#if defined(__x86_64__)
	char *path = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	long fd = 5;

	strcpy(path, at("data"));
	if (way_has_i386()) {
		__asm__ volatile("int $0x80"
				 : "+a"(fd)
				 : "b"(path), "c"(O_RDONLY), "d"(0)
				 : "memory", "r8", "r9", "r10", "r11");
		return fd < 0;
	}
#endif
	return open_old();
}

static int open_uring(void)
{
	if (!way_has_uring())
		return open_old();
	return way_uring(&(struct io_uring_sqe){
		       .opcode = IORING_OP_OPENAT,
		       .fd = AT_FDCWD,
		       .addr = (uint64_t)at("data"),
	       }) < 0;
}

static const struct {
	const char *name;
	int (*open)(void);
	const char *path; /* as the event must name it; NULL: no event */
} ways[] = {
	{"cat", open_cat, "data"},
	{"cp through a hard link", open_hard, "hard"},
	{"symbolic link", open_symlink, "data"},
	{"directory descriptor", open_relative, "data"},
	{"O_PATH, then /proc/self/fd", open_again, "data"},
	{"openat2", open_openat2, "data"},
	{"open_by_handle_at", open_handle, "data"},
	{"read and write", open_rdwr, "data"},
	{"plain openat", open_old, "data"},
	{"32-bit open", open_compat, "data"},
	{"io_uring", open_uring, "data"},
	{"write only", open_write, NULL},
	{"O_PATH alone", open_path, NULL},
	{"another file", open_other, NULL},
	{"the server's executable", open_server, NULL},
};

/* Runs one way in a child; the records it caused are in t.seen. */
static pid_t way_run(int (*way)(void))
{
	int status = -1;
	pid_t pid;

	probe_consume(t.probe);
	arena_reset(t.arena);
	t.n = 0;
	pid = fork();
	if (!pid)
		_exit(way());
	waitpid(pid, &status, 0);
	check(status == 0, "the child itself", "could not open");
	probe_consume(t.probe);
	return pid;
}

static void event_check(const char *name, const Rollcall__FileRead *e, pid_t pid, const char *path)
{
	struct key key = key_of(at("data"));
	struct stat st = {};

	stat(at("data"), &st);
	/* By handle there is no name: the kernel takes any link of the file. */
	check(strcmp(e->path, at(path)) == 0 ||
		      (strstr(name, "by_handle") && strcmp(e->path, at("hard")) == 0),
	      name, e->path);
	check(e->inode && e->inode->ino == key.ino && e->inode->dev == key.dev, name, "inode");
	check(e->inode && e->inode->size == (uint64_t)st.st_size, name, "size");
	check(e->inode && e->inode->mode == st.st_mode, name, "mode");
	check(e->task && e->task->tgid == (uint32_t)pid, name, "tgid");
	check(e->task && e->task->ppid == (uint32_t)getpid(), name, "ppid");
	check(e->task && e->task->uid == getuid() && e->task->start_time, name, "uid, start time");
	check((e->flags & O_ACCMODE) != O_WRONLY, name, "flags");
}

static void ways_check(void)
{
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		pid_t pid = way_run(ways[i].open);
		char n[32];

		snprintf(n, sizeof(n), "%u events", t.n);
		check(t.n == (ways[i].path ? 1 : 0), ways[i].name, n);
		if (ways[i].path && t.n)
			event_check(ways[i].name, t.seen[0], pid, ways[i].path);
	}
}

static int files_make(void)
{
	char command[512];

	strcpy(t.dir, "/tmp/file_read.XXXXXX");
	if (!mkdtemp(t.dir))
		return -errno;
	snprintf(command, sizeof(command),
		 "cd %s && echo secret >data && echo other >other && ln data hard &&"
		 " ln -s data symlink && cp /bin/cat server",
		 t.dir);
	return system(command) ? -EIO : 0;
}

static void files_remove(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", t.dir);
	if (system(command))
		perror(t.dir);
}

/* After the key is taken out, the file is like any other. */
static void unwatch_check(void)
{
	struct key key = key_of(at("data"));

	check(probe_map_delete(t.probe, "watched_inode", &key) == 0, "unwatch", "map");
	way_run(open_cat);
	check(t.n == 0, "unwatch", "still reported");
}

int main(void)
{
	struct probe_opts opts = {.record = on_record};
	struct key data, server;
	uint64_t mask = 1;
	uint32_t one = 1;
	int r;

	log_open("file_read", LOG_LEVEL_WARN);
	t.arena = arena_new(64 * 1024);
	r = files_make();
	if (!r)
		r = probe_new(&opts, &t.probe);
	if (r) {
		fprintf(stderr, "file_read: cannot start: %s\n", strerror(-r));
		return 1;
	}
	data = key_of(at("data"));
	server = key_of(at("server"));
	check(probe_map_watch(t.probe, "watched_inode", &data, &mask) == 0, "watch", "map");
	check(probe_map_update(t.probe, "server_exe", &server, &one) == 0, "server", "map");
	ways_check();
	unwatch_check();
	probe_freep(&t.probe);
	arena_freep(&t.arena);
	files_remove();
	printf("%u passed, %u failed\n", t.passed, t.failed);
	return t.failed != 0;
}
