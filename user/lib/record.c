// SPDX-License-Identifier: Apache-2.0
// Layout and decoding of kernel records. Used by the pipeline, the generator and the fuzzer.
#include "lib/record.h"

#include <errno.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/kind.h"

#define NESTED_DEPTH_MAX 2

static size_t scalar_size(ProtobufCType type)
{
	switch (type) {
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		return 8;
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_FIXED32:
	case PROTOBUF_C_TYPE_ENUM:
		return 4;
	case PROTOBUF_C_TYPE_BOOL:
		return 1;
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_BYTES:
		return sizeof(struct record_slice);
	default:
		return 0;
	}
}

/* Size of a field in a record, 0 when a record cannot hold it. */
static size_t field_size(const ProtobufCFieldDescriptor *f, unsigned depth)
{
	const ProtobufCMessageDescriptor *desc = f->descriptor;
	size_t sum = 0;

	if (f->label == PROTOBUF_C_LABEL_REPEATED)
		return 0;
	if (f->type != PROTOBUF_C_TYPE_MESSAGE)
		return scalar_size(f->type);
	if (depth >= NESTED_DEPTH_MAX || desc->n_fields > RECORD_FIELDS_MAX)
		return 0;
	/* There are no holes but the one at the end. */
	for (unsigned i = 0; i < desc->n_fields; i++) {
		size_t size = field_size(&desc->fields[i], depth + 1);

		if (!size)
			return 0;
		sum += size;
	}
	return (sum + 7) & ~(size_t)7;
}

/* 8-byte scalars and messages, then 4-byte ones and slices, then bool. */
static unsigned align_of(const ProtobufCFieldDescriptor *f, size_t size)
{
	if (f->type == PROTOBUF_C_TYPE_MESSAGE || size == 8)
		return 8;
	return size == 1 ? 1 : 4;
}

int record_layout(const ProtobufCMessageDescriptor *desc, struct record_layout *ret)
{
	static const unsigned aligns[] = {8, 4, 1};
	size_t off = 0, sizes[RECORD_FIELDS_MAX];

	if (desc->n_fields > RECORD_FIELDS_MAX)
		return -ENOTSUP;
	ret->n = 0;
	for (unsigned i = 0; i < desc->n_fields; i++) {
		sizes[i] = field_size(&desc->fields[i], 0);
		if (!sizes[i])
			return -ENOTSUP;
	}
	for (unsigned k = 0; k < 3; k++) {
		for (unsigned i = 0; i < desc->n_fields; i++) {
			const ProtobufCFieldDescriptor *f = &desc->fields[i];

			if (align_of(f, sizes[i]) != aligns[k])
				continue;
			ret->fields[ret->n].field = f;
			ret->fields[ret->n].off = off;
			ret->fields[ret->n++].size = sizes[i];
			off += sizes[i];
		}
	}
	ret->size = (off + 7) & ~(size_t)7;
	return 0;
}

/* A power of two, and more than there are messages in records. */
#define LAYOUTS 256

/* The layout of a message, which is made when it comes for the first time; NULL: it has none. */
static const struct record_layout *layout_of(const ProtobufCMessageDescriptor *desc)
{
	static _Thread_local struct {
		const ProtobufCMessageDescriptor *desc;
		struct record_layout layout;
	} known[LAYOUTS];
	uintptr_t at = (uintptr_t)desc / sizeof(*desc);

	while (known[at % LAYOUTS].desc && known[at % LAYOUTS].desc != desc)
		at++;
	if (!known[at % LAYOUTS].desc && record_layout(desc, &known[at % LAYOUTS].layout) < 0)
		return NULL;
	known[at % LAYOUTS].desc = desc;
	return &known[at % LAYOUTS].layout;
}

struct decoder {
	struct arena *arena;
	const uint8_t *data;
	size_t size;
	unsigned truncated;
};

static int decode_slice(struct decoder *d, const ProtobufCFieldDescriptor *f, const uint8_t *from,
			uint8_t *to)
{
	struct record_slice s;
	char *copy;

	memcpy(&s, from, sizeof(s));
	if (s.off > d->size || s.len > d->size - s.off)
		return -EBADMSG;
	copy = arena_strndup(d->arena, d->data + s.off, s.len);
	if (!copy)
		return -ENOMEM;
	d->truncated += s.orig > s.len;
	if (f->type == PROTOBUF_C_TYPE_STRING)
		memcpy(to, &copy, sizeof(copy));
	else
		*(ProtobufCBinaryData *)to = (ProtobufCBinaryData){s.len, (uint8_t *)copy};
	return 0;
}

static int decode_message(struct decoder *d, const ProtobufCMessageDescriptor *desc,
			  const uint8_t *from, size_t room, ProtobufCMessage **ret)
{
	const struct record_layout *layout = layout_of(desc);
	ProtobufCMessage *msg;
	int r;

	if (!layout || room < layout->size)
		return -EBADMSG;
	msg = arena_alloc(d->arena, desc->sizeof_message);
	if (!msg)
		return -ENOMEM;
	protobuf_c_message_init(desc, msg);
	for (unsigned i = 0; i < layout->n; i++) {
		const ProtobufCFieldDescriptor *f = layout->fields[i].field;
		const uint8_t *src = from + layout->fields[i].off;
		uint8_t *dst = (uint8_t *)msg + f->offset;

		r = 0;
		if (f->type == PROTOBUF_C_TYPE_MESSAGE)
			r = decode_message(d, f->descriptor, src, layout->fields[i].size,
					   (ProtobufCMessage **)(void *)dst);
		else if (layout->fields[i].size == sizeof(struct record_slice))
			r = decode_slice(d, f, src, dst);
		else if (layout->fields[i].size == 1)
			*(protobuf_c_boolean *)dst = *src != 0;
		else
			memcpy(dst, src, layout->fields[i].size);
		if (r < 0)
			return r;
	}
	*ret = msg;
	return 0;
}

int record_decode(struct arena *a, const void *data, size_t size, Rollcall__Event **ret,
		  unsigned *ret_truncated)
{
	struct decoder d = {.arena = a, .data = data, .size = size};
	const struct kind *k;
	struct record_header h;
	ProtobufCMessage *msg;
	Rollcall__Event *ev;
	int r;

	if (size < sizeof(h))
		return -EBADMSG;
	memcpy(&h, data, sizeof(h));
	if (h.version != RECORD_VERSION || h.size != size || h.kind >= RECORD_KIND_MAX)
		return -EBADMSG;
	k = kind_of(h.kind);
	if (!k)
		return -EBADMSG;
	r = decode_message(&d, k->field->descriptor, d.data + sizeof(h), size - sizeof(h), &msg);
	if (r < 0)
		return r;
	ev = arena_alloc(a, sizeof(*ev));
	if (!ev)
		return -ENOMEM;
	rollcall__event__init(ev);
	ev->time = h.time;
	ev->kind_case = (Rollcall__Event__KindCase)h.kind;
	memcpy((uint8_t *)ev + k->field->offset, &msg, sizeof(msg));
	*ret = ev;
	*ret_truncated = d.truncated;
	return 0;
}
