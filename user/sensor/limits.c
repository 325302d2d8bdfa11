// SPDX-License-Identifier: Apache-2.0
// The sensor's use of its host, measured and bounded.
#include "sensor/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/arena.h"
#include "lib/clean.h"
#include "lib/log.h"
#include "lib/record.h"
#include "sensor/host.h"
#include "sensor/pipeline.h"
#include "sensor/probe.h"
#include "sensor/proctab.h"

#define MEMORY_RECOVER 10 /* looks */
#define LANE_BULK      1  /* as probe_coverage() has them */

/* ---- what is used ---- */

static uint64_t cpu_used(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* Resident bytes, 0 when that cannot be read. */
static uint64_t memory_used(void)
{
	_cleanup_(closep) int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	unsigned long long resident = 0;
	char text[128] = "";

	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0 ||
	    sscanf(text, "%*u %llu", &resident) != 1)
		return 0;
	return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* ---- saying so ---- */

static Rollcall__Event *throttle_event(struct arena *a, const char *resource, uint64_t limit)
{
	Rollcall__Throttle *m = arena_alloc(a, sizeof(*m));
	Rollcall__Event *ev = arena_alloc(a, sizeof(*ev));

	if (!m || !ev)
		return NULL;
	rollcall__throttle__init(m);
	rollcall__event__init(ev);
	m->resource = arena_strdup(a, resource);
	m->limit = (uint32_t)limit;
	ev->time = host_boottime();
	ev->kind_case = ROLLCALL__EVENT__KIND_THROTTLE;
	ev->throttle = m;
	return m->resource ? ev : NULL;
}

/* ---- CPU and events ---- */

static void step_apply(struct limits *l)
{
	for (uint32_t kind = 1; kind < RECORD_KIND_MAX; kind++) {
		unsigned step = shed_step_of(kind);
		uint32_t shed = step && step <= l->shed.step;

		if (step && probe_map_update(l->probe, "bulk_shed", &kind, &shed) < 0)
			log_warn(-errno, "limits: the kernel cannot be told what to give up");
	}
}

/* A sensor whose probes were taken over may have given something up. */
void limits_reset(struct limits *l)
{
	step_apply(l);
}

static char *step_kinds(struct arena *a, unsigned step)
{
	char *list = arena_strdup(a, "");

	for (unsigned i = 1; i <= step && list; i++)
		list = arena_printf(a, "%s%s%s", list, i > 1 ? " " : "", shed_kinds(i));
	return list;
}

static void step_tell(struct limits *l, uint64_t held)
{
	struct arena *a = pipeline_arena(l->pipeline);
	Rollcall__Event *ev = throttle_event(a, l->shed.resource, l->shed.limit);

	if (!ev)
		return;
	ev->throttle->shed = step_kinds(a, l->shed.step);
	ev->throttle->ended = !l->shed.step;
	ev->throttle->throttled = held - l->held;
	if (ev->throttle->shed)
		pipeline_emit(l->pipeline, ev);
}

static void shed_tick(struct limits *l, uint64_t now, uint64_t cpu)
{
	struct arena *a = pipeline_arena(l->pipeline);
	Rollcall__Coverage *c;
	double seconds = (double)(now - l->time) / 1e9;
	uint64_t written, held;
	unsigned step = l->shed.step;

	if (probe_coverage(l->probe, a, &c) < 0)
		return;
	written = c->lanes[LANE_BULK]->written;
	held = c->lanes[LANE_BULK]->throttled;
	if (l->time && shed_look(&l->shed, 100 * (double)(cpu - l->cpu) / 1e9 / seconds,
				 (double)(written - l->written) / seconds)) {
		if (!step)
			l->held = held;
		step_apply(l);
		step_tell(l, held);
	}
	l->written = written;
	arena_reset(a);
}

/* ---- memory ---- */

static void memory_tell(struct limits *l, bool ended)
{
	Rollcall__Event *ev =
		throttle_event(pipeline_arena(l->pipeline), "memory", l->memory >> 20);

	if (!ev)
		return;
	ev->throttle->ended = ended;
	ev->throttle->throttled = l->forgotten;
	pipeline_emit(l->pipeline, ev);
}

/*
 * What grows is the table of processes; sessions of databases and what is usual are small, and are
 * not given up: rows would be miscounted, and everything would be new again.
 */
static void memory_tick(struct limits *l)
{
	uint64_t used = memory_used(), forgotten;

	if (used <= l->memory) {
		if (l->forgotten && ++l->calm >= MEMORY_RECOVER) {
			memory_tell(l, true);
			l->forgotten = 0;
		}
		return;
	}
	forgotten = proctab_shrink(l->processes, used - l->memory + l->memory / 16);
	malloc_trim(0);
	l->calm = 0;
	l->forgotten += forgotten;
	if (forgotten && l->forgotten == forgotten)
		memory_tell(l, false);
}

void limits_tick(struct limits *l)
{
	uint64_t now = host_boottime(), cpu = cpu_used();

	if (l->shed.limits.cpu || l->shed.limits.events)
		shed_tick(l, now, cpu);
	if (l->memory)
		memory_tick(l);
	l->time = now;
	l->cpu = cpu;
}
