// SPDX-License-Identifier: Apache-2.0
// A small table by process; one that another of the same event is in is not overwritten.
#include "sensor/lineages.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/arena.h"
#include "sensor/proctab.h"

#define PLACES	      32
#define BLOCK	      4096
#define KEPT_MAX      8192 /* packed; more is made anew for each event */
#define DEPTH	      16
#define PREFIX_MAX    5
#define EVENT_PROCESS 4 /* the field's number in event.proto */

struct place {
	uint32_t tgid;
	uint64_t start, version; /* start 0: empty */
	uint64_t event;		 /* that used it last */
	struct arena *arena;
	Rollcall__Process *process;
	ProtobufCMessageUnknownField packed;
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

/* As a field of an event that a packer copies: its length, then the message. */
static int place_pack(struct place *p, size_t size)
{
	size_t rest = size, n = 0;
	uint8_t *data = arena_alloc(p->arena, size + PREFIX_MAX);

	if (!data)
		return -ENOMEM;
	for (; rest >= 0x80; rest >>= 7)
		data[n++] = (uint8_t)(rest | 0x80);
	data[n++] = (uint8_t)rest;
	n += rollcall__process__pack(p->process, data + n);
	p->packed =
		(ProtobufCMessageUnknownField){.tag = EVENT_PROCESS,
					       .wire_type = PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED,
					       .len = n,
					       .data = data};
	return 0;
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
	if (size > KEPT_MAX || place_pack(p, size) < 0)
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

/* Of the process that an event tells of; NULL: it is packed with the event. */
static const struct place *place_of(const struct lineages *l, const Rollcall__Event *ev)
{
	const struct place *p = ev->process ? &l->places[ev->process->pid % PLACES] : NULL;

	return p && p->start && p->process == ev->process ? p : NULL;
}

size_t lineages_packed_size(const struct lineages *l, const Rollcall__Event *ev)
{
	const struct place *p = place_of(l, ev);
	Rollcall__Event rest = *ev;

	if (!p)
		return rollcall__event__get_packed_size(ev);
	rest.process = NULL;
	return rollcall__event__get_packed_size(&rest) + 1 + p->packed.len;
}

size_t lineages_pack(const struct lineages *l, Rollcall__Event *ev, uint8_t *to)
{
	const struct place *p = place_of(l, ev);
	Rollcall__Event rest = *ev;
	ProtobufCMessageUnknownField packed;

	if (!p)
		return rollcall__event__pack(ev, to);
	packed = p->packed;
	rest.process = NULL;
	rest.base.n_unknown_fields = 1;
	rest.base.unknown_fields = &packed;
	return rollcall__event__pack(&rest, to);
}
