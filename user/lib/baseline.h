// SPDX-License-Identifier: Apache-2.0
// What is usual: a bounded table of what was seen of each watched service and table, and of how
// many rows a principal reads in an hour. Fed by the sensor, edited by `rollcall baseline`. Pure:
// time is the caller's. When it is full, what was seen longest ago makes room, and that is counted.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "baseline.pb-c.h"

#define BASELINE_HOURS 64 /* of rows that are remembered: the last ones that had any */

#define BASELINE_TOLD_MAX 200

struct arena;
struct baseline;

struct baseline_key {
	Rollcall__Known what;
	const char *of, *by, *value;
};

struct baseline *baseline_new(uint32_t max);
struct baseline *baseline_free(struct baseline *b); /* accepts NULL, returns NULL */
void baseline_freep(struct baseline **b);

/* Notes that it was seen at `now`, in seconds. 1: for the first time; 0; -ENOMEM. */
int baseline_see(struct baseline *b, const struct baseline_key *key, uint64_t now);

/* Seconds since the subject (a service, a table) was first asked for; -ENOMEM. */
int64_t baseline_age(struct baseline *b, const char *of, uint64_t now);

/*
 * May what is new of it be told? Not more often than BASELINE_TOLD_MAX times in an hour: who makes
 * new ones on purpose fills no spool with them.
 */
bool baseline_may_tell(struct baseline *b, const char *of, uint64_t now);

struct baseline_hours {
	uint64_t rows; /* in the hour of now, these included */
	uint64_t told; /* as baseline_rows_told() was given in that hour */
	unsigned n;    /* past hours that had rows */
	double median, deviation;
};

/* Rows that a principal (value) read of a table (of). 0, -ENOMEM. */
int baseline_rows(struct baseline *b, const char *table, const char *principal, uint64_t rows,
		  uint64_t now, struct baseline_hours *ret_hours);
void baseline_rows_told(struct baseline *b, const char *table, const char *principal,
			uint64_t rows);

uint64_t baseline_evicted(const struct baseline *b);
/* Changes whenever the table does. */
uint64_t baseline_version(const struct baseline *b);

/* Whether a text is of a pattern of an edit: fnmatch(3), "" any. */
bool baseline_matches(const Rollcall__BaselineEntry *pattern, const Rollcall__BaselineEntry *entry);

/* All of it, in the arena. NULL: out of memory. */
Rollcall__Baseline *baseline_message(const struct baseline *b, struct arena *a);

/*
 * Takes a message: first what it says to forget, then its entries, over those that are known.
 * Entries that are none (no `what`) are passed over. The number forgotten, or -ENOMEM.
 */
int64_t baseline_take(struct baseline *b, const Rollcall__Baseline *m);
