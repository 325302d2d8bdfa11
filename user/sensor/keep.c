// SPDX-License-Identifier: Apache-2.0
// Events into the spool.
#include "sensor/keep.h"

#include <errno.h>

#include "lib/arena.h"
#include "lib/event_id.h"
#include "lib/event_pack.h"
#include "lib/log.h"
#include "lib/segment.h"
#include "lib/spool.h"
#include "sensor/lineages.h"

/* One that is not kept for the next event, for this. NULL: out of memory. */
static struct spool_process *process_pack(struct arena *a, const Rollcall__Process *process)
{
	struct spool_process *p = arena_alloc(a, sizeof(*p));
	size_t size = rollcall__process__get_packed_size(process);
	uint8_t *data = arena_alloc(a, size);

	if (!p || !data)
		return NULL;
	*p = (struct spool_process){.data = data, .size = rollcall__process__pack(process, data)};
	return p;
}

static int event_spool(struct keep *k, struct arena *a, const Rollcall__Event *ev, uint32_t class)
{
	struct spool_process *process = NULL;
	struct event_pack pack;
	uint8_t *room = NULL;

	if (ev->process) {
		process = lineages_packed(k->lineages, ev->process);
		if (!process)
			process = process_pack(a, ev->process);
		if (!process)
			return -ENOMEM;
	}
	/* That others could not be written, the spool counts. */
	spool_claim(k->spool, class, event_pack_measure(&pack, ev), process, &room);
	if (!room)
		return -EMSGSIZE;
	event_pack_write(&pack, room);
	return 0;
}

void keep_event(struct keep *k, struct arena *a, Rollcall__Event *ev, uint32_t class)
{
	if (!k->spool) {
		ev->id = event_id(a, k->boot_id, "local", ++k->seq);
		return;
	}
	ev->id = event_id(a, k->boot_id, segment_class(class), spool_next(k->spool, class));
	if (!ev->id || event_spool(k, a, ev, class) < 0)
		k->lost++;
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
