// SPDX-License-Identifier: Apache-2.0
// The events that tell that a session is throttled no more. Called by the pipeline, once a second.
#pragma once

#include "event.pb-c.h"

struct arena;
struct probe;
struct throttles;

/* Emits one for each session of `t` for which it ended, and has the kernel count anew. */
void throttled_tell(struct throttles *t, struct probe *probe, struct arena *a,
		    void (*emit)(void *ctx, struct arena *a, Rollcall__Event *ev), void *ctx);
