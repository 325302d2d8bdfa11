// SPDX-License-Identifier: Apache-2.0
// Event.time and Event.kind by hand; test_event_pack holds that Event has nothing else.
#include "lib/event_pack.h"

#include <endian.h>
#include <string.h>

#include "lib/protowire.h"

#define TIME_TAG (1 << 3 | 1) /* field 1, of 64 bits */

static size_t time_write(uint64_t time, uint8_t *to)
{
	const uint64_t le = htole64(time);

	if (to) {
		*to = TIME_TAG;
		memcpy(to + 1, &le, sizeof(le));
	}
	return 1 + sizeof(le);
}

size_t event_pack_measure(struct event_pack *ret, const Rollcall__Event *ev)
{
	ret->time = ev->time;
	ret->kind = ev->kind_case ? protobuf_c_message_descriptor_get_field(
					    &rollcall__event__descriptor, ev->kind_case)
				  : NULL;
	if (!ret->kind)
		return time_write(ret->time, NULL);
	ret->message = *(const ProtobufCMessage *const *)(const void *)((const uint8_t *)ev +
									ret->kind->offset);
	ret->message_size = protobuf_c_message_get_packed_size(ret->message);
	return time_write(ret->time, NULL) +
	       protowire_prefix(NULL, ret->kind->id, ret->message_size) + ret->message_size;
}

void event_pack_write(const struct event_pack *p, uint8_t *to)
{
	to += time_write(p->time, to);
	if (!p->kind)
		return;
	to += protowire_prefix(to, p->kind->id, p->message_size);
	protobuf_c_message_pack(p->message, to);
}
