// SPDX-License-Identifier: Apache-2.0
// When the sensor was last alive: a small file beside the spool, written each second, so that the
// next start knows since when nobody looked. Used by sensor.c alone.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "event.pb-c.h"

#define ALIVE_SIZE 128

struct arena;
struct host;

struct alive {
	char boot_id[37];
	uint64_t boottime, realtime;
	bool stopped; /* in an orderly way */
};

/*
 * Opens the file, made when missing, and reads what an earlier sensor left. Negative errno.
 * *ret_fd is the caller's. *ret_last: boot_id is empty when no sensor ran here before.
 */
int alive_open(const char *directory, int *ret_fd, struct alive *ret_last);

/* Writes that the sensor is alive now, or that it stops. Negative errno. */
int alive_write(int fd, const struct host *h, bool stopped);

/* From when it was last alive until now nobody looked: a Gap, of the arena; NULL: no memory. */
Rollcall__Event *alive_gap(const struct alive *last, const struct host *h, struct arena *a);
