// SPDX-License-Identifier: Apache-2.0
// What a sensor leaves for the one that takes its probes over: shared memory that lives as long as
// the pinned probes do, written as it goes, for kill -9 asks nobody. Made by probe_pins.c; without
// pins it is memory like any other.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/segment.h"
#include "sensor/losses.h"

#define HANDOVER_LANES 2
#define HANDOVER_KINDS 128 /* as in bpf/emit.h */
#define HANDOVER_MARKS 64
#define BINARIES_MAX   64 /* as db_binaries in bpf/db.h */

struct handover {
	uint32_t programs, links; /* that are pinned */
	uint32_t takeovers;	  /* one after the other, of sensors that did not live long */
	uint32_t n_marks, n_binaries;
	/* Of database servers, by the cookie that their programs are attached with. */
	struct handover_binary {
		uint64_t dev, ino;
		bool counts; /* PostgreSQL: where it counts the rows that it reads is known */
	} binaries[BINARIES_MAX];
	/* Records of the crit ring that begin here and there, in a circle: where to read it again.
	 */
	uint64_t marks[HANDOVER_MARKS];
	uint64_t read[HANDOVER_LANES][HANDOVER_KINDS], truncated[HANDOVER_LANES][HANDOVER_KINDS];
	/* In the spool when the rings' positions were published: what comes after may be of records
	 * that are there to be read again. */
	uint64_t seq[SEGMENT_CLASSES];
	int64_t wall_offset;   /* that these events' times are told with */
	uint64_t summary_time; /* up to which results of other tables were summed up and told */
	struct losses losses;  /* of the kernel, as far as they were told */
};
