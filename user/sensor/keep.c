// SPDX-License-Identifier: Apache-2.0
// Events into the spool.
#include "sensor/keep.h"

#include <errno.h>

#include "lib/event_id.h"
#include "lib/event_pack.h"
#include "lib/log.h"
#include "lib/segment.h"
#include "lib/spool.h"
#include "sensor/lineages.h"

static int event_spool(struct keep *k, struct arena *a, const Rollcall__Event *ev, uint32_t class)
{
	struct spool_process *process = NULL, once;
	struct event_pack pack;
	uint8_t *room = NULL;

	if (ev->process)
		process = lineages_packed(k->lineages, ev->process);
	if (ev->process && !process) {
		if (spool_process_pack(a, ev->process, &once) < 0)
			return -ENOMEM;
		process = &once;
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
