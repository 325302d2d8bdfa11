// SPDX-License-Identifier: Apache-2.0
// Events into the spool.
#include "sensor/keep.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/event_pack.h"
#include "lib/log.h"
#include "lib/spool.h"
#include "sensor/lineages.h"

int keep_init(struct keep *k, struct spool *spool, struct lineages *lineages, const char *boot_id)
{
	*k = (struct keep){.spool = spool, .lineages = lineages};
	for (uint32_t class = 0; class < SEGMENT_CLASSES; class ++)
		k->ids[class] = (struct event_id_lane){
			boot_id, class ? segment_class(class) : "local", 0, 0, ""};
	/* Of which an event takes the last part: the rest is not there until one does. */
	k->packed = malloc(SPOOL_EVENT_MAX);
	return k->packed ? 0 : -ENOMEM;
}

void keep_fini(struct keep *k)
{
	free(k->packed);
}

static int event_spool(struct keep *k, struct arena *a, const Rollcall__Event *ev, uint32_t class)
{
	struct spool_process *process = NULL, once;
	uint8_t *end = k->packed + SPOOL_EVENT_MAX, *data = event_pack(ev, k->packed, end);
	uint8_t *room = NULL;

	if (!data)
		return -EMSGSIZE;
	if (ev->process)
		process = lineages_packed(k->lineages, ev->process);
	if (ev->process && !process) {
		if (spool_process_pack(a, ev->process, &once) < 0)
			return -ENOMEM;
		process = &once;
	}
	/* That others could not be written, the spool counts. */
	spool_claim(k->spool, class, (size_t)(end - data), process, &room);
	if (!room)
		return -EMSGSIZE;
	memcpy(room, data, (size_t)(end - data));
	return 0;
}

void keep_event(struct keep *k, struct arena *a, Rollcall__Event *ev, uint32_t class)
{
	if (!k->spool) {
		ev->id = event_id_next(&k->ids[0], a, ++k->seq);
		return;
	}
	ev->id = event_id_next(&k->ids[class], a, spool_next(k->spool, class));
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
