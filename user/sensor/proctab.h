// SPDX-License-Identifier: Apache-2.0
// The process table: who did it, by (tgid, start time), with lineage. Bounded; evictions are
// counted. Fed by exec, fork and exit records; the only reader of /proc/PID in the sensor.
#pragma once

#include <stdint.h>

#include "event.pb-c.h"

struct arena;
struct proc;
struct proctab;

struct proctab_counts {
	uint32_t processes;
	uint64_t evicted;
};

/* At most `max` processes, exited ones included; boot_id makes ids unique across boots. */
struct proctab *proctab_new(uint32_t max, const char *boot_id);
struct proctab *proctab_free(struct proctab *t);
void proctab_freep(struct proctab **t);

/* Times are CLOCK_BOOTTIME. 0 or -ENOMEM. */
int proctab_exec(struct proctab *t, uint64_t time, const Rollcall__Exec *e);
int proctab_fork(struct proctab *t, uint64_t time, const Rollcall__Fork *f);
int proctab_exit(struct proctab *t, uint64_t time, const Rollcall__Exit *e);

/* The process that had this tgid at this time, borrowed until the next change; or NULL. */
const struct proc *proctab_find(const struct proctab *t, uint32_t tgid, uint64_t time);

/* Its message with up to `depth` ancestors, in the arena. NULL when out of memory. */
Rollcall__Process *proctab_fill(struct proctab *t, const struct proc *p, struct arena *a,
				unsigned depth);

/* Forgets processes that ended a minute ago. */
void proctab_expire(struct proctab *t, uint64_t time);

void proctab_counts(const struct proctab *t, struct proctab_counts *ret);
