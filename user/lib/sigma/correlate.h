// SPDX-License-Identifier: Apache-2.0
// The state of correlation rules: for each group of events what happened within the timespan.
// Bounded: the group that was quiet longest makes room, and a group with more events than it can
// hold tells them apart less finely. Driven by the engine; time is the events' own.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define CORRELATE_EVIDENCE_MAX 16
#define CORRELATE_ID_MAX       48

struct compare;
struct correlate;
struct match;
struct meter;
struct policy;
struct rule;

/* A correlation that holds. */
struct correlate_hit {
	const struct rule *rule;
	const char *group; /* "User=tomcat, Computer=mdm1" */
	uint64_t time, first;
	uint64_t events;
	double value;	/* what was compared */
	bool sums_rows; /* it is a sum of rows */
	unsigned n_evidence;
	const char (*evidence)[CORRELATE_ID_MAX]; /* ids of the last events */
	bool closed;				  /* decided by time, not by an event */
};
typedef void (*correlate_fn)(void *ctx, const struct correlate_hit *hit);

/* NULL: out of memory. */
struct correlate *correlate_new(const struct policy *p, correlate_fn fn, void *ctx);
struct correlate *correlate_free(struct correlate *c); /* accepts NULL, returns NULL */

/*
 * Takes over what `from` knows of the correlations that stayed as they were; called on one that
 * has seen no event yet.
 */
void correlate_carry(struct correlate *c, struct correlate *from, const struct compare *same);

/* What rules cost is added to `meter`, which must outlive it. */
void correlate_measure(struct correlate *c, struct meter *meter);

/* A detection rule matched the event that `m` last looked at. */
void correlate_rule(struct correlate *c, const struct rule *rule, struct match *m, uint64_t time,
		    const char *id);

/* Timespans that are over are decided. */
void correlate_time(struct correlate *c, uint64_t now);

/* Groups that were dropped to make room, so far. */
uint64_t correlate_dropped(const struct correlate *c);
