// SPDX-License-Identifier: Apache-2.0
// What is told no more while the sensor costs more than it may, step by step, the least important
// first. Never anything of lane crit. Only decides; limits.c looks, applies and tells.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define SHED_STEPS   4
#define SHED_RISE    3	/* looks in a row above a limit, and a step is taken */
#define SHED_RECOVER 10 /* looks in a row below nine tenths of all, and one is taken back */

struct shed_limits {
	uint32_t cpu;	 /* percent of a core; 0: no limit */
	uint32_t events; /* of files and network, in a second; 0: no limit */
};

struct shed {
	struct shed_limits limits;
	unsigned step; /* 0: all is told */
	unsigned above, below;
	const char *resource; /* that took the last step up */
	uint32_t limit;	      /* of that */
};

/* Once a second, with what was used since the last look. Did the step change? */
bool shed_look(struct shed *s, double cpu, double events);

/* At which step (1 is the first) events of this kind, as in event.proto, are told no more; 0: none.
 */
unsigned shed_step_of(uint32_t kind);

/* Of steps 1 to SHED_STEPS: names of the events that go with it, parted by spaces. */
const char *shed_kinds(unsigned step);
