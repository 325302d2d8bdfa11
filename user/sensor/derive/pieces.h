// SPDX-License-Identifier: Apache-2.0
// A body that arrives in several records, each with its offset.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "event.pb-c.h"

struct pieces {
	char *data; /* and a NUL */
	size_t len, room;
};

/*
 * Adds a piece of a body of `length` bytes, of which at most `most` are sent; one at offset 0
 * begins another body. True when all that is to come has come.
 */
bool pieces_add(struct pieces *p, const ProtobufCBinaryData *piece, uint32_t offset,
		uint32_t length, uint32_t most);
void pieces_free(struct pieces *p);
