// SPDX-License-Identifier: Apache-2.0
// A policy at work on a recording: its findings, each of one rule and one principal, as the sensor
// tells them apart. Used by `rollcall policy test`, `except` and `suggest`.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "event.pb-c.h"

#define REPLAY_FINDINGS_MAX 65536

struct engine_hit;
struct policy;
struct replay;
struct rule;

struct replay_finding {
	const struct rule *rule;
	const char *principal;
	uint64_t times;
	uint64_t rows;
	uint64_t first; /* time */
	char event[48]; /* id of the first event; "" when it has none */
};

/* Called for each hit, with its finding, when it was counted. May be NULL. */
typedef void (*replay_fn)(void *ctx, const Rollcall__Event *ev, const struct engine_hit *hit);

/* The policy, finished without a mistake, must outlive it. NULL: out of memory. */
struct replay *replay_new(const struct policy *p, replay_fn fn, void *ctx);
struct replay *replay_free(struct replay *r); /* accepts NULL, returns NULL */

/* Events that are not the host's are for no rule and left out. */
void replay_event(struct replay *r, const Rollcall__Event *ev);
/* Nothing comes after it: what time would have decided is decided. */
void replay_end(struct replay *r);

/* In the order they began. */
const struct replay_finding *replay_findings(const struct replay *r, size_t *ret_n);
/* Hits that belong to no finding above, because there were too many. */
uint64_t replay_overflow(const struct replay *r);
