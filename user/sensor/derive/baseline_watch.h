// SPDX-License-Identifier: Apache-2.0
// Tells what is new or unusual of watched services and tables: programs below them, peers,
// principals, shapes of statements, rows an hour. Rules give it meaning and level; it stays silent
// of a service or table that is watched for less than the warm-up. Keeps what it learnt in
// lib/baseline_file.h.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "event.pb-c.h"

struct arena;
struct baseline_watch;

struct baseline_watch_opts {
	uint32_t max;	      /* entries */
	uint64_t warm_up;     /* seconds; 0: none */
	uint32_t rows_factor; /* deviations above the median that are usual; 0: any */
	uint64_t rows_min;    /* in an hour, below which nothing is unusual */
	const char *file;     /* "": nothing is kept */
	bool (*service)(void *ctx, const char *exe);
	void *service_ctx;
};

typedef void (*baseline_watch_emit_fn)(void *ctx, struct arena *a, Rollcall__Event *ev);

/* Reads the file; what cannot be used is set aside. Failures are told. */
int baseline_watch_new(const struct baseline_watch_opts *opts, baseline_watch_emit_fn emit,
		       void *ctx, struct baseline_watch **ret_watch);
struct baseline_watch *baseline_watch_free(struct baseline_watch *w); /* accepts NULL */

/*
 * Takes an event that was given its id. `realtime` is its time by the wall clock, which outlives a
 * boot. 0 or -ENOMEM.
 */
int baseline_watch_event(struct baseline_watch *w, struct arena *a, const Rollcall__Event *ev,
			 uint64_t realtime);

/* Once a second; `last`: the sensor is stopping. Takes edits, writes the file. */
void baseline_watch_tick(struct baseline_watch *w, uint64_t now, bool last);

#define BASELINE_WATCH_LOSSES 4

struct baseline_watch_loss {
	const char *reason;
	uint64_t count;
};

/* What was lost, and how often; `i` below BASELINE_WATCH_LOSSES. */
struct baseline_watch_loss baseline_watch_loss(const struct baseline_watch *w, unsigned i);
