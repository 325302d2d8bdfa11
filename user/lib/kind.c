// SPDX-License-Identifier: Apache-2.0
#include "lib/kind.h"

#define KINDS 128 /* more than the highest number; test_kind holds it */

static void kind_make(struct kind *k, const ProtobufCFieldDescriptor *f)
{
	const ProtobufCMessageDescriptor *d = f->descriptor;

	k->field = f;
	k->task = protobuf_c_message_descriptor_get_field_by_name(d, "task");
	if (k->task && k->task->descriptor != &rollcall__task__descriptor)
		k->task = NULL;
	for (unsigned i = 0; i < d->n_fields; i++)
		k->has_endpoints |= d->fields[i].descriptor == &rollcall__endpoint__descriptor;
}

static __attribute__((noinline)) void kinds_make(struct kind *kinds)
{
	const ProtobufCMessageDescriptor *d = &rollcall__event__descriptor;

	for (unsigned i = 0; i < d->n_fields; i++)
		if (d->fields[i].flags & PROTOBUF_C_FIELD_FLAG_ONEOF && d->fields[i].id < KINDS)
			kind_make(&kinds[d->fields[i].id], &d->fields[i]);
}

const struct kind *kind_of(uint32_t number)
{
	static _Thread_local struct kind kinds[KINDS];
	static _Thread_local bool made;

	if (!made)
		kinds_make(kinds);
	made = true;
	return number < KINDS && kinds[number].field ? &kinds[number] : NULL;
}
