// SPDX-License-Identifier: Apache-2.0
// A policy at work: events in, hits of rules out. What the sensor and `rollcall policy test` run.
// Pure: no I/O, no clock but the events'.
#pragma once

#include <stdint.h>

#include "event.pb-c.h"

struct compare;
struct correlate_hit;
struct engine;
struct policy;
struct rule;

struct engine_hit {
	const struct rule *rule; /* its number is below engine_rules() */
	uint64_t time;
	const struct correlate_hit *correlation; /* NULL: a detection */
};

/* `ev`: what made it match; NULL when a correlation was decided because its time was over. */
typedef void (*engine_fn)(void *ctx, const Rollcall__Event *ev, const struct engine_hit *hit);

/* The policy, finished without a mistake, must outlive it. NULL: out of memory. */
struct engine *engine_new(const struct policy *p, engine_fn fn, void *ctx);
struct engine *engine_free(struct engine *e); /* accepts NULL, returns NULL */

/*
 * An event with its id and wall-clock time. `now` is what timespans are measured by. How many rules
 * it matched, those that only correlations ask for among them.
 */
unsigned engine_event(struct engine *e, const Rollcall__Event *ev, uint64_t now);

/* Time goes on without events, too. */
void engine_time(struct engine *e, uint64_t now);

/* From now on one event of some is measured. NULL stops it. */
void engine_measure(struct engine *e, uint64_t (*clock)(void));

/*
 * Takes over from another policy's engine the counts and groups of the rules that stayed as they
 * were (`same` compares that policy with this one); called on one that has seen no event yet.
 */
void engine_carry(struct engine *e, struct engine *from, const struct compare *same);

/* What a rule that can match did since it is as it is, and costs since the policy is. */
struct engine_count {
	uint64_t hits, last; /* time of the last one's event; 0: none */
	double cost;	     /* mean ns an event; negative: not yet measured */
};
void engine_count(const struct engine *e, const struct rule *rule, struct engine_count *ret_count);
/* Of all rules with what they share; negative: not yet measured. */
double engine_cost(const struct engine *e);

uint32_t engine_rules(const struct engine *e);
/* Regular expressions that gave up, so far: their rules did not see those events whole. */
uint64_t engine_gave_up(const struct engine *e);
/* Groups of correlations that were dropped to make room, so far. */
uint64_t engine_dropped(const struct engine *e);
