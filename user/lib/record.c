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

/* ---- decoding ---- */

enum step_kind { STEP_8, STEP_4, STEP_BOOL, STEP_STRING, STEP_BYTES, STEP_MESSAGE, STEP_KINDS };

/* One field: its place in a record, and in its message. */
struct step {
	uint16_t from, to;
	const ProtobufCMessageDescriptor *message; /* STEP_MESSAGE */
};

#define BLANK_MAX (24 + 16 * RECORD_FIELDS_MAX)

/* How one message is decoded. */
struct plan {
	const ProtobufCMessageDescriptor *desc;
	size_t size;		       /* in a record */
	struct step *ends[STEP_KINDS]; /* the steps are in the order of their kinds */
	struct step steps[RECORD_FIELDS_MAX];
	_Alignas(8) uint8_t blank[BLANK_MAX]; /* the message without anything */
};

static enum step_kind step_kind(const ProtobufCFieldDescriptor *f)
{
	switch (f->type) {
	case PROTOBUF_C_TYPE_MESSAGE:
		return STEP_MESSAGE;
	case PROTOBUF_C_TYPE_STRING:
		return STEP_STRING;
	case PROTOBUF_C_TYPE_BYTES:
		return STEP_BYTES;
	case PROTOBUF_C_TYPE_BOOL:
		return STEP_BOOL;
	default:
		return scalar_size(f->type) == 8 ? STEP_8 : STEP_4;
	}
}

static int plan_make(struct plan *p, const ProtobufCMessageDescriptor *desc)
{
	struct record_layout layout;
	struct step *s = p->steps;
	int r = record_layout(desc, &layout);

	if (r < 0 || desc->sizeof_message > sizeof(p->blank))
		return -ENOTSUP;
	p->desc = desc;
	p->size = layout.size;
	protobuf_c_message_init(desc, p->blank);
	for (enum step_kind k = 0; k < STEP_KINDS; k++) {
		for (unsigned i = 0; i < layout.n; i++) {
			const ProtobufCFieldDescriptor *f = layout.fields[i].field;

			if (step_kind(f) == k)
				*s++ = (struct step){(uint16_t)layout.fields[i].off,
						     (uint16_t)f->offset, f->descriptor};
		}
		p->ends[k] = s;
	}
	return 0;
}

/* A power of two, and more than there are messages in records. */
#define PLANS 128

/* The plan of a message, which is made when it comes for the first time; NULL: it has none. */
static const struct plan *plan_of(const ProtobufCMessageDescriptor *desc)
{
	static _Thread_local struct plan known[PLANS];
	uintptr_t at = (uintptr_t)desc / sizeof(*desc);

	while (known[at % PLANS].desc && known[at % PLANS].desc != desc)
		at++;
	if (!known[at % PLANS].desc && plan_make(&known[at % PLANS], desc) < 0)
		return NULL;
	return &known[at % PLANS];
}

struct decoder {
	struct arena *arena;
	const uint8_t *data;
	size_t size;
	unsigned truncated;
};

static int decode_slice(struct decoder *d, const uint8_t *from, ProtobufCBinaryData *ret)
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
	*ret = (ProtobufCBinaryData){s.len, (uint8_t *)copy};
	return 0;
}

/* What has the same size everywhere. The steps before the first that is not. */
static const struct step *decode_scalars(const struct plan *p, const uint8_t *from, uint8_t *to)
{
	const struct step *s = p->steps;

	for (; s < p->ends[STEP_8]; s++)
		memcpy(to + s->to, from + s->from, 8);
	for (; s < p->ends[STEP_4]; s++)
		memcpy(to + s->to, from + s->from, 4);
	for (; s < p->ends[STEP_BOOL]; s++)
		*(protobuf_c_boolean *)(to + s->to) = from[s->from] != 0;
	return s;
}

static int decode_message(struct decoder *d, const ProtobufCMessageDescriptor *desc,
			  const uint8_t *from, size_t room, ProtobufCMessage **ret)
{
	const struct plan *p = plan_of(desc);
	ProtobufCBinaryData bytes;
	const struct step *s;
	uint8_t *to;
	int r = 0;

	if (!p || room < p->size)
		return -EBADMSG;
	to = arena_copy(d->arena, p->blank, desc->sizeof_message);
	if (!to)
		return -ENOMEM;
	s = decode_scalars(p, from, to);
	for (; s < p->ends[STEP_STRING] && r == 0; s++) {
		r = decode_slice(d, from + s->from, &bytes);
		if (r == 0)
			*(uint8_t **)(void *)(to + s->to) = bytes.data;
	}
	for (; s < p->ends[STEP_BYTES] && r == 0; s++)
		r = decode_slice(d, from + s->from, (void *)(to + s->to));
	for (; s < p->ends[STEP_MESSAGE] && r == 0; s++)
		r = decode_message(d, s->message, from + s->from, room - s->from,
				   (void *)(to + s->to));
	if (r == 0)
		*ret = (ProtobufCMessage *)(void *)to;
	return r;
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
