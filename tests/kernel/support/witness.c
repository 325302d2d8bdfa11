// SPDX-License-Identifier: Apache-2.0
// The sensor's path of a process record, as in user/sensor/pipeline.c: decode, table, fill. One
// witness a program, so its state is static.
#include "kernel/support/witness.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/support/check.h"
#include "lib/arena.h"
#include "lib/dns.h"
#include "lib/endpoint.h"
#include "lib/event.h"
#include "lib/log.h"
#include "lib/record.h"
#include "sensor/probe.h"
#include "sensor/proctab.h"

#define EVENTS_MAX 65536
#define WAIT_MS	   10000 /* only a test that fails waits so long */

static struct {
	struct arena *arena;
	struct probe *probe;
	struct proctab *processes;
	Rollcall__Event *events[EVENTS_MAX];
	unsigned n;
} w;

static Rollcall__Process *process_at(uint32_t tgid, uint64_t time)
{
	const struct proc *p = proctab_find(w.processes, tgid, time);

	return p ? proctab_fill(w.processes, p, w.arena, 16) : NULL;
}

static void on_record(void *ctx, const void *record, size_t size)
{
	const Rollcall__Task *task;
	Rollcall__Event *ev;
	unsigned truncated;

	(void)ctx;
	if (record_decode(w.arena, record, size, &ev, &truncated) < 0 ||
	    endpoint_fill(w.arena, ev) < 0 ||
	    (ev->kind_case == ROLLCALL__EVENT__KIND_DNS && dns_fill(w.arena, ev->dns) < 0)) {
		check("decode", "malformed record", false);
		return;
	}
	task = event_task(ev);
	if (!task)
		return;
	proctab_seen(w.processes, task);
	if (ev->kind_case == ROLLCALL__EVENT__KIND_EXEC)
		proctab_exec(w.processes, ev->time, ev->exec);
	if (ev->kind_case == ROLLCALL__EVENT__KIND_FORK)
		proctab_fork(w.processes, ev->time, ev->fork);
	ev->process = process_at(task->tgid, ev->time);
	if (ev->kind_case == ROLLCALL__EVENT__KIND_EXIT)
		proctab_exit(w.processes, ev->time, ev->exit);
	if (w.n < EVENTS_MAX)
		w.events[w.n++] = ev;
	else
		check("witness", "room for one more event of this machine", false);
}

bool witness_open(const char *name)
{
	struct probe_opts opts = {.record = on_record};
	int r;

	log_open(name, LOG_LEVEL_WARN);
	w.arena = arena_new(64 * 1024);
	w.processes = proctab_new(32768, "77777777");
	r = probe_new(&opts, &w.probe);
	if (r == 0)
		r = witness_seed();
	if (r < 0)
		fprintf(stderr, "%s: cannot start: %s\n", name, strerror(-r));
	return r == 0;
}

int witness_seed(void)
{
	int r = probe_iter(w.probe, "exec__iter", on_record, NULL);

	if (r == 0)
		r = probe_iter(w.probe, "tcp_owner__iter", NULL, NULL);
	return r < 0 ? r : proctab_link(w.processes);
}

int witness_watch(const char *map, const void *key, const void *value)
{
	return probe_map_watch(w.probe, map, key, value);
}

int witness_unwatch(const char *map, const void *key)
{
	return probe_map_delete(w.probe, map, key);
}

int witness_next(const char *map, const void *key, void *ret_next)
{
	return probe_map_next(w.probe, map, key, ret_next);
}

int witness_map(const char *map)
{
	return probe_map_fd(w.probe, map);
}

int witness_close(void)
{
	probe_freep(&w.probe);
	proctab_freep(&w.processes);
	arena_freep(&w.arena);
	return check_close();
}

void witness_reset(void)
{
	probe_consume(w.probe);
	arena_reset(w.arena);
	w.n = 0;
}

unsigned witness_count(Rollcall__Event__KindCase kind, pid_t pid)
{
	unsigned n = 0;

	while (witness_event(kind, pid, n))
		n++;
	return n;
}

const Rollcall__Event *witness_event(Rollcall__Event__KindCase kind, pid_t pid, unsigned n)
{
	for (unsigned i = 0; i < w.n; i++)
		if (w.events[i]->kind_case == kind &&
		    event_task(w.events[i])->tgid == (uint32_t)pid && n-- == 0)
			return w.events[i];
	return NULL;
}

const Rollcall__Event *witness_any(Rollcall__Event__KindCase kind)
{
	for (unsigned i = w.n; i > 0; i--)
		if (w.events[i - 1]->kind_case == kind)
			return w.events[i - 1];
	return NULL;
}

unsigned witness_number(Rollcall__Event__KindCase kind)
{
	unsigned n = 0;

	for (unsigned i = 0; i < w.n; i++)
		n += w.events[i]->kind_case == kind;
	return n;
}

const Rollcall__Event *witness_wait(Rollcall__Event__KindCase kind, pid_t pid, unsigned n)
{
	const Rollcall__Event *ev = NULL;

	for (unsigned i = 0; i < WAIT_MS && !ev; i++) {
		if (i)
			usleep(1000);
		probe_consume(w.probe);
		ev = witness_event(kind, pid, n - 1);
	}
	return ev;
}

pid_t witness_fork(int (*go)(void))
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid)
		_exit(go());
	return pid;
}

pid_t witness_run(int (*go)(void), int *ret_status)
{
	pid_t pid;

	witness_reset();
	pid = witness_fork(go);
	if (waitpid(pid, ret_status, 0) != pid)
		check("child", strerror(errno), false);
	if (!witness_wait(ROLLCALL__EVENT__KIND_EXIT, pid, 1))
		check("child", "no exit event", false);
	return pid;
}

static int nothing(void)
{
	return 0;
}

/* The ring keeps the order of events. */
void witness_settle(void)
{
	pid_t pid = witness_fork(nothing);

	waitpid(pid, NULL, 0);
	check("settle", "no exit event", witness_wait(ROLLCALL__EVENT__KIND_EXIT, pid, 1) != NULL);
}

const Rollcall__Process *witness_process(pid_t pid)
{
	return process_at((uint32_t)pid, UINT64_MAX);
}

const char *witness_lineage(const Rollcall__Process *p)
{
	static char text[4096];
	size_t n = 0;

	text[0] = '\0';
	for (; p && n < sizeof(text) - 300; p = p->parent) {
		const char *slash = strrchr(p->exe, '/');

		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s", n ? " " : "",
				      slash ? slash + 1 : p->exe);
		if (p->pid == (uint32_t)getpid())
			break;
	}
	return text;
}

const char *witness_hook(const char *event)
{
	Rollcall__Coverage *c;

	if (probe_coverage(w.probe, w.arena, &c) == 0)
		for (size_t i = 0; i < c->n_probes; i++)
			if (strcmp(c->probes[i]->event, event) == 0)
				return c->probes[i]->hook;
	return "";
}

void witness_counts(struct proctab_counts *ret)
{
	proctab_counts(w.processes, ret);
}

uint64_t witness_dropped(void)
{
	Rollcall__Coverage *c;
	uint64_t n = 0;

	if (probe_coverage(w.probe, w.arena, &c) < 0)
		return UINT64_MAX;
	for (size_t i = 0; i < c->n_lanes; i++)
		n += c->lanes[i]->dropped;
	return n;
}

Rollcall__Count witness_counted(const char *event)
{
	Rollcall__Count sum;
	Rollcall__Coverage *c;

	rollcall__count__init(&sum);
	check(event, "counts can be read", probe_coverage(w.probe, w.arena, &c) == 0);
	for (size_t i = 0; i < c->n_counts; i++) {
		if (strcmp(c->counts[i]->event, event) != 0)
			continue;
		sum.written += c->counts[i]->written;
		sum.throttled += c->counts[i]->throttled;
		sum.unread += c->counts[i]->unread;
	}
	return sum;
}
