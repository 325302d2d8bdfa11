// SPDX-License-Identifier: Apache-2.0
// The staged file: rows of a watched table are read by a process, the same lineage writes a file
// below a web root, somebody else reads that file, it is removed. Each alone is ordinary; here they
// are one finding. Pure: events in, findings out, no clock but the events'.
#pragma once

#include <stdint.h>

#include "event.pb-c.h"

struct arena;
struct staged;

struct staged_opts {
	uint64_t rows_min; /* fewer rows of a lineage are not followed */
	void (*emit)(void *ctx, struct arena *a, Rollcall__Event *ev);
	void *ctx;
};

struct staged *staged_new(const struct staged_opts *opts);
struct staged *staged_free(struct staged *s); /* accepts NULL, returns NULL */
void staged_freep(struct staged **s);

/* Takes an event that was already given its id and process. 0 or -ENOMEM. */
int staged_event(struct staged *s, struct arena *a, const Rollcall__Event *ev);
