// SPDX-License-Identifier: Apache-2.0
// The time between two looks at the rings. Called by sensor.c.
#include "sensor/pace.h"

void pace_begin(struct pace *p)
{
	*p = (struct pace){.wait_ms = 1};
}

void pace_looked(struct pace *p, int n, uint32_t quiet_ms)
{
	p->found = n <= 0 ? 0 : p->found + (p->found < PACE_BUSY_MS);
	if (quiet_ms >= PACE_QUIET_MS)
		p->wait_ms = PACE_ASLEEP;
	else if (n > 0)
		p->wait_ms = p->found;
	else if (p->wait_ms == PACE_ASLEEP)
		p->wait_ms = 1;
	else
		p->wait_ms += p->wait_ms < PACE_IDLE_MS;
}

bool pace_woken(struct pace *p)
{
	if (p->wait_ms <= PACE_BUSY_MS)
		return false;
	pace_begin(p);
	return true;
}
