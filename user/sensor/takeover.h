// SPDX-License-Identifier: Apache-2.0
// What passes from a sensor that was killed to the one that takes its probes over, beyond the
// probes: which events were told, which database sessions are open. Part of the pipeline.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "event.pb-c.h"
#include "sensor/repeats.h"

struct host;
struct probe;
struct session_note;
struct sessions;
struct spool;

/* Zeroed at first, but for what it borrows. */
struct takeover {
	struct probe *probe; /* NULL: there is none yet */
	struct spool *spool; /* NULL: none */
	struct host *host;
	bool again;		/* records that the sensor before had read: known, not told */
	struct repeats repeats; /* of those that it could not mark as read: told */
	struct takeover_ended *ended;
};

void takeover_fini(struct takeover *t);

/* Was it told by the sensor before? Then *ret_seq is its number in the spool; 0: not known. */
bool takeover_told(struct takeover *t, const Rollcall__Event *ev, uint32_t class,
		   uint64_t *ret_seq);

/* Was the result of that time, of no watched table, part of a sum that was told? */
bool takeover_summed(const struct takeover *t, uint64_t time);

/* The sums up to then were told. */
void takeover_sums(struct takeover *t, uint64_t time);

/*
 * Learns what the sensor before noted, and again from what it read, which `record` takes. 0 or
 * negative errno: not all of it is known.
 */
int takeover_begin(struct takeover *t, const char *spool, struct sessions *sessions,
		   void (*record)(void *ctx, const void *data, size_t size), void *ctx);
/* Notes a session for the next sensor (sessions_opts.note). */
void takeover_note(struct takeover *t, uint64_t conn, const struct session_note *note);
/* A batch of records was put away, and will not come again. */
void takeover_flushed(struct takeover *t);
/* Times are told by the host's offset from now on; looks at the clock. */
void takeover_clock(struct takeover *t);
/* Once a second, and what comes after the first is new. */
void takeover_tick(struct takeover *t);
