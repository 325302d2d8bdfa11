// SPDX-License-Identifier: Apache-2.0
// What filters hide: a policy's filters each joined to the rules they name, compiled as rules of
// their own. For those who ask whether an exception is still of use; the sensor does without.
#pragma once

#include <stdint.h>

#include "event.pb-c.h"

struct hidden;
struct policy;
struct rule;

/* `rule` would have matched, but for `filter`, and maybe for others. */
typedef void (*hidden_fn)(void *ctx, const struct rule *filter, const struct rule *rule);

/* The policy, finished without a mistake, must outlive it. Of fields.h's schema. NULL: out of
 * memory. */
struct hidden *hidden_new(const struct policy *p);
struct hidden *hidden_free(struct hidden *h); /* accepts NULL, returns NULL */

void hidden_event(struct hidden *h, const Rollcall__Event *ev, hidden_fn fn, void *ctx);
