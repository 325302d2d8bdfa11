// SPDX-License-Identifier: Apache-2.0
// Events into the spool.
#include "sensor/keep.h"

#include "lib/arena.h"
#include "lib/log.h"
#include "lib/segment.h"
#include "lib/spool.h"
#include "sensor/lineages.h"

char *keep_id(const struct keep *k, struct arena *a, const char *class, uint64_t seq)
{
	return arena_printf(a, "%.8s-%s-%llu", k->boot_id, class, (unsigned long long)seq);
}

void keep_event(struct keep *k, struct arena *a, Rollcall__Event *ev, uint32_t class)
{
	uint8_t *room = NULL;
	size_t size;

	if (!k->spool) {
		ev->id = keep_id(k, a, "local", ++k->seq);
		return;
	}
	ev->id = keep_id(k, a, segment_class(class), spool_next(k->spool, class));
	size = ev->id ? lineages_packed_size(k->lineages, ev) : 0;
	if (size)
		spool_claim(k->spool, class, size, &room);
	if (!room) {
		k->lost++;
		return;
	}
	lineages_pack(k->lineages, ev, room);
	spool_commit(k->spool, class, size);
}

void keep_tick(struct keep *k)
{
	int r = k->spool ? spool_sync(k->spool) : 0;

	if (r == 0 && k->spool)
		r = spool_trim(k->spool, NULL, NULL);
	/* Told when it begins, not each second; the numbers go out as gaps. */
	if (r < 0 && !k->failing)
		log_error(r, "the spool cannot be written: events are lost");
	k->failing = r < 0;
}
