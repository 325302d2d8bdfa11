// SPDX-License-Identifier: Apache-2.0
// Judges what the database events say: single results, sums per principal, server-side copies,
// side channels, physical reads. Pure: events in, findings out, no clock but the events',
// which is that of the boot, in findings, too.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "event.pb-c.h"

struct arena;
struct findings;

enum finding_window { WINDOW_10M, WINDOW_1H, WINDOW_24H, WINDOW_7D, WINDOWS };

struct finding_thresholds {
	uint64_t result_rows;	/* of one result ... */
	double result_fraction; /* ... and, when the table's size is known, this part of it */
	uint64_t window_rows[WINDOWS]; /* 0: off */
	uint64_t row_bytes;	       /* one row that large may hold the whole table */
	double page_coverage;	       /* of the table, by a result of few large rows; 0: off */
	uint64_t side_channel_bytes;
	uint64_t first_seen_rows;
	bool server_copy;
	bool point_reads; /* do look-ups of one row count towards the sums? */
};

struct findings_opts {
	struct finding_thresholds thresholds;
	uint32_t principals_max;
	void (*emit)(void *ctx, struct arena *a, Rollcall__Event *ev);
	void *ctx;
};

struct findings *findings_new(const struct findings_opts *opts);
struct findings *findings_free(struct findings *f);
void findings_freep(struct findings **f);

/* Takes an event that was already given its id. 0 or -ENOMEM. */
int findings_event(struct findings *f, struct arena *a, const Rollcall__Event *ev);

/* Something was lost at `time`: findings that rest on events near it say so. */
void findings_gap(struct findings *f, uint64_t time);
