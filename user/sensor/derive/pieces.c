// SPDX-License-Identifier: Apache-2.0
// A body that arrives in several records. A piece that was lost leaves the body short, never wrong.
#include "sensor/derive/pieces.h"

#include <stdlib.h>
#include <string.h>

#define ROOM_MIN 1024

static bool pieces_grow(struct pieces *p, size_t need)
{
	size_t room = p->room ? p->room : ROOM_MIN;
	char *data;

	while (room < need)
		room *= 2;
	if (room == p->room)
		return true;
	data = realloc(p->data, room);
	if (!data)
		return false;
	p->data = data;
	p->room = room;
	return true;
}

bool pieces_add(struct pieces *p, const ProtobufCBinaryData *piece, uint32_t offset,
		uint32_t length, uint32_t most)
{
	size_t whole = length < most ? length : most;

	if (offset == 0)
		p->len = 0;
	if (!pieces_grow(p, p->len + 1))
		return false;
	if (offset == p->len && piece->len <= most - p->len &&
	    pieces_grow(p, p->len + piece->len + 1)) {
		if (piece->len)
			memcpy(p->data + p->len, piece->data, piece->len);
		p->len += piece->len;
	}
	p->data[p->len] = '\0';
	return p->len >= whole;
}

void pieces_free(struct pieces *p)
{
	free(p->data);
	*p = (struct pieces){};
}
