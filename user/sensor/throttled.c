// SPDX-License-Identifier: Apache-2.0
// The kernel begins to count anew with the next event that is too many.
#include "sensor/throttled.h"

#include "lib/arena.h"
#include "sensor/host.h"
#include "sensor/probe.h"
#include "sensor/throttle.h"

static int session_rate(void *ctx, uint32_t session, struct session_rate *ret)
{
	return probe_map_lookup(ctx, "session_rates", &session, ret);
}

void throttled_tell(struct throttles *throttles, struct probe *probe, struct arena *a,
		    void (*emit)(void *ctx, struct arena *a, Rollcall__Event *ev), void *ctx)
{
	struct throttle t;
	unsigned at = 0;

	while (throttle_ended(throttles, &at, session_rate, probe, &t)) {
		Rollcall__Throttle *m = arena_alloc(a, sizeof(*m));
		Rollcall__Event *ev = arena_alloc(a, sizeof(*ev));

		probe_map_delete(probe, "session_rates", &t.session);
		if (!m || !ev)
			return;
		rollcall__throttle__init(m);
		rollcall__event__init(ev);
		m->session = t.session;
		m->limit = t.limit;
		m->throttled = t.throttled;
		m->ended = true;
		ev->time = host_boottime();
		ev->kind_case = ROLLCALL__EVENT__KIND_THROTTLE;
		ev->throttle = m;
		emit(ctx, a, ev);
	}
}
