// SPDX-License-Identifier: Apache-2.0
// Chooses how many blocks a bit is for.
#include "sensor/relations.h"

#include "sensor/watch.h"

/* The largest of the tables that this relation is part of; a table may have grown since then. */
static uint32_t shift_of(const struct watch *w, uint64_t tables)
{
	uint64_t pages = 0;
	uint32_t shift = 0;

	for (unsigned i = 0; i < WATCH_TABLES_MAX; i++)
		if (tables & 1ull << i && watch_table_pages(w, i) > pages)
			pages = watch_table_pages(w, i);
	while (shift < 31 && pages >> shift > RELATION_BITS / 2)
		shift++;
	return shift;
}

int relations_sync(const struct watch *w, unsigned *told,
		   int (*set)(void *ctx, uint32_t oid, const struct pg_relation *r), void *ctx)
{
	for (; *told < watch_oids(w); (*told)++) {
		uint64_t tables;
		uint32_t oid = watch_oid(w, *told, &tables);
		struct pg_relation relation = {.shift = shift_of(w, tables)};
		int r = set(ctx, oid, &relation);

		if (r < 0)
			return r;
	}
	return 0;
}
