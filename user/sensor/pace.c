// SPDX-License-Identifier: Apache-2.0
// The time between two looks at the rings. Called by sensor.c.
#include "sensor/pace.h"

void pace_begin(struct pace *p)
{
	*p = (struct pace){.wait_ms = 1};
}

void pace_looked(struct pace *p, int n)
{
	if (n > 0) {
		p->found += p->found < PACE_BUSY_MS;
		p->wait_ms = p->found;
	} else {
		p->found = 0;
		p->wait_ms += p->wait_ms < PACE_IDLE_MS;
	}
}

uint32_t pace_woken(struct pace *p)
{
	if (p->wait_ms <= PACE_BUSY_MS)
		return 0;
	pace_begin(p);
	return p->wait_ms;
}
