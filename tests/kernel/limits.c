// links: tests/kernel/support/check.c user/sensor/{pipeline,keep,quiet,limits,shed,host,hostnames,watch,filewatch,treewatch,relations,rules,ruleset,losses,lineages,throttle,throttled,takeover,repeats,discover,proctab,probe,probe_map,probe_pins,probe_report,probe_server,pins,uprobe,uprobe_ahead,choice,guard,ladder,syscall,trial,kernel_types,verify,sandbox,elf,*_offsets}.c user/sensor/derive/*.c
// SPDX-License-Identifier: Apache-2.0
// The sensor's stages, driven here, and a child that floods them: above each limit what is least
// important is given up first, in the kernel, and that is said; below it all is told again. What
// memory is short of are processes that nobody needed for longest.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/support/check.h"
#include "lib/arena.h"
#include "lib/log.h"
#include "sensor/filewatch.h"
#include "sensor/host.h"
#include "sensor/limits.h"
#include "sensor/pipeline.h"
#include "sensor/probe.h"
#include "sensor/proctab.h"
#include "sensor/rules.h"
#include "sensor/watch.h"

#define LOOK	  100000 /* us */
#define LOOKS	  150
#define FIRST	  "unix_connect tcp_close pipe_write"
#define SECOND	  FIRST " file_open file_close file_change"
#define PROCESSES (PROCTAB_LEAST + 1000)
#define ARGS	  2000

static struct {
	struct host host;
	struct watch *watch;
	struct proctab *processes;
	struct pipeline *pipeline;
	struct probe *probe;
	struct limits limits;
	char dir[64];
	unsigned changes; /* told, of files */
	unsigned n;	  /* throttle events */
	struct {
		char resource[16], shed[256];
		uint32_t limit;
		uint64_t throttled;
		bool ended;
	} told[64];
} t;

static bool on_event(void *ctx, const Rollcall__Event *ev)
{
	const Rollcall__Throttle *m = ev->throttle;

	(void)ctx;
	t.changes += ev->kind_case == ROLLCALL__EVENT__KIND_FILE_CHANGE;
	if (ev->kind_case != ROLLCALL__EVENT__KIND_THROTTLE || !*m->resource || t.n == 64)
		return false;
	snprintf(t.told[t.n].resource, sizeof(t.told[0].resource), "%s", m->resource);
	snprintf(t.told[t.n].shed, sizeof(t.told[0].shed), "%s", m->shed);
	t.told[t.n].limit = m->limit;
	t.told[t.n].throttled = m->throttled;
	t.told[t.n++].ended = m->ended;
	return false;
}

static bool no_service(void *ctx, const char *exe)
{
	(void)ctx;
	(void)exe;
	return false;
}

static int stages_begin(void)
{
	struct filewatch_key key;
	uint32_t mark = 1;
	int r = host_init(&t.host, "here");

	t.watch = watch_new();
	t.processes = proctab_new(8 * PROCTAB_LEAST, t.host.boot_id);
	strcpy(t.dir, "/tmp/rollcall_limits.XXXXXX");
	if (r < 0 || !t.watch || !t.processes || !mkdtemp(t.dir))
		return -errno;
	r = pipeline_new(
		&(struct pipeline_opts){
			.host = &t.host,
			.watch = t.watch,
			.processes = t.processes,
			.rules = t.dir,
			.placeholders = "",
			.baseline = {.max = 4096, .file = "", .service = no_service},
			.tap = on_event,
			.sessions_max = 64,
			.principals_max = 64},
		&t.pipeline);
	if (r == 0)
		r = rules_read(pipeline_rules(t.pipeline));
	if (r == 0)
		r = probe_new(&(struct probe_opts){.record = pipeline_record, .ctx = t.pipeline},
			      &t.probe);
	if (r == 0)
		pipeline_use(t.pipeline, t.probe);
	if (r == 0)
		r = filewatch_key(t.dir, &key);
	return r ? r : probe_map_watch(t.probe, "watched_tree", &key, &mark);
}

static void limits_begin(struct shed_limits shed, uint64_t memory)
{
	t.limits = (struct limits){.shed.limits = shed,
				   .memory = memory,
				   .pipeline = t.pipeline,
				   .probe = t.probe,
				   .processes = t.processes};
	t.n = 0;
}

static void look(void)
{
	while (probe_consume(t.probe) > 0)
		;
	limits_tick(&t.limits);
	usleep(LOOK);
}

static uint64_t bulk_written(void)
{
	Rollcall__Coverage *c;
	uint64_t n = 0;

	if (probe_coverage(t.probe, pipeline_arena(t.pipeline), &c) == 0)
		n = c->lanes[1]->written;
	arena_reset(pipeline_arena(t.pipeline));
	return n;
}

/* Limits above what this host does by itself, and what looking at it costs. */
static struct shed_limits above_rest(void)
{
	uint64_t time, cpu, written;

	/* Out of reach, but looked at. */
	limits_begin((struct shed_limits){.cpu = 1000000, .events = 1000000000}, 0);
	look();
	time = t.limits.time;
	cpu = t.limits.cpu;
	written = bulk_written();
	for (unsigned i = 0; i < 10; i++)
		look();
	time = t.limits.time - time;
	return (struct shed_limits){
		.cpu = 1 + (uint32_t)(2 * 100 * (t.limits.cpu - cpu) / time),
		.events = 500 + (uint32_t)(2 * 1000000000 * (bulk_written() - written) / time)};
}

/* Until so many throttle events were told. */
static bool look_until(unsigned n)
{
	for (unsigned i = 0; i < LOOKS && t.n < n; i++)
		look();
	return t.n >= n;
}

static pid_t flood_begin(void)
{
	char path[96];
	pid_t pid = fork();
	int fd;

	if (pid)
		return pid;
	snprintf(path, sizeof(path), "%s/a", t.dir);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	for (unsigned i = 0; fd >= 0; i++)
		if (fchmod(fd, i & 1 ? 0600 : 0640) || (i % 64 == 0 && usleep(1000)))
			break;
	_exit(1);
}

static void steps_check(const char *resource, struct shed_limits shed, uint32_t limit)
{
	pid_t pid;
	unsigned last;

	limits_begin(shed, 0);
	pid = flood_begin();
	check(resource, "two steps are taken", look_until(2));
	check(resource, "the first step", strcmp(t.told[0].shed, FIRST) == 0);
	check(resource, "the second step", strcmp(t.told[1].shed, SECOND) == 0);
	check(resource, "is named", strcmp(t.told[0].resource, resource) == 0);
	check_number(resource, "limit", t.told[0].limit, limit);
	look(); /* what was written before */
	t.changes = 0;
	usleep(5 * LOOK);
	while (probe_consume(t.probe) > 0)
		;
	check_number(resource, "changes told meanwhile", t.changes, 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	for (unsigned i = 0; i < LOOKS && !(t.n && t.told[t.n - 1].ended); i++)
		look();
	last = t.n - 1;
	check(resource, "its end is told", t.n && t.told[last].ended && !*t.told[last].shed);
	check(resource, "with how much was held back", t.n && t.told[last].throttled > 0);
}

static void all_told_check(void)
{
	pid_t pid;

	t.changes = 0;
	limits_begin((struct shed_limits){}, 0);
	pid = flood_begin();
	for (unsigned i = 0; i < 5; i++)
		look();
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	check("no limit", "changes are told again", t.changes > 0);
	check_number("no limit", "nothing is given up", t.n, 0);
}

static void processes_add(void)
{
	char args[ARGS];

	memset(args, 'x', sizeof(args));
	for (uint32_t i = 0; i < PROCESSES; i++) {
		Rollcall__Task task;
		Rollcall__Exec exec;

		rollcall__task__init(&task);
		rollcall__exec__init(&exec);
		task.tgid = (1 << 24) + i; /* of nobody */
		task.start_time = 1;
		exec.task = &task;
		exec.args = (ProtobufCBinaryData){sizeof(args), (uint8_t *)args};
		proctab_exec(t.processes, host_boottime(), &exec);
	}
}

static void memory_check(void)
{
	struct proctab_counts before, after;

	limits_begin((struct shed_limits){}, 1); /* always too much */
	processes_add();
	proctab_counts(t.processes, &before);
	look();
	proctab_counts(t.processes, &after);
	check_number("memory", "is told once", t.n, 1);
	check("memory", "is named", strcmp(t.told[0].resource, "memory") == 0);
	check_number("memory", "processes that are left", after.processes, PROCTAB_LEAST);
	check_number("memory", "forgotten", after.evicted - before.evicted, t.told[0].throttled);
	t.limits.memory = 1ull << 40;
	check("memory", "its end is told", look_until(2) && t.told[1].ended);
}

int main(void)
{
	struct shed_limits rest;
	char command[128];
	int r;

	log_open("limits", LOG_LEVEL_WARN);
	r = stages_begin();
	if (r < 0) {
		fprintf(stderr, "limits: cannot start: %s\n", strerror(-r));
		return 1;
	}
	rest = above_rest();
	steps_check("events", (struct shed_limits){.events = rest.events}, rest.events);
	steps_check("cpu", (struct shed_limits){.cpu = rest.cpu}, rest.cpu);
	all_told_check();
	memory_check();
	probe_freep(&t.probe);
	pipeline_freep(&t.pipeline);
	proctab_freep(&t.processes);
	watch_freep(&t.watch);
	snprintf(command, sizeof(command), "rm -rf %s", t.dir);
	check("end", "the directory is removed", system(command) == 0);
	return check_close();
}
