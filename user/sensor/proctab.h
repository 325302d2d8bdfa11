// SPDX-License-Identifier: Apache-2.0
// The process table: who did it, by (tgid, start time), with lineage. Bounded, whatever tree of
// processes an attacker grows; what did not fit is counted. Fed by exec, fork and exit records;
// reads arguments of older processes from /proc/PID.
#pragma once

#include <stdint.h>

#include "event.pb-c.h"

struct arena;
struct proc;
struct proctab;

/* Long paths and arguments: fewer processes than `max` fit. 32,768 take at most 64 MiB. */
#define PROCTAB_BYTES_EACH 2048
#define PROCTAB_LEAST	   1024

struct proctab_counts {
	uint32_t processes; /* at most `max` */
	uint32_t ancestors; /* forgotten but for being someone's; with processes at most 2 * max */
	uint64_t bytes;	    /* of all: at most `max` * PROCTAB_BYTES_EACH, and one lineage */
	uint64_t evicted;   /* for want of room: the ended first, then those not used for longest */
	uint64_t cut;	    /* lineages longer than 16 */
};

/* At most `max` processes, ended ones included; boot_id makes ids unique across boots. */
struct proctab *proctab_new(uint32_t max, const char *boot_id);
struct proctab *proctab_free(struct proctab *t);
void proctab_freep(struct proctab **t);

/* Times are CLOCK_BOOTTIME. 0 or -ENOMEM. */
int proctab_exec(struct proctab *t, uint64_t time, const Rollcall__Exec *e);
int proctab_fork(struct proctab *t, uint64_t time, const Rollcall__Fork *f);
int proctab_exit(struct proctab *t, uint64_t time, const Rollcall__Exit *e);

/* Once all processes that ran before are told by exec: whose child is whose. */
int proctab_link(struct proctab *t);

/* Any record of a task: its process may have changed its user. */
void proctab_seen(struct proctab *t, const Rollcall__Task *task);

/* The process that had this tgid at this time, borrowed until the next change; or NULL. */
const struct proc *proctab_find(struct proctab *t, uint32_t tgid, uint64_t time);

uint64_t proctab_start(const struct proc *p);

/* Another one when what proctab_fill() made of a process may be made otherwise now. */
uint64_t proctab_version(const struct proctab *t);

/* Its message with up to `depth` (at most 16) ancestors, in the arena. NULL when out of memory. */
Rollcall__Process *proctab_fill(struct proctab *t, const struct proc *p, struct arena *a,
				unsigned depth);

/* Forgets processes that ended a minute ago. */
void proctab_expire(struct proctab *t, uint64_t time);

/* Gives back `bytes`, for want of memory, but for the PROCTAB_LEAST used last. How many are
 * forgotten. */
uint64_t proctab_shrink(struct proctab *t, uint64_t bytes);

void proctab_counts(const struct proctab *t, struct proctab_counts *ret);
