// SPDX-License-Identifier: Apache-2.0
// Sessions that were throttled in the kernel (bpf/emit.h says when that begins): finds when it
// ends. Called by the pipeline.
#pragma once

#include <stdint.h>

#define THROTTLES_MAX 256

/* As bpf/emit.h declares it. */
struct session_rate {
	uint64_t second; /* CLOCK_BOOTTIME of its last event */
	uint64_t throttled;
	uint32_t sent; /* in that second */
	uint32_t pad;
};

struct throttles {
	struct throttle {
		uint32_t session, limit;
		uint64_t throttled; /* at the last look */
	} open[THROTTLES_MAX];
	unsigned n;
};

/* It began. One that there is no room for is told without an end. */
void throttle_began(struct throttles *t, uint32_t session, uint32_t limit);

/*
 * The next session from index *at on that is throttled no more: nothing was held back since the
 * last look. `rate` reads a session's state, 0 or negative errno (-ENOENT: the kernel forgot it:
 * ended). 1 with *ret its last state, taken out; 0: no more. Once a second, or longer.
 */
int throttle_ended(struct throttles *t, unsigned *at,
		   int (*rate)(void *ctx, uint32_t session, struct session_rate *ret), void *ctx,
		   struct throttle *ret);
