// SPDX-License-Identifier: Apache-2.0
#include "lib/block.h"

#include <errno.h>
#include <string.h>

#include "event.pb-c.h"
#include "lib/arena.h"
#include "lib/protowire.h"

/* Fields of Block and of Event; test_block holds them. */
#define BLOCK_EVENT	 1
#define BLOCK_PROCESS	 2
#define BLOCK_PROCESS_OF 3
#define EVENT_HOST	 2
#define EVENT_ID	 3
#define EVENT_PROCESS	 4
#define PROCESS_PARENT	 7

#define PROCESSES_MAX 64 /* one above the other; the sensor tells sixteen */

size_t block_cost(size_t event, size_t process)
{
	return 2 * PROTOWIRE_PREFIX_MAX + event + process + 1 + PROTOWIRE_VARINT_MAX;
}

uint32_t block_process(struct block *b, const void *process, size_t size)
{
	b->size += protowire_bytes(b->data + b->size, BLOCK_PROCESS, process, size);
	return ++b->processes;
}

uint8_t *block_event(struct block *b, size_t size, uint32_t process)
{
	uint8_t *at;

	b->size += protowire_varint(b->data + b->size, BLOCK_PROCESS_OF << 3);
	b->size += protowire_varint(b->data + b->size, process);
	b->size += protowire_prefix(b->data + b->size, BLOCK_EVENT, size);
	at = b->data + b->size;
	b->size += size;
	b->events++;
	return at;
}

/*
 * Are there more than `max` processes in one another, the first in that field? protobuf-c calls
 * itself for each, as deep as a peer wants.
 */
static bool too_deep(const uint8_t *data, size_t size, uint32_t field, unsigned max)
{
	struct protowire w = {.at = data, .end = size ? data + size : data}; /* NULL: empty */

	while (protowire_next(&w))
		if (w.data && w.field == field &&
		    (!max || too_deep(w.data, w.size, PROCESS_PARENT, max - 1)))
			return true;
	return false;
}

static Rollcall__Block *one_event(struct arena *a, const void *data, size_t size)
{
	Rollcall__Block *b = arena_alloc(a, sizeof(*b));

	if (!b || too_deep(data, size, EVENT_PROCESS, PROCESSES_MAX))
		return NULL;
	rollcall__block__init(b);
	b->event = arena_alloc(a, sizeof(*b->event));
	if (!b->event)
		return NULL;
	b->n_event = 1;
	*b->event = (ProtobufCBinaryData){size, (uint8_t *)(uintptr_t)data};
	return b;
}

static bool process_good(struct arena *a, const ProtobufCBinaryData *d)
{
	return !too_deep(d->data, d->len, PROCESS_PARENT, PROCESSES_MAX) &&
	       rollcall__process__unpack(arena_protobuf(a), d->len, d->data);
}

Rollcall__Block *block_open(struct arena *a, Rollcall__Layout layout, const void *data, size_t size)
{
	Rollcall__Block *b;

	if (layout == ROLLCALL__LAYOUT__events)
		return one_event(a, data, size);
	b = rollcall__block__unpack(arena_protobuf(a), size, data);
	if (!b || b->n_process_of != b->n_event)
		return NULL;
	for (size_t i = 0; i < b->n_event; i++)
		if (b->process_of[i] > b->n_process ||
		    too_deep(b->event[i].data, b->event[i].len, EVENT_PROCESS, PROCESSES_MAX))
			return NULL;
	for (size_t i = 0; i < b->n_process; i++)
		if (!process_good(a, &b->process[i]))
			return NULL;
	return b;
}

static const ProtobufCBinaryData *process_of(const Rollcall__Block *b, size_t i)
{
	return b->n_process_of && b->process_of[i] ? &b->process[b->process_of[i] - 1] : NULL;
}

size_t block_whole_size(const Rollcall__Block *b)
{
	size_t size = 0;

	for (size_t i = 0; i < b->n_event; i++) {
		const ProtobufCBinaryData *process = process_of(b, i);

		size += b->event[i].len + (process ? process->len : 0);
	}
	return size;
}

int block_whole(struct arena *a, const Rollcall__Block *b, size_t i, const char *host,
		const char *id, ProtobufCBinaryData *ret_event)
{
	const ProtobufCBinaryData *ev = &b->event[i], *process = process_of(b, i);
	size_t n = ev->len, host_size = strlen(host), id_size = strlen(id);
	uint8_t *to;

	if (!b->n_process_of) { /* it is already */
		*ret_event = *ev;
		return 0;
	}
	to = arena_alloc(a, n + 3 * PROTOWIRE_PREFIX_MAX + host_size + id_size +
				    (process ? process->len : 0));
	if (!to)
		return -ENOMEM;
	if (n)
		memcpy(to, ev->data, n);
	/* Of a field that is there twice the last one counts: not what an event says of itself. */
	n += protowire_bytes(to + n, EVENT_HOST, host, host_size);
	n += protowire_bytes(to + n, EVENT_ID, id, id_size);
	if (process)
		n += protowire_bytes(to + n, EVENT_PROCESS, process->data, process->len);
	*ret_event = (ProtobufCBinaryData){n, to};
	return 0;
}
