// SPDX-License-Identifier: Apache-2.0
// Processes as events tell them, with their ancestors, kept for the next event of the same process:
// made once and packed once, as long as nothing changes. Who makes many events is few.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "event.pb-c.h"
#include "lib/spool.h"

struct arena;
struct lineages;
struct proctab;

struct lineages *lineages_new(struct proctab *processes);
struct lineages *lineages_free(struct lineages *l); /* accepts NULL, returns NULL */

/*
 * The process that had this tgid at this time, or NULL. Valid until the arena, that of the event
 * being handled, is reset. Not to be changed.
 */
Rollcall__Process *lineages_find(struct lineages *l, struct arena *a, uint32_t tgid, uint64_t time);

/* What was found last, and is no more valid: before the next event. */
void lineages_next(struct lineages *l);

/* A process that was found, packed; NULL: it is not kept. Valid as long as the process is. */
struct spool_process *lineages_packed(struct lineages *l, const Rollcall__Process *process);
