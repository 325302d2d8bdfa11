// SPDX-License-Identifier: Apache-2.0
// Frames: one table says which types there are, what they carry and how large they may be.
#include "lib/frame.h"

#include <errno.h>

#include "control.pb-c.h"
#include "lib/arena.h"
#include "transport.pb-c.h"

static const struct frame_kind {
	const ProtobufCMessageDescriptor *message;
	size_t max; /* bytes of the body: refused before anything is allocated */
} kinds[] = {
	[FRAME_HELLO] = {&rollcall__hello__descriptor, 4096},
	[FRAME_WELCOME] = {&rollcall__welcome__descriptor, 4096},
	[FRAME_BATCH] = {&rollcall__batch__descriptor, 4 << 20},
	[FRAME_ACK] = {&rollcall__ack__descriptor, 1024},
	[FRAME_PING] = {&rollcall__ping__descriptor, 1024},
	[FRAME_ORDER] = {&rollcall__order__descriptor, 1 << 20},
	[FRAME_REFUSE] = {&rollcall__refuse__descriptor, 4096},
	[FRAME_REQUEST] = {&rollcall__request__descriptor, 16384},
	[FRAME_STATUS] = {&rollcall__status__descriptor, 1 << 20},
	[FRAME_EVENT] = {&rollcall__event__descriptor, 1 << 20},
	[FRAME_TOP] = {&rollcall__top__descriptor, 1 << 20},
	[FRAME_POLICY_LIST] = {&rollcall__policy_list__descriptor, 16 << 20},
	[FRAME_POLICY_ANSWER] = {&rollcall__policy_answer__descriptor, 1 << 20},
};

static const struct frame_kind *kind_of(unsigned type)
{
	return type < sizeof(kinds) / sizeof(kinds[0]) && kinds[type].message ? &kinds[type] : NULL;
}

int frame_header(const uint8_t header[FRAME_HEADER], enum frame_type *ret_type, size_t *ret_size)
{
	const struct frame_kind *kind = kind_of(header[4]);
	size_t size = (size_t)header[0] << 24 | (size_t)header[1] << 16 | (size_t)header[2] << 8 |
		      header[3];

	if (!kind || header[5] || header[6] || header[7])
		return -EBADMSG;
	if (size > kind->max)
		return -EMSGSIZE;
	*ret_type = header[4];
	*ret_size = size;
	return 0;
}

int frame_unpack(struct arena *a, const struct frame *f, ProtobufCMessage **ret_message)
{
	const struct frame_kind *kind = kind_of(f->type);
	ProtobufCMessage *m;

	if (!kind || f->size > kind->max)
		return -EBADMSG;
	m = protobuf_c_message_unpack(kind->message, arena_protobuf(a), f->size, f->body);
	if (!m)
		return -EBADMSG;
	*ret_message = m;
	return 0;
}

int frame_pack(struct arena *a, enum frame_type type, const ProtobufCMessage *message,
	       uint8_t **ret_bytes, size_t *ret_size)
{
	const struct frame_kind *kind = kind_of(type);
	size_t size = protobuf_c_message_get_packed_size(message);
	uint8_t *bytes;

	if (!kind || kind->message != message->descriptor)
		return -EINVAL;
	if (size > kind->max)
		return -EMSGSIZE;
	bytes = arena_alloc(a, FRAME_HEADER + size);
	if (!bytes)
		return -ENOMEM;
	bytes[0] = (uint8_t)(size >> 24);
	bytes[1] = (uint8_t)(size >> 16);
	bytes[2] = (uint8_t)(size >> 8);
	bytes[3] = (uint8_t)size;
	bytes[4] = (uint8_t)type;
	protobuf_c_message_pack(message, bytes + FRAME_HEADER);
	*ret_bytes = bytes;
	*ret_size = FRAME_HEADER + size;
	return 0;
}
