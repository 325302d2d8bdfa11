// SPDX-License-Identifier: Apache-2.0
// When the rings are looked at again. A look costs more than a record: while there is something at
// every one, there are fewer of them.
#pragma once

#include <stdint.h>

struct pace {
	uint32_t wait_ms; /* until the next look */
	uint32_t found;	  /* looks in a row that found something, at most PACE_BUSY_MS */
};

/* Longest wait while records come, and while none come, in milliseconds. */
#define PACE_BUSY_MS 5
#define PACE_IDLE_MS 10

void pace_begin(struct pace *p);

/* The timer's look found n records. Afterwards: wait_ms. */
void pace_looked(struct pace *p, int n);

/*
 * The kernel woke us, and those that come right behind wake nobody (bpf/emit.h). Nonzero: the next
 * look is due in so many milliseconds; 0: the timer is to run on.
 */
uint32_t pace_woken(struct pace *p);
