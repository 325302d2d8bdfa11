// SPDX-License-Identifier: Apache-2.0
// Counts of losses, and what of each was told.
#include "sensor/losses.h"

#include <stdio.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/segment.h"
#include "lib/spool.h"
#include "sensor/derive/baseline_watch.h"
#include "sensor/derive/session.h"
#include "sensor/handover.h"
#include "sensor/host.h"
#include "sensor/probe.h"
#include "sensor/proctab.h"
#include "sensor/rules.h"

struct teller {
	struct losses *losses, *kernel;
	struct arena *arena;
	void (*emit)(void *ctx, Rollcall__Event *gap);
	void *ctx;
};

/* NULL: there are more kinds of losses than anyone wrote down. */
static struct loss *loss_get(struct losses *l, const char *lane, const char *reason)
{
	struct loss *new = &l->known[l->n];

	for (struct loss *i = l->known; i < new; i++)
		if (strcmp(i->lane, lane) == 0 && strcmp(i->reason, reason) == 0)
			return i;
	if (l->n == LOSSES_MAX)
		return NULL;
	snprintf(new->lane, sizeof(new->lane), "%s", lane);
	snprintf(new->reason, sizeof(new->reason), "%s", reason);
	l->n++;
	return new;
}

static void gap_of(const struct teller *t, struct losses *of, const char *lane, const char *reason,
		   uint64_t total)
{
	struct loss *loss = total ? loss_get(of, lane, reason) : NULL;
	Rollcall__Gap *m;
	Rollcall__Event *ev;

	if (!loss || total == loss->told)
		return;
	m = arena_alloc(t->arena, sizeof(*m));
	ev = arena_alloc(t->arena, sizeof(*ev));
	if (!m || !ev)
		return;
	rollcall__gap__init(m);
	rollcall__event__init(ev);
	m->lane = loss->lane;
	m->reason = loss->reason;
	m->count = total - loss->told;
	loss->told = total;
	ev->time = host_boottime();
	ev->kind_case = ROLLCALL__EVENT__KIND_GAP;
	ev->gap = m;
	t->emit(t->ctx, ev);
}

static void gap(const struct teller *t, const char *lane, const char *reason, uint64_t total)
{
	gap_of(t, t->losses, lane, reason, total);
}

/* The kernel goes on counting under another sensor. */
static void kernel_losses(const struct teller *t, struct probe *probe)
{
	static const char *const reasons[] = {"no scratch memory", "too many sessions",
					      "page not readable"};
	static const char *const lanes[] = {"crit", "bulk"};
	Rollcall__Coverage *c;
	uint64_t misses[3], dropped[2] = {};

	if (probe_coverage(probe, t->arena, &c) == 0)
		for (size_t i = 0; i < c->n_lanes && i < 2; i++)
			dropped[i] = c->lanes[i]->dropped;
	for (unsigned i = 0; i < 2; i++)
		gap_of(t, t->kernel, lanes[i], "ring buffer full", dropped[i]);
	for (unsigned i = 0; probe_db_misses(probe, misses) == 0 && i < 3; i++)
		gap_of(t, t->kernel, "database", reasons[i], misses[i]);
	gap_of(t, t->kernel, "probe", "a program interrupted by itself", probe_misses(probe));
}

static void sensor_losses(const struct teller *t, const struct losses_sources *s)
{
	struct proctab_counts processes;
	struct sessions_counts sessions;

	sessions_counts(s->sessions, &sessions);
	proctab_counts(s->processes, &processes);
	gap(t, "database", "session table full", sessions.refused);
	gap(t, "database", "a server does not count what it reads: track_counts is off",
	    sessions.uncounted);
	gap(t, "proctab", "process table full", processes.evicted);
	gap(t, "decoder", "malformed record", s->undecoded);
	gap(t, "rules", "a regular expression gave up", rules_gave_up(s->rules));
	gap(t, "rules", "a correlation's group was dropped", rules_dropped(s->rules));
	for (unsigned i = 0; i < BASELINE_WATCH_LOSSES; i++) {
		struct baseline_watch_loss l = baseline_watch_loss(s->baseline, i);

		gap(t, "baseline", l.reason, l.count);
	}
}

static void spool_losses(const struct teller *t, struct spool *spool, uint64_t unkept)
{
	struct spool_status st;
	char reason[64];

	spool_status(spool, &st);
	for (uint32_t c = 1; c < SEGMENT_CLASSES; c++) {
		snprintf(reason, sizeof(reason), "full: %s events removed before delivery",
			 segment_class(c));
		gap(t, "spool", reason, st.lanes[c].trimmed);
	}
	gap(t, "spool", "cannot be written", st.errors);
	gap(t, "spool", "event too large", unkept);
}

void losses_tell(struct losses *l, const struct losses_sources *s, struct arena *a,
		 void (*emit)(void *ctx, Rollcall__Event *gap), void *ctx)
{
	const struct teller t = {l, &probe_handover(s->probe)->losses, a, emit, ctx};

	kernel_losses(&t, s->probe);
	sensor_losses(&t, s);
	if (s->spool)
		spool_losses(&t, s->spool, s->unkept);
}
