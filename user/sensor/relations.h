// SPDX-License-Identifier: Apache-2.0
// Object ids of watched PostgreSQL tables, told to the programs that read the server's counts.
// Called by the pipeline as the watch set learns them.
#pragma once

#include <stdint.h>

struct watch;

/* As bpf/pg_stat.h declares it. */
struct pg_relation {
	uint32_t table; /* in whose account it is counted */
	uint32_t index; /* set by the kernel for what it finds itself */
};

/*
 * Calls `set` for each object id from index *told on and moves *told past those taken. 0, or the
 * first error of `set`: the rest is told next time.
 */
int relations_sync(const struct watch *w, unsigned *told,
		   int (*set)(void *ctx, uint32_t oid, const struct pg_relation *r), void *ctx);
