// SPDX-License-Identifier: Apache-2.0
// What is not watched is counted, not told one by one: db_summary per principal and minute.
#pragma once

#include <stdint.h>

#include "event.pb-c.h"

struct arena;
struct summary;

struct summary *summary_new(uint32_t principals_max);
struct summary *summary_free(struct summary *s);
void summary_freep(struct summary **s);

/* What a result or its progress is of, when that is no watched table; else NULL. */
const Rollcall__Db *summary_of(const Rollcall__Event *ev);

/* Adds results, of rows and bytes as in *db. 0, or -ENOSPC when they could not be attributed (they
 * are counted as "other"). */
int summary_add(struct summary *s, const Rollcall__Db *db, uint64_t results);

/* Hands out one db_summary event per principal and begins anew. */
int summary_flush(struct summary *s, struct arena *a, uint64_t time,
		  void (*emit)(void *ctx, struct arena *a, Rollcall__Event *ev), void *ctx);
