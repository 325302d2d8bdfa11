// SPDX-License-Identifier: Apache-2.0
// A policy as `rollcall policy list` shows it: filled in by the sensor with what it counted, or by
// the command line for files alone.
#pragma once

#include "control.pb-c.h"

struct arena;
struct engine;
struct policy;

/* The rules, in the arena. `e` NULL: nothing was counted. -ENOMEM. */
int listing_fill(struct arena *a, const struct policy *p, const struct engine *e,
		 Rollcall__PolicyList *list);
