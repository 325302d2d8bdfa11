// SPDX-License-Identifier: Apache-2.0
// An event in protobuf's wire format, as rollcall__event__pack() would have it but for the order of
// its fields: the members of its kind, of which one is set, are not all looked at, and a process
// that was packed before is copied.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "event.pb-c.h"

/* One field, as it is packed: what is behind its tag. */
typedef ProtobufCMessageUnknownField event_field;

/* Room that event_field_process() needs beside the message. */
#define EVENT_PREFIX_MAX 5

/* Packs a process of `size` packed bytes into `data`, which has room for EVENT_PREFIX_MAX more. */
event_field event_field_process(const Rollcall__Process *process, size_t size, uint8_t *data);

/* Valid as long as the event and the packed process are as they were. */
struct event_pack {
	Rollcall__Event head; /* without its kind, and without the process that was packed */
	event_field process;
	const ProtobufCFieldDescriptor *kind; /* NULL: none is set */
	const ProtobufCMessage *message;
	size_t message_size;
};

/* `process`: the event's own, packed before, or NULL. Bytes that event_pack_write() writes. */
size_t event_pack_measure(struct event_pack *ret, const Rollcall__Event *ev,
			  const event_field *process);
void event_pack_write(struct event_pack *p, uint8_t *to);
