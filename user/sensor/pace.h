// SPDX-License-Identifier: Apache-2.0
// When the rings are looked at again. A look costs more than a record: while there is something at
// every one, there are fewer of them. When nothing comes any more there are none, and the kernel
// wakes us for the first record (bpf/emit.h).
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct pace {
	uint32_t wait_ms; /* until the next look; PACE_ASLEEP: there is none */
	uint32_t found;	  /* looks in a row that found something, at most PACE_BUSY_MS */
};

/* Longest wait while records come, and while none come, in milliseconds. */
#define PACE_BUSY_MS 5
#define PACE_IDLE_MS 10
/* So long it is looked for more: longer than the kernel takes us to be awake, for what it tells
 * meanwhile wakes nobody. */
#define PACE_QUIET_MS 30
#define PACE_ASLEEP   UINT32_MAX

void pace_begin(struct pace *p);

/* The timer's look found n records; it is `quiet_ms` by probe_quiet(). Afterwards: wait_ms. */
void pace_looked(struct pace *p, int n, uint32_t quiet_ms);

/*
 * The kernel woke us, and those that come right behind wake nobody. True: the next look is due in
 * wait_ms; false: the timer is to run on.
 */
bool pace_woken(struct pace *p);
