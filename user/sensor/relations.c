// SPDX-License-Identifier: Apache-2.0
// Chooses in whose account a relation is counted: what is part of the same watched tables shares
// one, so that a table of a thousand partitions needs no more than another.
#include "sensor/relations.h"

#include <string.h>

#include "sensor/watch.h"

static uint32_t account_of(const struct watch *w, const struct watch_oid *of)
{
	uint32_t account = 0;

	for (unsigned i = 0; i < watch_oids(w); i++) {
		const struct watch_oid *o = watch_oid(w, i);
		bool here = strcmp(o->database, of->database) == 0;

		/* Another relation's in another database, too: it is counted alone. */
		if (o->oid == of->oid && !here)
			return of->oid;
		if (!account && here && o->mask == of->mask)
			account = o->oid;
	}
	return account;
}

int relations_sync(const struct watch *w, unsigned *told,
		   int (*set)(void *ctx, uint32_t oid, const struct pg_relation *r), void *ctx)
{
	for (; *told < watch_oids(w); (*told)++) {
		const struct watch_oid *o = watch_oid(w, *told);
		struct pg_relation relation = {.table = account_of(w, o)};
		int r = set(ctx, o->oid, &relation);

		if (r < 0)
			return r;
	}
	return 0;
}
