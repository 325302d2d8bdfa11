// SPDX-License-Identifier: Apache-2.0
#include "lib/protowire.h"

#include <endian.h>
#include <string.h>

/* Wire types. */
#define VARINT 0
#define I64    1
#define LEN    2
#define I32    5

#define TAG_MAX 5 /* bytes; of a length, too */

/* Base 128, the least first. */
static size_t varint_size(uint64_t value)
{
	return value < 0x80 ? 1 : (size_t)(70 - __builtin_clzll(value)) / 7;
}

static void varint_put(uint8_t *to, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		*to++ = (uint8_t)(value | 0x80);
	*to = (uint8_t)value;
}

size_t protowire_varint(uint8_t *to, uint64_t value)
{
	if (to)
		varint_put(to, value);
	return varint_size(value);
}

size_t protowire_prefix(uint8_t *to, uint32_t field, size_t size)
{
	size_t n = protowire_varint(to, (uint64_t)field << 3 | LEN);

	return n + protowire_varint(to ? to + n : NULL, size);
}

size_t protowire_bytes(uint8_t *to, uint32_t field, const void *data, size_t size)
{
	size_t n = protowire_prefix(to, field, size);

	if (to && size)
		memcpy(to + n, data, size);
	return n + size;
}

/* ---- messages ---- */

/*
 * From the end to the front: a message's length comes before it, and is known once it is written.
 * Nothing is measured first.
 */
struct packer {
	uint8_t *begin, *at; /* of the room, and of what is written */
	bool full;
};

static bool room(struct packer *p, size_t size)
{
	p->full |= size > (size_t)(p->at - p->begin);
	if (!p->full)
		p->at -= size;
	return !p->full;
}

/* A field's tag and a number: its value, or the length of what is behind. */
static void number_add(struct packer *p, uint64_t tag, uint64_t value)
{
	size_t n = varint_size(tag);

	if (!room(p, n + varint_size(value)))
		return;
	varint_put(p->at, tag);
	varint_put(p->at + n, value);
}

static void varint_add(struct packer *p, uint32_t field, uint64_t value)
{
	if (value)
		number_add(p, (uint64_t)field << 3 | VARINT, value);
}

static void fixed64_add(struct packer *p, uint32_t field, uint64_t value)
{
	uint64_t tag = (uint64_t)field << 3 | I64;
	size_t n = varint_size(tag);

	value = htole64(value);
	if (!room(p, n + sizeof(value)))
		return;
	varint_put(p->at, tag);
	memcpy(p->at + n, &value, sizeof(value));
}

static void prefix_add(struct packer *p, uint32_t field, size_t size)
{
	number_add(p, (uint64_t)field << 3 | LEN, size);
}

static void bytes_add(struct packer *p, uint32_t field, const void *data, size_t size)
{
	if (size && room(p, size))
		memcpy(p->at, data, size);
	prefix_add(p, field, size);
}

/* The sign goes last, so that what is near zero is short. */
static uint64_t zigzag(int64_t value)
{
	return (uint64_t)value << 1 ^ (uint64_t)(value >> 63);
}

static void message_add(struct packer *p, const ProtobufCMessage *m);

static void nested_add(struct packer *p, uint32_t field, const ProtobufCMessage *m)
{
	const uint8_t *end = p->at;

	if (!m)
		return;
	message_add(p, m);
	prefix_add(p, field, (size_t)(end - p->at));
}

/* What is zero or empty is left out. */
static void field_add(struct packer *p, const ProtobufCFieldDescriptor *f, const void *member)
{
	const ProtobufCBinaryData *bytes = member;
	const char *text;

	switch (f->type) {
	case PROTOBUF_C_TYPE_MESSAGE:
		nested_add(p, f->id, *(const ProtobufCMessage *const *)member);
		break;
	case PROTOBUF_C_TYPE_STRING:
		text = *(const char *const *)member;
		if (text && *text)
			bytes_add(p, f->id, text, strlen(text));
		break;
	case PROTOBUF_C_TYPE_BYTES:
		if (bytes->len)
			bytes_add(p, f->id, bytes->data, bytes->len);
		break;
	case PROTOBUF_C_TYPE_UINT64:
		varint_add(p, f->id, *(const uint64_t *)member);
		break;
	case PROTOBUF_C_TYPE_UINT32:
		varint_add(p, f->id, *(const uint32_t *)member);
		break;
	case PROTOBUF_C_TYPE_BOOL:
		varint_add(p, f->id, *(const protobuf_c_boolean *)member != 0);
		break;
	case PROTOBUF_C_TYPE_ENUM:
		varint_add(p, f->id, (uint64_t)(int64_t) * (const int32_t *)member);
		break;
	case PROTOBUF_C_TYPE_SINT32:
		varint_add(p, f->id, (uint32_t)zigzag(*(const int32_t *)member));
		break;
	case PROTOBUF_C_TYPE_SINT64:
		varint_add(p, f->id, zigzag(*(const int64_t *)member));
		break;
	case PROTOBUF_C_TYPE_FIXED64:
		if (*(const uint64_t *)member)
			fixed64_add(p, f->id, *(const uint64_t *)member);
		break;
	case PROTOBUF_C_TYPE_DOUBLE:
		if (*(const double *)member != 0)
			fixed64_add(p, f->id, *(const uint64_t *)member);
		break;
	default:
		p->full = true;
	}
}

/* Of a list nothing is left out. */
static void list_add(struct packer *p, const ProtobufCFieldDescriptor *f, const void *list,
		     size_t n)
{
	const ProtobufCMessage *const *messages = list;
	const char *const *texts = list;

	switch (f->type) {
	case PROTOBUF_C_TYPE_MESSAGE:
		while (n-- > 0)
			nested_add(p, f->id, messages[n]);
		break;
	case PROTOBUF_C_TYPE_STRING:
		while (n-- > 0)
			bytes_add(p, f->id, texts[n], strlen(texts[n]));
		break;
	default:
		p->full = true;
	}
}

static void message_add(struct packer *p, const ProtobufCMessage *m)
{
	const ProtobufCMessageDescriptor *d = m->descriptor;
	const uint8_t *base = (const uint8_t *)m;

	for (unsigned i = d->n_fields; i-- > 0;) {
		const ProtobufCFieldDescriptor *f = &d->fields[i];
		const void *member = base + f->offset;

		if (f->label == PROTOBUF_C_LABEL_REPEATED)
			list_add(p, f, *(const void *const *)member,
				 *(const size_t *)(const void *)(base + f->quantifier_offset));
		else
			field_add(p, f, member);
	}
}

uint8_t *protowire_message(uint32_t field, const ProtobufCMessage *m, uint8_t *begin, uint8_t *end)
{
	struct packer p = {.begin = begin, .at = end};

	nested_add(&p, field, m);
	return p.full ? NULL : p.at;
}

/* ---- reading ---- */

/* A varint of at most `max` bytes. */
static bool varint_next(struct protowire *w, size_t max, uint64_t *ret_value)
{
	uint64_t value = 0;

	for (size_t i = 0; i < max && w->at < w->end; i++) {
		uint8_t byte = *w->at++;

		value |= (uint64_t)(byte & 0x7f) << (7 * i);
		if (byte < 0x80) {
			*ret_value = value;
			return true;
		}
	}
	return false;
}

static bool skip(struct protowire *w, size_t size)
{
	if (size > (size_t)(w->end - w->at))
		return false;
	w->at += size;
	return true;
}

bool protowire_next(struct protowire *w)
{
	uint64_t tag, n;

	w->data = NULL;
	if (!varint_next(w, TAG_MAX, &tag))
		return false;
	w->field = (uint32_t)(tag >> 3);
	switch (tag & 7) {
	case VARINT:
		return varint_next(w, PROTOWIRE_VARINT_MAX, &n);
	case I64:
		return skip(w, 8);
	case I32:
		return skip(w, 4);
	case LEN:
		if (!varint_next(w, TAG_MAX, &n) || !skip(w, n))
			return false;
		w->size = n;
		w->data = w->at - n;
		return true;
	default:
		return false;
	}
}
