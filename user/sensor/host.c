// SPDX-License-Identifier: Apache-2.0
// Host facts, read once; the clock offset is read again by the main loop.
#include "sensor/host.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/clean.h"

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

uint64_t host_boottime(void)
{
	return clock_ns(CLOCK_BOOTTIME);
}

void host_clock(struct host *h)
{
	h->wall_offset = (int64_t)(clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_BOOTTIME));
}

uint64_t host_realtime(const struct host *h, uint64_t boottime)
{
	return boottime + (uint64_t)h->wall_offset;
}

uint64_t host_age(const struct host *h, uint64_t boottime, uint64_t realtime)
{
	uint64_t now = host_realtime(h, boottime);

	return now > realtime ? (now - realtime) / 1000000000 : 0;
}

int host_init(struct host *h, const char *name)
{
	_cleanup_(fclosep) FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");

	if (!f)
		return -errno;
	if (!fgets(h->boot_id, sizeof(h->boot_id), f))
		return -EIO;
	h->boot_id[strcspn(h->boot_id, "\n")] = '\0';
	if (name && *name)
		snprintf(h->name, sizeof(h->name), "%s", name);
	else if (gethostname(h->name, sizeof(h->name) - 1) < 0)
		return -errno;
	host_clock(h);
	return 0;
}
