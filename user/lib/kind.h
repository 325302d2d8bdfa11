// SPDX-License-Identifier: Apache-2.0
// What the number of an event's kind tells of it, looked up in Event's descriptor once: each event
// asks several times. Knows no kind by name.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "event.pb-c.h"

struct kind {
	const ProtobufCFieldDescriptor *field; /* the member of Event.kind */
	const ProtobufCFieldDescriptor *task;  /* whose record it was; NULL: it does not tell */
	bool has_endpoints;
};

/* NULL: there is no such kind. */
const struct kind *kind_of(uint32_t number);

/* The message of an event of that kind, borrowed. */
static inline ProtobufCMessage *kind_message(const struct kind *k, const Rollcall__Event *ev)
{
	return *(ProtobufCMessage *const *)(const void *)((const char *)ev + k->field->offset);
}
