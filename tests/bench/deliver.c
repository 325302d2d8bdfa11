// links: user/sensor/{stream,sandbox,order}.c
// SPDX-License-Identifier: Apache-2.0
// Events on their way from the spool to the aggregator's disk, for tests/bench/run: how many a
// second are spooled, and how many of one core's seconds the stream process and the aggregator
// need. The aggregator is a real one, over mutual TLS; an event counts when it is acknowledged.
// Usage: deliver SPOOL ADDRESS BUNDLE PID EVENTS; PID is the aggregator's.
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/arena.h"
#include "lib/clean.h"
#include "lib/cursor.h"
#include "lib/event_pack.h"
#include "lib/event_read.h"
#include "lib/log.h"
#include "lib/spool.h"
#include "sensor/stream.h"

#define BULK	2
#define SHAPES	1000
#define ROOM	(4ull << 30)
#define MINUTES 5

static Rollcall__Event *shapes[SHAPES];
static struct spool_process processes[SHAPES];

static void die(const char *what, int error)
{
	fprintf(stderr, "deliver: %s: %s\n", what, strerror(error < 0 ? -error : error));
	exit(1);
}

static double now(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Process starts, as a busy server's. */
static void shapes_make(struct arena *a)
{
	char line[1024], why[200];

	for (unsigned i = 0; i < SHAPES; i++) {
		int n = snprintf(
			line, sizeof(line),
			"{\"event\":\"exec\",\"time\":\"2026-01-30T09:12:44Z\",\"id\":\"e%u\","
			"\"process\":{\"pid\":%u,\"exe\":\"/usr/bin/check%u\",\"args\":[\"curl\","
			"\"--config\",\"/etc/service/app%u.conf\",\"http://localhost:%u/status\"],"
			"\"user\":\"www-data\",\"cwd\":\"/srv/app\",\"parent\":{\"exe\":"
			"\"/usr/bin/bash\",\"args\":[\"bash\",\"/usr/local/bin/run-checks\"]}}}",
			i, 1000 + i, i, i, i);

		if (event_read(a, line, (size_t)n, &shapes[i], why, sizeof(why)) < 0)
			die(why, EINVAL);
		if (spool_process_pack(a, shapes[i]->process, &processes[i]) < 0)
			die("process", ENOMEM);
	}
}

/* One each 10 us. */
static int event_spool(struct spool *s, uint64_t i)
{
	Rollcall__Event *ev = shapes[i % SHAPES];
	uint8_t bytes[4096], *end = bytes + sizeof(bytes), *data, *room = NULL;
	int r;

	ev->time += SHAPES * 10000;
	data = event_pack(ev, bytes, end);
	if (!data)
		return -EMSGSIZE;
	r = spool_claim(s, BULK, (size_t)(end - data), &processes[i % SHAPES], &room);
	if (room)
		memcpy(room, data, (size_t)(end - data));
	return r;
}

/* Returns the last number. */
static uint64_t spool_fill(const char *dir, const char *boot_id, gid_t group, uint64_t events)
{
	const struct spool_opts opts = {
		.directory = dir, .boot_id = boot_id, .max_bytes = ROOM, .boottime = 1};
	_cleanup_(spool_freep) struct spool *s = NULL;
	double begun, cpu;
	int r = spool_prepare(dir, group);

	if (r == 0)
		r = spool_open(&opts, &s);
	if (r < 0)
		die(dir, r);
	begun = now(CLOCK_MONOTONIC);
	cpu = now(CLOCK_PROCESS_CPUTIME_ID);
	for (uint64_t i = 0; i < events && r == 0; i++)
		r = event_spool(s, i);
	if (r == 0)
		r = spool_sync(s);
	if (r < 0)
		die("spool", r);
	printf("spool %" PRIu64 " %.3f %.3f\n", events, now(CLOCK_MONOTONIC) - begun,
	       now(CLOCK_PROCESS_CPUTIME_ID) - cpu);
	fflush(stdout);
	return spool_next(s, BULK) - 1;
}

/* utime + stime of another process. */
static double cpu_of(pid_t pid)
{
	char path[64], text[1024] = "", *at;
	unsigned long user = 0, kernel = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "re");
	if (!f || !fgets(text, sizeof(text), f))
		die(path, errno);
	fclose(f);
	at = strrchr(text, ')');
	if (!at || sscanf(at + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
			  &kernel) != 2)
		die(path, EBADMSG);
	return (double)(user + kernel) / (double)sysconf(_SC_CLK_TCK);
}

static void acknowledged(const char *dir, const char *boot_id, uint64_t last, pid_t stream)
{
	double end = now(CLOCK_MONOTONIC) + 60 * MINUTES;
	char path[4096];

	snprintf(path, sizeof(path), "%s/stream", dir);
	while (now(CLOCK_MONOTONIC) < end && waitpid(stream, NULL, WNOHANG) == 0) {
		_cleanup_(closep) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		struct cursor c = {};

		if (fd >= 0 && cursor_read(fd, &c) == 0 && cursor_get(&c, boot_id, BULK) >= last)
			return;
		nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
	}
	die("not everything was acknowledged", ETIMEDOUT);
}

static void stream_all(const struct stream_opts *opts, pid_t aggregator, uint64_t events,
		       uint64_t last)
{
	double begun = now(CLOCK_MONOTONIC), cpu = cpu_of(aggregator), took;
	struct rusage used = {};
	pid_t pid = fork();

	if (pid == 0)
		_exit(stream_run(opts) < 0);
	acknowledged(opts->spool, opts->boot_id, last, pid);
	took = now(CLOCK_MONOTONIC) - begun;
	kill(pid, SIGTERM);
	wait4(pid, NULL, 0, &used);
	printf("stream %" PRIu64 " %.3f %.3f\n", events, took,
	       (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
		       (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6);
	printf("ingest %" PRIu64 " %.3f %.3f\n", events, took, cpu_of(aggregator) - cpu);
}

int main(int argc, char **argv)
{
	const struct passwd *user = getpwnam("nobody");
	struct stream_opts opts = {
		.host = "mdm1", .boot_id = "01234567-89ab-cdef-0123-456789abcdef", .inbox = ""};
	_cleanup_(arena_freep) struct arena *a = arena_new(1 << 20);
	uint64_t events, last;

	if (argc != 6 || !user || !a)
		return 2;
	opts.spool = argv[1];
	opts.aggregator = argv[2];
	opts.bundle = argv[3];
	opts.uid = user->pw_uid;
	opts.gid = user->pw_gid;
	events = strtoull(argv[5], NULL, 10);
	log_open("deliver", LOG_LEVEL_WARN);
	shapes_make(a);
	last = spool_fill(opts.spool, opts.boot_id, opts.gid, events);
	stream_all(&opts, (pid_t)strtol(argv[4], NULL, 10), events, last);
	return 0;
}
