// SPDX-License-Identifier: Apache-2.0
// Event.time and Event.kind by hand; test_event_pack holds that Event has nothing else.
#include "lib/event_pack.h"

#include <endian.h>
#include <string.h>

#include "lib/protowire.h"

#define TIME_TAG  (1 << 3 | 1) /* field 1, of 64 bits */
#define TIME_SIZE (1 + sizeof(uint64_t))

/* Nothing where no kind is set. */
static uint8_t *kind_pack(const Rollcall__Event *ev, uint8_t *begin, uint8_t *end)
{
	const ProtobufCFieldDescriptor *f = protobuf_c_message_descriptor_get_field(
		&rollcall__event__descriptor, (unsigned)ev->kind_case);
	const uint8_t *base = (const uint8_t *)ev;
	size_t size, prefix;
	uint8_t *at;

	if (!f)
		return end;
	at = protowire_message(*(const ProtobufCMessage *const *)(const void *)(base + f->offset),
			       begin, end);
	if (!at)
		return NULL;
	size = (size_t)(end - at);
	prefix = protowire_prefix(NULL, f->id, size);
	if ((size_t)(at - begin) < prefix)
		return NULL;
	protowire_prefix(at - prefix, f->id, size);
	return at - prefix;
}

uint8_t *event_pack(const Rollcall__Event *ev, uint8_t *begin, uint8_t *end)
{
	const uint64_t time = htole64(ev->time);
	uint8_t *at = kind_pack(ev, begin, end);

	if (!at || (size_t)(at - begin) < TIME_SIZE)
		return NULL;
	at -= TIME_SIZE;
	*at = TIME_TAG;
	memcpy(at + 1, &time, sizeof(time));
	return at;
}
