// SPDX-License-Identifier: Apache-2.0
#include "lib/protowire.h"

#include <string.h>

/* Wire types. */
#define VARINT 0
#define I64    1
#define LEN    2
#define I32    5

#define TAG_MAX 5 /* bytes; of a length, too */

/* Base 128, the least first. */
size_t protowire_varint(uint8_t *to, uint64_t value)
{
	size_t n = 0;

	for (; value >= 0x80; value >>= 7, n++)
		if (to)
			to[n] = (uint8_t)(value | 0x80);
	if (to)
		to[n] = (uint8_t)value;
	return n + 1;
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
