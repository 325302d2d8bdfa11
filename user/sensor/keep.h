// SPDX-License-Identifier: Apache-2.0
// Where an event is kept until it was delivered: its place in the spool is its id.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "event.pb-c.h"
#include "lib/event_id.h"
#include "lib/segment.h"

struct arena;
struct lineages;
struct spool;

struct keep {
	struct spool *spool; /* NULL: not kept, numbered only */
	struct lineages *lineages;
	uint8_t *packed;			   /* the event, at its end */
	struct event_id_lane ids[SEGMENT_CLASSES]; /* by class; 0: where there is no spool */
	uint64_t seq;				   /* the last, there */
	uint64_t lost;				   /* events that the spool could not take */
	bool failing;
};

/* `spool` may be NULL. 0 or -ENOMEM. */
int keep_init(struct keep *k, struct spool *spool, struct lineages *lineages, const char *boot_id);
void keep_fini(struct keep *k);

/* Gives the event its id, and keeps it. What cannot be is counted. */
void keep_event(struct keep *k, struct arena *a, Rollcall__Event *ev, uint32_t class);

/* Once a second: what was written reaches the disk, what was delivered leaves it. */
void keep_tick(struct keep *k);
