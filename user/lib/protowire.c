// SPDX-License-Identifier: Apache-2.0
#include "lib/protowire.h"

#include <string.h>

#define LEN 2 /* the wire type */

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
