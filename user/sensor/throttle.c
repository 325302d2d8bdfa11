// SPDX-License-Identifier: Apache-2.0
// A session stays throttled while more is held back from look to look.
#include "sensor/throttle.h"

void throttle_began(struct throttles *t, uint32_t session, uint32_t limit)
{
	for (unsigned i = 0; i < t->n; i++)
		if (t->open[i].session == session)
			return;
	if (t->n < THROTTLES_MAX)
		t->open[t->n++] = (struct throttle){session, limit, 0};
}

int throttle_ended(struct throttles *t, unsigned *at,
		   int (*rate)(void *ctx, uint32_t session, struct session_rate *ret), void *ctx,
		   struct throttle *ret)
{
	for (; *at < t->n; ++*at) {
		struct throttle *o = &t->open[*at];
		struct session_rate now = {.throttled = o->throttled};

		rate(ctx, o->session, &now);
		if (now.throttled != o->throttled) {
			o->throttled = now.throttled;
			continue;
		}
		*ret = *o;
		*o = t->open[--t->n];
		return 1;
	}
	return 0;
}
