// SPDX-License-Identifier: Apache-2.0
// An event is known again by its kind and time: the time is its record's, to the nanosecond.
#include "sensor/repeats.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/arena.h"
#include "lib/block.h"
#include "lib/clean.h"
#include "lib/spool_read.h"
#include "sensor/handover.h"

static int repeat_add(struct repeats *r, const struct repeat *told)
{
	struct repeat *more = reallocarray(r->told, r->n + 1, sizeof(*more));

	if (!more)
		return -ENOMEM;
	r->told = more;
	r->told[r->n++] = *told;
	return 0;
}

static int block_add(struct repeats *r, struct arena *a, const struct handover *h, uint32_t class,
		     const struct spool_block *in)
{
	Rollcall__Block *b = block_open(a, in->layout, in->data, in->size);
	int e = b ? 0 : -EBADMSG;

	for (size_t i = 0; e == 0 && i < b->n_event; i++) {
		const ProtobufCBinaryData *d = &b->event[i];
		Rollcall__Event *ev = rollcall__event__unpack(arena_protobuf(a), d->len, d->data);

		if (!ev)
			e = -EBADMSG;
		else if (in->seq + i > h->seq[class])
			e = repeat_add(r, &(struct repeat){ev->kind_case, class,
							   ev->time - (uint64_t)h->wall_offset,
							   in->seq + i});
	}
	arena_reset(a);
	return e;
}

static int lane_read(struct repeats *r, int dir, const struct handover *h,
		     const struct spool_lane_name *name)
{
	_cleanup_(spool_lane_freep) struct spool_lane *lane = NULL;
	_cleanup_(arena_freep) struct arena *a = NULL;
	struct spool_block block;
	int e;

	if (!h->seq[name->class])
		return 0;
	a = arena_new(64 * 1024);
	e = a ? spool_lane_open(dir, name, h->seq[name->class], &lane) : -ENOMEM;
	while (e == 0) {
		e = spool_lane_next(lane, &block);
		if (e == 0)
			e = block_add(r, a, h, name->class, &block);
	}
	return e == -EAGAIN ? 0 : e;
}

int repeats_read(struct repeats *r, const char *spool, const char *boot_id,
		 const struct handover *h)
{
	_cleanup_(closep) int dir = open(spool, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct spool_lane_name name = {};
	int e = dir < 0 ? -errno : 0;

	memcpy(name.boot_id, boot_id, sizeof(name.boot_id));
	for (name.class = 1; name.class < SEGMENT_CLASSES && e == 0; name.class ++)
		e = lane_read(r, dir, h, &name);
	if (e < 0)
		repeats_free(r);
	return e;
}

void repeats_free(struct repeats *r)
{
	free(r->told);
	*r = (struct repeats){};
}

bool repeats_take(struct repeats *r, const Rollcall__Event *ev, uint32_t class, uint64_t *ret_seq)
{
	for (size_t i = 0; i < r->n; i++) {
		struct repeat *told = &r->told[i];

		if (!told->seq || told->kind != ev->kind_case || told->class != class ||
		    told->time != ev->time)
			continue;
		*ret_seq = told->seq;
		told->seq = 0;
		return true;
	}
	return false;
}
