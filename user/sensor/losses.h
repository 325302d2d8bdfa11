// SPDX-License-Identifier: Apache-2.0
// Every count of something lost, from the kernel's rings to the spool, told once as a Gap event.
// Called by the pipeline, once a second.
#pragma once

#include <stdint.h>

#include "event.pb-c.h"

#define LOSSES_MAX 64

struct arena;
struct baseline_watch;
struct probe;
struct proctab;
struct rules;
struct sessions;
struct spool;

/* Who knows what was lost. */
struct losses_sources {
	struct probe *probe;
	const struct sessions *sessions;
	const struct proctab *processes;
	const struct rules *rules;
	const struct baseline_watch *baseline;
	struct spool *spool;	    /* NULL: none */
	uint64_t undecoded, unkept; /* records; events that the spool could not take */
};

/* Zeroed at first. */
struct losses {
	struct loss {
		char lane[16], reason[64];
		uint64_t told;
	} known[LOSSES_MAX];
	unsigned n;
};

/* Emits a Gap for each count that has grown. It is of the arena, which `emit` may reset. */
void losses_tell(struct losses *l, const struct losses_sources *s, struct arena *a,
		 void (*emit)(void *ctx, Rollcall__Event *gap), void *ctx);
