// SPDX-License-Identifier: Apache-2.0
// What the sensor may cost its host. Looks each second what it uses; where that is more than it
// may, gives up the least important first (shed.h), and says so when that begins, changes and ends.
#pragma once

#include <stdint.h>

#include "sensor/shed.h"

struct pipeline;
struct probe;
struct proctab;

struct limits {
	struct shed shed;
	uint64_t memory; /* resident bytes; 0: no limit */
	struct pipeline *pipeline;
	struct probe *probe;
	struct proctab *processes;
	uint64_t time, cpu, written; /* at the last look; time 0: there was none */
	uint64_t held;		     /* events held back, when the first step was taken */
	unsigned calm;		     /* looks since processes had to be forgotten */
	uint64_t forgotten;	     /* processes, since that began; 0: none */
};

/* At the start: nothing is given up. */
void limits_reset(struct limits *l);

/* Once a second. */
void limits_tick(struct limits *l);
