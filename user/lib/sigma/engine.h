// SPDX-License-Identifier: Apache-2.0
// A policy at work: events in, hits of rules out. What the sensor and `rollcall policy test` run.
// Pure: no I/O, no clock but the events'.
#pragma once

#include <stdint.h>

#include "event.pb-c.h"

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

/* An event with its id and wall-clock time. */
void engine_event(struct engine *e, const Rollcall__Event *ev);

/* Time goes on without events, too. */
void engine_time(struct engine *e, uint64_t now);

uint32_t engine_rules(const struct engine *e);
/* Regular expressions that gave up, so far: their rules did not see those events whole. */
uint64_t engine_gave_up(const struct engine *e);
/* Groups of correlations that were dropped to make room, so far. */
uint64_t engine_dropped(const struct engine *e);
