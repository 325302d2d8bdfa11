// SPDX-License-Identifier: Apache-2.0
// What an event has in common with others of its sort: its stable fields as Sigma values, with what
// changes each time (numbers, times, random names) as "*". For `rollcall policy except` and
// `suggest`, which make filters of them.
#pragma once

#include <stddef.h>

#include "event.pb-c.h"

#define STABLE_FIELDS_MAX 24
#define STABLE_VALUES_MAX 8
#define STABLE_TEXT_MAX	  1024 /* of a value; what is beyond becomes "*" */

struct arena;
struct stable;

struct stable_field {
	const char *name; /* as rules write it */
	const char *values[STABLE_VALUES_MAX];
	size_t n;
};

struct stable_fields {
	struct stable_field f[STABLE_FIELDS_MAX];
	size_t n;
};

/* Knows the fields. NULL: out of memory. */
struct stable *stable_new(void);
struct stable *stable_free(struct stable *s); /* accepts NULL, returns NULL */

/* The fields that the event has, in the arena. -ENOMEM. */
int stable_event(const struct stable *s, struct arena *a, const Rollcall__Event *ev,
		 struct stable_fields *ret_fields);

/* Leaves what both have; where they differ in part, the part becomes "*". -ENOMEM. */
int stable_join(struct arena *a, struct stable_fields *fields, const struct stable_fields *other);

/* A text as a Sigma value that it and others like it match: escaped, in one line. NULL: out of
 * memory. */
char *stable_pattern(struct arena *a, const char *text, size_t len);
/* One that matches what either does; "*" when they have nothing in common. NULL: out of memory. */
char *stable_merge(struct arena *a, const char *one, const char *other);
