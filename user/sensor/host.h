// SPDX-License-Identifier: Apache-2.0
// Facts of this machine that every event carries: its name, its boot, its clocks.
#pragma once

#include <stdint.h>

struct host {
	char name[256];
	char boot_id[37];    /* /proc/sys/kernel/random/boot_id */
	int64_t wall_offset; /* CLOCK_REALTIME minus CLOCK_BOOTTIME, nanoseconds */
};

/* `name`: NULL or empty for gethostname(). 0 or negative errno. */
int host_init(struct host *h, const char *name);

/* The wall clock may be stepped: call about once a second. */
void host_clock(struct host *h);

uint64_t host_boottime(void);
uint64_t host_realtime(const struct host *h, uint64_t boottime);

/* Seconds from `realtime` to `boottime`; 0 for what is from the future, as a clock that was set
 * back makes it. */
uint64_t host_age(const struct host *h, uint64_t boottime, uint64_t realtime);
