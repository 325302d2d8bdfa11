// SPDX-License-Identifier: Apache-2.0
// How far the aggregator has acknowledged each boot and class: a small text file that the stream
// process writes and the sensor reads. Losing it only makes the stream send again.
#pragma once

#include <stdint.h>

#define CURSOR_MAX 128 /* boots times classes; the oldest is forgotten */

struct cursor {
	unsigned n;
	struct cursor_entry {
		char boot_id[37];
		uint32_t class;
		uint64_t seq;
	} entries[CURSOR_MAX];
};

/* The last acknowledged number; 0: none. */
uint64_t cursor_get(const struct cursor *c, const char *boot_id, uint32_t class);
void cursor_set(struct cursor *c, const char *boot_id, uint32_t class, uint64_t seq);

/* Relative to a directory descriptor. -ENOENT, -EBADMSG. */
int cursor_read(int dir, struct cursor *ret_cursor);
/* Replaces the file in one step. */
int cursor_write(int dir, const struct cursor *c);
