// SPDX-License-Identifier: Apache-2.0
// Hits put together to findings.
#include "cli/replay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/line.h"
#include "cli/recording.h"
#include "lib/arena.h"
#include "lib/principal.h"
#include "lib/sigma/correlate.h"
#include "lib/sigma/engine.h"
#include "lib/sigma/rule.h"

#define FOREVER (400 * 86400 * 1000000000ull) /* longer than any timespan */
#define SLOTS	(2 * REPLAY_FINDINGS_MAX)

struct replay {
	struct engine *engine;
	struct arena *arena;  /* principals of findings */
	struct arena *moment; /* of one hit */
	struct replay_finding *findings;
	uint32_t *slots; /* 1 + number of a finding; 0: free */
	uint32_t n;
	uint64_t overflow, last;
	replay_fn fn;
	void *ctx;
};

struct replay *replay_free(struct replay *r)
{
	if (!r)
		return NULL;
	engine_free(r->engine);
	arena_free(r->arena);
	arena_free(r->moment);
	free(r->findings);
	free(r->slots);
	free(r);
	return NULL;
}

static uint64_t hash(const struct rule *rule, const char *principal)
{
	uint64_t h = 0xcbf29ce484222325ull ^ rule->number;

	for (; *principal; principal++)
		h = (h ^ (unsigned char)*principal) * 0x100000001b3ull;
	return h ^ h >> 32;
}

/* The finding, or a new one; NULL: there is no room. */
static struct replay_finding *finding_get(struct replay *r, const struct rule *rule,
					  const char *principal)
{
	uint32_t slot = (uint32_t)(hash(rule, principal) % SLOTS);
	struct replay_finding *f;

	for (; r->slots[slot]; slot = (slot + 1) % SLOTS) {
		f = &r->findings[r->slots[slot] - 1];
		if (f->rule == rule && strcmp(f->principal, principal) == 0)
			return f;
	}
	if (r->n == REPLAY_FINDINGS_MAX)
		return NULL;
	f = &r->findings[r->n];
	f->rule = rule;
	f->principal = arena_strdup(r->arena, principal);
	if (!f->principal)
		return NULL;
	r->slots[slot] = ++r->n;
	return f;
}

/* What is built in is a finding already: its rule admits it, and is told of its own alone. */
static const Rollcall__Finding *built_in(const Rollcall__Event *ev, const struct engine_hit *hit)
{
	return ev && !hit->correlation && ev->kind_case == ROLLCALL__EVENT__KIND_FINDING
		       ? ev->finding
		       : NULL;
}

static uint64_t hit_rows(const Rollcall__Event *ev, const struct engine_hit *hit)
{
	const Rollcall__Db *db = ev ? line_db(ev) : NULL;

	if (hit->correlation)
		return hit->correlation->sums_rows ? (uint64_t)hit->correlation->value : 0;
	return db ? db->rows : 0;
}

static void on_hit(void *ctx, const Rollcall__Event *ev, const struct engine_hit *hit)
{
	struct replay *r = ctx;
	const Rollcall__Finding *own = built_in(ev, hit);
	const char *who = own ? own->principal
			  : hit->correlation && *hit->correlation->group
				  ? hit->correlation->group
				  : principal_of_event(r->moment, ev);
	struct replay_finding *f;

	if (own && !rule_is(hit->rule, own->rule->id))
		return;
	f = who ? finding_get(r, hit->rule, who) : NULL;
	if (f && !f->times++) {
		f->first = hit->time;
		snprintf(f->event, sizeof(f->event), "%s", own ? own->id : ev ? ev->id : "");
	}
	/* A finding that is told again has its rows in it. */
	if (f && own)
		f->rows = own->rows > f->rows ? own->rows : f->rows;
	else if (f)
		f->rows += hit_rows(ev, hit);
	else
		r->overflow++;
	arena_reset(r->moment);
	if (r->fn)
		r->fn(r->ctx, ev, hit);
}

struct replay *replay_new(const struct policy *p, replay_fn fn, void *ctx)
{
	struct replay *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->fn = fn;
	r->ctx = ctx;
	r->engine = engine_new(p, on_hit, r);
	r->arena = arena_new(64 * 1024);
	r->moment = arena_new(64 * 1024);
	r->findings = calloc(REPLAY_FINDINGS_MAX, sizeof(*r->findings));
	r->slots = calloc(SLOTS, sizeof(*r->slots));
	if (!r->engine || !r->arena || !r->moment || !r->findings || !r->slots)
		return replay_free(r);
	return r;
}

void replay_event(struct replay *r, const Rollcall__Event *ev)
{
	if (!recording_judged(ev))
		return;
	engine_event(r->engine, ev, ev->time);
	r->last = ev->time > r->last ? ev->time : r->last;
}

void replay_end(struct replay *r)
{
	engine_time(r->engine, r->last + FOREVER);
}

const struct replay_finding *replay_findings(const struct replay *r, size_t *ret_n)
{
	*ret_n = r->n;
	return r->findings;
}

uint64_t replay_overflow(const struct replay *r)
{
	return r->overflow;
}
