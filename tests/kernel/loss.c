// links: tests/kernel/support/check.c user/sensor/{probe,probe_report,choice,guard,filewatch,watch,ladder,syscall,trial,sandbox,elf,*_offsets}.c
// SPDX-License-Identifier: Apache-2.0
// Loss closes: processes on every CPU flood with file events, execute programs and connect, and
// count for themselves what they did. Nobody reads the rings meanwhile: starved for real. Then, for
// each kind: done = read + declared lost, to the event; and no exec, exit or signal is missing.
// ROUNDS (default 10), CALLS per flooding process and round (default 40000).
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kernel/support/check.h"
#include "lib/arena.h"
#include "lib/log.h"
#include "lib/record.h"
#include "sensor/filewatch.h"
#include "sensor/probe.h"

#define FLOODERS_MAX 64
#define PROGRAMS     50 /* executed by each flooder and round */
#define KINDS	     128

/* What a flooder did: its own count, in shared memory. */
struct done {
	uint64_t opens, changes, connects, execs;
};

static struct {
	struct probe *probe;
	struct arena *arena;
	uint64_t read[KINDS]; /* records of our own processes, by kind */
	struct done *done;    /* of each flooder */
	unsigned n, calls;
	char dir[64], exe[128];
	pid_t first, last; /* pids of this round's flooders: an own session each */
} t;

static bool is_ours(const char *path)
{
	return path && strncmp(path, t.dir, strlen(t.dir)) == 0;
}

/* Others of this machine open and execute, too: only what is below our directory counts. */
static bool counts(const Rollcall__Event *ev)
{
	switch (ev->kind_case) {
	case ROLLCALL__EVENT__KIND_FILE_OPEN:
		return is_ours(ev->file_open->path);
	case ROLLCALL__EVENT__KIND_FILE_CLOSE:
		return is_ours(ev->file_close->path);
	case ROLLCALL__EVENT__KIND_FILE_CHANGE:
		return is_ours(ev->file_change->path);
	case ROLLCALL__EVENT__KIND_UNIX_CONNECT:
		return is_ours(ev->unix_connect->path);
	case ROLLCALL__EVENT__KIND_EXEC:
		return is_ours(ev->exec->exe);
	case ROLLCALL__EVENT__KIND_EXIT:
		return ev->exit->exit_code == 77 << 8;
	default:
		return false;
	}
}

static void on_record(void *ctx, const void *record, size_t size)
{
	Rollcall__Event *ev;
	unsigned truncated;

	(void)ctx;
	arena_reset(t.arena);
	if (record_decode(t.arena, record, size, &ev, &truncated) < 0)
		check("decode", "malformed record", false);
	else if (counts(ev))
		t.read[ev->kind_case]++;
}

/* ---- the load ---- */

static int execute(void)
{
	char *const argv[] = {t.exe, "77", NULL};
	int status = -1;
	pid_t pid;

	if (posix_spawn(&pid, t.exe, NULL, NULL, argv, NULL))
		return -1;
	waitpid(pid, &status, 0);
	return WIFEXITED(status) && WEXITSTATUS(status) == 77 ? 0 : -1;
}

static int connect_once(void)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), r;

	snprintf(a.sun_path, sizeof(a.sun_path), "%.80s/socket", t.dir);
	r = connect(fd, (struct sockaddr *)&a, sizeof(a));
	close(fd);
	return r;
}

static int flood(struct done *done)
{
	char path[128];
	int fd = -1;

	snprintf(path, sizeof(path), "%s/file%d", t.dir, getpid());
	for (unsigned i = 0; i < t.calls; i++) {
		if (i % 4 == 0) {
			fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
			if (fd < 0)
				return 1;
			done->opens++;
		}
		if (fchmod(fd, 0600 | (i & 1)))
			return 2;
		done->changes++;
		if (i % 4 == 3 && close(fd))
			return 3;
		if (i % (t.calls / PROGRAMS) == 0) {
			if (connect_once() || execute())
				return 4;
			done->connects++;
			done->execs++;
		}
	}
	return 0;
}

static struct done sum(void)
{
	struct done s = {};

	for (unsigned i = 0; i < t.n; i++) {
		s.opens += t.done[i].opens;
		s.changes += t.done[i].changes;
		s.connects += t.done[i].connects;
		s.execs += t.done[i].execs;
	}
	return s;
}

/* ---- what the kernel says ---- */

struct kernel_count {
	uint64_t written, lost;
};

static struct kernel_count kernel_count(const Rollcall__Coverage *c, const char *event)
{
	struct kernel_count n = {};

	for (size_t i = 0; i < c->n_counts; i++)
		if (strcmp(c->counts[i]->event, event) == 0) {
			n.written += c->counts[i]->written;
			n.lost += c->counts[i]->dropped + c->counts[i]->throttled;
		}
	return n;
}

/* Nothing else makes these kinds here but this test: the kernel's count is ours. */
static uint64_t closes(const Rollcall__Coverage *c, const char *event,
		       Rollcall__Event__KindCase kind, uint64_t done)
{
	struct kernel_count n = kernel_count(c, event);

	check_number(event, "done = read + lost", t.read[kind] + n.lost, done);
	check_number(event, "written = read", t.read[kind], n.written);
	return n.lost;
}

static void flooders_run(void)
{
	pid_t pids[FLOODERS_MAX];

	fflush(stdout);
	for (unsigned i = 0; i < t.n; i++) {
		pids[i] = fork();
		if (!pids[i])
			_exit(flood(&t.done[i]));
	}
	for (unsigned i = 0; i < t.n; i++) {
		int status = -1;

		waitpid(pids[i], &status, 0);
		check_number("flooder", "status", (uint64_t)status, 0);
	}
}

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void round_run(unsigned round)
{
	struct arena *a = arena_new(64 * 1024);
	Rollcall__Coverage *c = NULL;
	struct done before = sum(), now;
	double began = seconds(), took;
	uint64_t lost;

	flooders_run();
	took = seconds() - began;
	while (probe_consume(t.probe) > 0)
		;
	now = sum();
	check("coverage", "readable", probe_coverage(t.probe, a, &c) == 0);
	lost = closes(c, "file_open", ROLLCALL__EVENT__KIND_FILE_OPEN, now.opens);
	lost += closes(c, "file_close", ROLLCALL__EVENT__KIND_FILE_CLOSE, now.opens);
	lost += closes(c, "file_change", ROLLCALL__EVENT__KIND_FILE_CHANGE, now.changes);
	check_number("unix_connect", "none is missing that was not declared",
		     t.read[ROLLCALL__EVENT__KIND_UNIX_CONNECT] +
				     kernel_count(c, "unix_connect").lost >=
			     now.connects,
		     1);
	check_number("exec", "none is missing", t.read[ROLLCALL__EVENT__KIND_EXEC], now.execs);
	check_number("exit", "none is missing", t.read[ROLLCALL__EVENT__KIND_EXIT], now.execs);
	check_number("crit", "lost", c->lanes[0]->dropped, 0);
	check_number("slots", "lost", kernel_count(c, "").lost, 0);
	printf("round %u: %.0f file events/s offered, %llu of all lost and declared\n", round,
	       (double)(2 * (now.opens - before.opens) + now.changes - before.changes) / took,
	       (unsigned long long)lost);
	arena_free(a);
}

static int listener(void)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%.80s/socket", t.dir);
	return fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) || listen(fd, 4096) ? -1 : fd;
}

static int setup(void)
{
	struct probe_opts opts = {.record = on_record};
	char command[256];
	struct filewatch_key key;
	uint32_t mark = 1;
	int r;

	strcpy(t.dir, "/tmp/rollcall_loss.XXXXXX");
	if (!mkdtemp(t.dir))
		return -errno;
	snprintf(t.exe, sizeof(t.exe), "%s/exit77", t.dir);
	/* This program itself, which ends at once when it is called so. */
	snprintf(command, sizeof(command), "cp /proc/%d/exe %s", getpid(), t.exe);
	if (system(command))
		return -EIO;
	r = probe_new(&opts, &t.probe);
	if (r == 0)
		r = filewatch_key(t.dir, &key);
	return r ? r : probe_map_update(t.probe, "watched_tree", &key, &mark);
}

int main(int argc, char **argv)
{
	unsigned rounds = getenv("ROUNDS") ? (unsigned)atoi(getenv("ROUNDS")) : 10;
	char command[128];
	int fd, r;

	if (argc > 1)
		return atoi(argv[1]);
	log_open("loss", LOG_LEVEL_WARN);
	t.calls = getenv("CALLS") ? (unsigned)atoi(getenv("CALLS")) : 40000;
	t.n = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
	t.n = t.n > FLOODERS_MAX ? FLOODERS_MAX : t.n;
	t.arena = arena_new(64 * 1024);
	t.done = mmap(NULL, FLOODERS_MAX * sizeof(*t.done), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	r = setup();
	if (r < 0) {
		fprintf(stderr, "loss: cannot start: %s\n", strerror(-r));
		return 1;
	}
	fd = listener();
	check("listener", "is there", fd >= 0);
	for (unsigned i = 1; i <= rounds; i++)
		round_run(i);
	close(fd);
	probe_freep(&t.probe);
	arena_freep(&t.arena);
	snprintf(command, sizeof(command), "rm -rf %s", t.dir);
	check("end", "the directory is removed", system(command) == 0);
	return check_close();
}
