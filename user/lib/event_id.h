// SPDX-License-Identifier: Apache-2.0
// What people and findings call an event: "1f0c73b9-bulk-4711", its place in the spool.
#pragma once

#include <stddef.h>
#include <stdint.h>

#define EVENT_ID_CLASS_MAX 16 /* characters of a class's name */
#define EVENT_ID_MAX	   48 /* with all its parts */

struct arena;

/* Of the boot id, its first eight characters. In the arena; NULL: out of memory. */
char *event_id(struct arena *a, const char *boot_id, const char *class, uint64_t seq);

/* One id after the other; empty but for its names to begin with. */
struct event_id_lane {
	const char *boot_id, *class;
	uint64_t seq; /* of the last */
	size_t size;
	char text[EVENT_ID_MAX];
};

/* The same; where the number is the next one, made of the last by its last digit. */
char *event_id_next(struct event_id_lane *l, struct arena *a, uint64_t seq);
