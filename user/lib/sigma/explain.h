// SPDX-License-Identifier: Apache-2.0
// Why a rule matches an event or not: each field of each search tested by itself, by the engine's
// own tests. For `rollcall policy why`; pure, and slow.
#pragma once

#include "event.pb-c.h"
#include "tune.pb-c.h"

struct arena;
struct policy;

/*
 * Every rule whose log source the event is of; with `only` (an id, name or title) that rule,
 * whatever its source. In the arena; borrows from the policy and the event. -ENOENT: no such rule;
 * -ENOMEM.
 */
int explain_event(struct arena *a, const struct policy *p, const Rollcall__Event *ev,
		  const char *only, Rollcall__WhyReport **ret_report);
