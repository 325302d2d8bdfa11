// SPDX-License-Identifier: Apache-2.0
// An event in protobuf's wire format as a block has it (Block in transport.proto): its time and its
// kind, without what its block tells. The members of its kind, of which one is set, are not all
// looked at.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "event.pb-c.h"

/* Valid as long as the event is as it was. */
struct event_pack {
	uint64_t time;
	const ProtobufCFieldDescriptor *kind; /* NULL: none is set */
	const ProtobufCMessage *message;
	size_t message_size;
};

/* Bytes that event_pack_write() writes. */
size_t event_pack_measure(struct event_pack *ret, const Rollcall__Event *ev);
void event_pack_write(const struct event_pack *p, uint8_t *to);
