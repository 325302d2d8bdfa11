// SPDX-License-Identifier: Apache-2.0
// Storms of events from every core at once. Each maker keeps its own counts of what the operating
// system told it that it did: the other side of the loss test's account. Makers have a user id of
// their own, which tells their records from those of the rest of the machine.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define STORM_KINDS 128 /* members of Event.kind */
#define STORM_MAX   256 /* makers */

struct storm_part {
	const char *name; /* "file", "exec", "unix", "tcp", "unsent"; NULL: no more */
	unsigned n;	  /* acts of each maker, one on each core */
};

/* In memory that is shared with its makers. */
struct storm {
	char dir[64]; /* where files are made; the makers' */
	uid_t uid;    /* the makers' */
	unsigned n;
	struct storm_maker {
		pid_t pid;
		const char *name;
		unsigned acts, cpu;
		uint64_t made[STORM_KINDS];
		uint64_t begun, ended, used; /* nanoseconds; used: of its CPU */
	} makers[STORM_MAX];
	int go; /* a pipe that closes when they may begin */
};

/* Starts the makers of a new round; 0 or negative errno. */
int storm_begin(struct storm *s, const struct storm_part *parts);
/* Lets them go and waits for them; 0, or how many could not do what they should. */
int storm_end(struct storm *s);

/* Does any storm make records of that kind? In which lane, and in a place that nobody else uses? */
bool storm_knows(unsigned kind);
bool storm_is_crit(unsigned kind);
bool storm_is_alone(unsigned kind);

/* In the last round. */
uint64_t storm_made(const struct storm *s, unsigned kind);

/*
 * Bulk records a second, of all makers, from the first's begin to the last's end; and what they
 * would have been had the makers had all cores to themselves.
 */
double storm_rate(const struct storm *s, double *ret_alone);
