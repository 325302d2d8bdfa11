// SPDX-License-Identifier: Apache-2.0
// Events into the spool.
#include "sensor/keep.h"

#include <string.h>

#include "lib/arena.h"
#include "lib/event_pack.h"
#include "lib/log.h"
#include "lib/segment.h"
#include "lib/spool.h"
#include "sensor/lineages.h"

#define ID_BOOT 8 /* characters of the boot id */

/* "1f0c73b9-bulk-4711". Each event has one: by hand, printf() takes as long as packing it. */
char *keep_id(const struct keep *k, struct arena *a, const char *class, uint64_t seq)
{
	size_t boot = strnlen(k->boot_id, ID_BOOT), n = strlen(class);
	char digits[20], *at = digits + sizeof(digits);
	char *id = arena_alloc(a, boot + n + 2 + sizeof(digits) + 1);

	if (!id)
		return NULL;
	do
		*--at = (char)('0' + seq % 10);
	while (seq /= 10);
	memcpy(id, k->boot_id, boot);
	id[boot] = '-';
	memcpy(id + boot + 1, class, n);
	id[boot + 1 + n] = '-';
	memcpy(id + boot + n + 2, at, (size_t)(digits + sizeof(digits) - at));
	return id;
}

void keep_event(struct keep *k, struct arena *a, Rollcall__Event *ev, uint32_t class)
{
	struct event_pack pack;
	uint8_t *room = NULL;
	size_t size;

	if (!k->spool) {
		ev->id = keep_id(k, a, "local", ++k->seq);
		return;
	}
	ev->id = keep_id(k, a, segment_class(class), spool_next(k->spool, class));
	size = ev->id ? event_pack_measure(&pack, ev, lineages_packed(k->lineages, ev->process))
		      : 0;
	if (size)
		spool_claim(k->spool, class, size, &room);
	if (!room) {
		k->lost++;
		return;
	}
	event_pack_write(&pack, room);
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
