// SPDX-License-Identifier: Apache-2.0
#include "lib/event_pack.h"

#define PROCESS 4 /* the field's number in event.proto */

/* Base 128, the least first; how many bytes. `to` may be NULL. */
static size_t varint(uint8_t *to, size_t value)
{
	size_t n = 0;

	for (; value >= 0x80; value >>= 7, n++)
		if (to)
			to[n] = (uint8_t)(value | 0x80);
	if (to)
		to[n] = (uint8_t)value;
	return n + 1;
}

event_field event_field_process(const Rollcall__Process *process, size_t size, uint8_t *data)
{
	size_t n = varint(data, size);

	n += rollcall__process__pack(process, data + n);
	return (event_field){.tag = PROCESS,
			     .wire_type = PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED,
			     .len = n,
			     .data = data};
}

/* An event's fields but for the members of its kind, which have the higher numbers. */
static const ProtobufCMessageDescriptor *head_descriptor(void)
{
	static ProtobufCMessageDescriptor head;
	unsigned n = 0;

	if (head.magic)
		return &head;
	while (!(rollcall__event__descriptor.fields[n].flags & PROTOBUF_C_FIELD_FLAG_ONEOF))
		n++;
	head = rollcall__event__descriptor;
	head.n_fields = n;
	return &head;
}

static size_t kind_tag(const struct event_pack *p)
{
	return p->kind->id << 3 | PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED;
}

static void kind_find(struct event_pack *p, const Rollcall__Event *ev)
{
	p->kind = ev->kind_case ? protobuf_c_message_descriptor_get_field(
					  &rollcall__event__descriptor, ev->kind_case)
				: NULL;
	if (!p->kind)
		return;
	p->message = *(const ProtobufCMessage *const *)(const void *)((const uint8_t *)ev +
								      p->kind->offset);
	p->message_size = protobuf_c_message_get_packed_size(p->message);
}

size_t event_pack_measure(struct event_pack *ret, const Rollcall__Event *ev,
			  const event_field *process)
{
	size_t size;

	ret->head = *ev;
	ret->head.base.descriptor = head_descriptor();
	if (process) {
		ret->process = *process;
		ret->head.process = NULL;
		ret->head.base.n_unknown_fields = 1;
		ret->head.base.unknown_fields = &ret->process;
	}
	kind_find(ret, ev);
	size = protobuf_c_message_get_packed_size(&ret->head.base);
	if (ret->kind)
		size += varint(NULL, kind_tag(ret)) + varint(NULL, ret->message_size) +
			ret->message_size;
	return size;
}

void event_pack_write(struct event_pack *p, uint8_t *to)
{
	size_t n;

	n = protobuf_c_message_pack(&p->head.base, to);
	if (!p->kind)
		return;
	n += varint(to + n, kind_tag(p));
	n += varint(to + n, p->message_size);
	protobuf_c_message_pack(p->message, to + n);
}
