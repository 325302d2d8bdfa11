// links: tests/kernel/support/*.c user/sensor/{probe,probe_map,probe_pins,probe_report,probe_server,host,pins,uprobe,uprobe_ahead,discover,choice,guard,ladder,syscall,trial,kernel_types,verify,sandbox,elf,proctab,*_offsets}.c
// SPDX-License-Identifier: Apache-2.0
// A process of a watched lineage writes into the pipe that is the standard input of another, in
// every way: whose pipe, how much. Silent: pipes that nobody reads as his standard input, his own,
// and writers whom nobody watches.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kernel/support/check.h"
#include "kernel/support/ends.h"
#include "kernel/support/way.h"
#include "kernel/support/witness.h"

#define PIPE  ROLLCALL__EVENT__KIND_PIPE_WRITE
#define EXEC  ROLLCALL__EVENT__KIND_EXEC
#define BYTES 10

static char *way_arg;

/* ---- ways, in the watched program, with the pipe's other end; 0 when it worked ---- */

static int by_write(int fd)
{
	return write(fd, "0123456789", BYTES) != BYTES;
}

static int by_writev(int fd)
{
	struct iovec v[] = {{(char *)(uintptr_t) "01234", 5}, {(char *)(uintptr_t) "56789", 5}};

	return writev(fd, v, 2) != BYTES;
}

static int by_splice(int fd)
{
	char path[] = "/tmp/pipe_write.XXXXXX";
	int from = mkstemp(path);
	off_t at = 0;

	return unlink(path) || write(from, "0123456789", BYTES) != BYTES ||
	       splice(from, &at, fd, NULL, BYTES, 0) != BYTES;
}

static int by_i386(int fd)
{
	return way_i386(4, (long[6]){fd, way_low("0123456789", BYTES), BYTES}) != BYTES;
}

/* The second of three within a second is not told, one after it is, with what there was. */
static int three_times(int fd)
{
	if (by_write(fd) || by_write(fd))
		return 1;
	nanosleep(&(struct timespec){1, 100000000}, NULL);
	return by_write(fd);
}

static int nobody_reads(int fd)
{
	int own[2];

	(void)fd;
	return pipe(own) || by_write(own[1]);
}

static bool always(void)
{
	return true;
}

static const struct way {
	const char *name;
	int (*go)(int fd);
	bool (*possible)(void);
	unsigned events, writes;
} ways[] = {
	{"write", by_write, always, 1, 1},
	{"writev", by_writev, always, 1, 1},
	{"splice", by_splice, always, 1, 1},
	{"write, 32-bit", by_i386, way_has_i386, 1, 1},
	{"write, again and later", three_times, always, 2, 3},
	{"nobody's input", nobody_reads, always, 0, 0},
};
#define WAYS (sizeof(ways) / sizeof(*ways))

static int again(const char *way, int fd)
{
	char text[12];

	snprintf(text, sizeof(text), "%d", fd);
	return execl("/proc/self/exe", "pipe_write", way, text, NULL);
}

/* In the watched program: has one that reads, and writes. What the system says goes to stdout. */
static int server(const struct way *w, int report)
{
	struct stat st = {};
	int fds[2], status;
	uint64_t said[2];
	char byte;
	pid_t pid;

	if (pipe(fds) || fstat(fds[0], &st))
		return 1;
	pid = fork();
	if (pid == 0) {
		dup2(fds[0], 0);
		close(fds[0]);
		close(fds[1]);
		return again("reader", report);
	}
	said[0] = st.st_ino;
	said[1] = (uint64_t)pid;
	/* It reads when it says so: it has executed then. */
	if (read(report, &byte, 1) != 1 || w->go(fds[1]) ||
	    write(report, said, sizeof(said)) != sizeof(said))
		return 2;
	close(fds[0]);
	close(fds[1]);
	return waitpid(pid, &status, 0) != pid || status;
}

static int reader(int report)
{
	char bytes[64];

	/* What it executes inherits the pipe, and is not who reads it. */
	if (system("/proc/$PPID/exe nothing") || write(report, "r", 1) != 1)
		return 1;
	while (read(0, bytes, sizeof(bytes)) > 0)
		;
	return 0;
}

static int report; /* a fifo, whose bytes wait for who wants them */

static int go_watched(void)
{
	return again(way_arg, report);
}

static void event_check(const struct way *w, const Rollcall__PipeWrite *p, pid_t pid,
			const uint64_t said[2])
{
	ends_check_task(w->name, p->task, pid);
	check_number(w->name, "inode", p->ino, said[0]);
	check_number(w->name, "reader", p->reader_tgid, said[1]);
	check_number(w->name, "written", p->written, BYTES);
	check_number(w->name, "writes", p->writes, w->writes);
	check_number(w->name, "bytes", p->bytes, (uint64_t)BYTES * w->writes);
	check_number(w->name, "lineage", p->lineage, 3);
}

static void way_check(const struct way *w)
{
	const Rollcall__Event *ev = NULL, *exec;
	uint64_t said[2] = {};
	int status;
	pid_t pid;

	way_arg = (char *)(uintptr_t)w->name;
	pid = witness_run(go_watched, &status);
	check_number(w->name, "child", (uint64_t)status, 0);
	check_number(w->name, "it reported", (uint64_t)read(report, said, sizeof(said)),
		     sizeof(said));
	if (w->events)
		ev = witness_wait(PIPE, pid, w->events);
	check(w->name, "event", !w->events || ev);
	exec = witness_wait(EXEC, (pid_t)said[1], 1);
	check_number(w->name, "the reader's input", exec ? exec->exec->input->ino : 0, said[0]);
	if (ev)
		event_check(w, ev->pipe_write, pid, said);
	witness_settle();
	check_number(w->name, "events", witness_count(PIPE, pid), w->events);
	check_number(w->name, "events of the reader", witness_count(PIPE, (pid_t)said[1]), 0);
	if (w->events)
		ends_coverage("pipe_write", w->name, witness_hook("file_write"), ev);
}

/* This program is what is watched, when it is executed again. */
static void watch(uint32_t marks)
{
	struct {
		uint64_t ino;
		uint32_t dev, pad;
	} key = {};
	struct stat st = {};

	check("watch", "stat", stat("/proc/self/exe", &st) == 0);
	key.ino = st.st_ino;
	key.dev = major(st.st_dev) << 20 | minor(st.st_dev);
	if (marks)
		check("watch", "watched", witness_watch("watched_exe", &key, &marks) == 0);
	else
		check("watch", "no more", witness_unwatch("watched_exe", &key) == 0);
}

static void unwatched_check(void)
{
	uint64_t said[2];
	int status;
	pid_t pid;

	watch(0);
	way_arg = (char *)(uintptr_t) "write";
	pid = witness_run(go_watched, &status);
	check_number("unwatched", "child", (uint64_t)status, 0);
	check("unwatched", "it reported", read(report, said, sizeof(said)) == sizeof(said));
	check_number("unwatched", "events", witness_count(PIPE, pid), 0);
}

int main(int argc, char **argv)
{
	char path[] = "/tmp/pipe_write.XXXXXX";

	if (argc == 2)
		return 0;
	if (argc == 3 && strcmp(argv[1], "reader") == 0)
		return reader(atoi(argv[2]));
	for (size_t i = 0; argc == 3 && i < WAYS; i++)
		if (strcmp(ways[i].name, argv[1]) == 0)
			return server(&ways[i], atoi(argv[2]));
	if (!mkdtemp(path) || chdir(path) || mkfifo("f", 0600))
		return 1;
	report = open("f", O_RDWR);
	if (unlink("f") || chdir("/") || rmdir(path) || !witness_open("pipe_write"))
		return 1;
	watch(1);
	for (size_t i = 0; i < WAYS; i++)
		if (ways[i].possible())
			way_check(&ways[i]);
	unwatched_check();
	return witness_close();
}
