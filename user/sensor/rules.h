// SPDX-License-Identifier: Apache-2.0
// The sensor's Sigma rules: loads the policy, shows it each event, makes findings of what matches.
// One finding a rule and principal: told when it begins and each time its events have doubled.
// Called by the pipeline. Loading reads files; judging is pure.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "event.pb-c.h"
#include "lib/sigma/diag.h"

#define RULES_PATH "/etc/rollcall/rules"

struct arena;
struct compare_count;
struct fileset;
struct rules;
struct ruleset;

struct rules_opts {
	const char *path; /* "": RULES_PATH, when it is there */
	void (*emit)(void *ctx, struct arena *a, Rollcall__Event *ev);
	void *ctx;
	const char *placeholders; /* a document, as of a profile */
};

/* Of no rules yet: rules_read() is first. NULL: no memory. */
struct rules *rules_new(const struct rules_opts *opts);
struct rules *rules_free(struct rules *r); /* accepts NULL, returns NULL */
void rules_freep(struct rules **r);

/* -EBADMSG and other errors of reading: told, with the place of each mistake. */
int rules_read(struct rules *r);

/*
 * Compiles what is not yet in force. `path` and `serial` are as in ruleset.h. -EBADMSG: `tell` was
 * told of mistakes.
 */
int rules_prepare(struct rules *r, const struct fileset *files, const char *path, uint64_t serial,
		  diag_fn tell, void *ctx, struct ruleset **ret_set);

/*
 * From the next event on `set`, which is taken, is in force. What is known of rules that stayed as
 * they were stays. -ENOMEM: nothing has changed, and `set` is the caller's.
 */
int rules_swap(struct rules *r, struct ruleset *set, struct compare_count *ret_count);

/* In force; where there are no rules an empty one. */
const struct ruleset *rules_set(const struct rules *r);

/*
 * An event that was given its id and its wall-clock time. Timespans, and the times of findings, are
 * those of the boot: the other clock may be set. False: it matched none.
 */
bool rules_event(struct rules *r, struct arena *a, const Rollcall__Event *ev, uint64_t boottime);

/*
 * A finding of the sensor's own, with its wall-clock time: may it be told? A rule of the policy
 * with its id or name says so, filters included, and gives the level; without such a rule it may.
 */
bool rules_admit(struct rules *r, struct arena *a, Rollcall__Event *ev, uint64_t boottime);

/* Time goes on without events: correlations may be decided by it. */
void rules_time(struct rules *r, struct arena *a, uint64_t now);

/* Something was lost at `time`: findings that rest on events near it say so. */
void rules_gap(struct rules *r, uint64_t time);

uint64_t rules_gave_up(const struct rules *r);
uint64_t rules_dropped(const struct rules *r);
