// SPDX-License-Identifier: Apache-2.0
// Does an event match? Runs a program over events that are known only by their fields. Holds what a
// program needs while it looks at one event; pure otherwise: no I/O, no clock.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct match;
struct meter;
struct program;

enum match_type { MATCH_TEXT, MATCH_NUMBER, MATCH_TIME };

struct match_value {
	enum match_type type;
	const char *text; /* valid while the event is looked at; NULL: made of the number */
	size_t len;
	double number;	    /* MATCH_NUMBER */
	uint64_t time;	    /* MATCH_TIME: CLOCK_REALTIME, ns */
	const char *folded; /* the matcher's own */
	size_t folded_len;
};

struct match_values {
	struct match_value *v;
	size_t n;
	bool exists;		  /* the event has such a field, be it null */
	struct match_value first; /* `v`, where there are no others: most have one */
};

/* What a program asks of an event. */
struct match_event {
	uint32_t sources[2]; /* its log sources; 0: none */
	/* Field numbers are the program's; what is not filled in is not there. */
	void (*get)(const void *ctx, struct arena *a, uint32_t field,
		    struct match_values *ret_values);
	const void *ctx;
};

/* The program must outlive it. NULL: out of memory. */
struct match *match_new(const struct program *p);
struct match *match_free(struct match *m); /* accepts NULL, returns NULL */

/* `fn` for each rule that matches, in the order they were added. */
typedef void (*match_fn)(void *ctx, uint32_t rule);
void match_event(struct match *m, const struct match_event *ev, match_fn fn, void *ctx);

/* What rules cost is added to `meter`, which must outlive it. */
void match_measure(struct match *m, struct meter *meter);

/* A field of the event last looked at: its first value as text, or NULL. */
const char *match_text(struct match *m, uint32_t field);
/* ... as a number; false when it is none. */
bool match_number(struct match *m, uint32_t field, double *ret_number);

/* Regular expressions that gave up, so far. */
uint64_t match_gave_up(const struct match *m);
