// SPDX-License-Identifier: Apache-2.0
// What rules cost, by sampling: one event of METER_EVERY is measured, from outside by the engine
// and rule by rule by match.c and correlate.c. Without a clock nothing is measured.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define METER_EVERY 61 /* a prime: events come in patterns of other lengths */

struct meter {
	uint64_t (*clock)(void); /* ns */
	bool on;		 /* the present event is measured */
	uint64_t events, sampled;
	uint64_t total;	 /* ns of the measured events */
	uint64_t *spent; /* ... by number of rule */
};
