// SPDX-License-Identifier: Apache-2.0
// A small table by process; one that another of the same event is in is not overwritten.
#include "sensor/lineages.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/arena.h"
#include "sensor/proctab.h"

#define PLACES	 32
#define BLOCK	 4096
#define KEPT_MAX 8192 /* packed; more is made anew for each event */
#define DEPTH	 16

struct place {
	uint32_t tgid;
	uint64_t start, version; /* start 0: empty */
	uint64_t event;		 /* that used it last */
	struct arena *arena;
	Rollcall__Process *process;
	struct spool_process packed;
};

struct lineages {
	struct proctab *processes;
	uint64_t event;
	struct place places[PLACES];
};

struct lineages *lineages_new(struct proctab *processes)
{
	struct lineages *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->processes = processes;
	l->event = 1;
	for (unsigned i = 0; i < PLACES; i++) {
		l->places[i].arena = arena_new(BLOCK);
		if (!l->places[i].arena)
			return lineages_free(l);
	}
	return l;
}

struct lineages *lineages_free(struct lineages *l)
{
	for (unsigned i = 0; l && i < PLACES; i++)
		arena_free(l->places[i].arena);
	free(l);
	return NULL;
}

void lineages_next(struct lineages *l)
{
	l->event++;
}

static Rollcall__Process *place_fill(struct lineages *l, struct place *p, const struct proc *proc)
{
	size_t size;

	p->start = 0;
	arena_reset(p->arena);
	p->process = proctab_fill(l->processes, proc, p->arena, DEPTH);
	if (!p->process)
		return NULL;
	p->event = l->event;
	size = rollcall__process__get_packed_size(p->process);
	if (size > KEPT_MAX || spool_process_pack(p->arena, p->process, &p->packed) < 0)
		return p->process;
	p->tgid = p->process->pid;
	p->start = p->process->start_time;
	p->version = proctab_version(l->processes);
	return p->process;
}

Rollcall__Process *lineages_find(struct lineages *l, struct arena *a, uint32_t tgid, uint64_t time)
{
	const struct proc *proc = proctab_find(l->processes, tgid, time);
	struct place *p = &l->places[tgid % PLACES];

	if (!proc)
		return NULL;
	if (p->start == proctab_start(proc) && p->tgid == tgid &&
	    p->version == proctab_version(l->processes)) {
		p->event = l->event;
		return p->process;
	}
	if (p->event == l->event)
		return proctab_fill(l->processes, proc, a, DEPTH);
	return place_fill(l, p, proc);
}

struct spool_process *lineages_packed(struct lineages *l, const Rollcall__Process *process)
{
	struct place *p = &l->places[process->pid % PLACES];

	return p->start && p->process == process ? &p->packed : NULL;
}
