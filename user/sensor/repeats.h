// SPDX-License-Identifier: Apache-2.0
// Events that a killed sensor still put into the spool, of records that it could not mark as read:
// the next sensor reads the records again, and takes these for told. Called by the pipeline.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "event.pb-c.h"

struct handover;

struct repeats {
	struct repeat {
		uint32_t kind, class;
		uint64_t time; /* CLOCK_BOOTTIME */
		uint64_t seq;  /* 0: taken */
	} * told;
	size_t n;
};

/* Reads what the spool has beyond what was noted. 0 or negative errno; then none. */
int repeats_read(struct repeats *r, const char *spool, const char *boot_id,
		 const struct handover *h);
void repeats_free(struct repeats *r);

/* Was it told? Then its number is in *ret_seq, and the next like it is another one. */
bool repeats_take(struct repeats *r, const Rollcall__Event *ev, uint32_t class, uint64_t *ret_seq);
