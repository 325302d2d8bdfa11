// SPDX-License-Identifier: Apache-2.0
// Object ids of watched PostgreSQL tables, told to the programs that follow page accesses. Called
// by the pipeline as the watch set learns them.
#pragma once

#include <stdint.h>

struct watch;

/* As bpf/pg_page.h declares it: one bit is for 1 << shift blocks. */
struct pg_relation {
	uint32_t shift;
	uint32_t pad;
};

/* Bits the kernel keeps for a table: PG_PAGE_BITS. */
#define RELATION_BITS 8192

/*
 * Calls `set` for each object id from index *told on and moves *told past those taken. 0, or the
 * first error of `set`: the rest is told next time.
 */
int relations_sync(const struct watch *w, unsigned *told,
		   int (*set)(void *ctx, uint32_t oid, const struct pg_relation *r), void *ctx);
