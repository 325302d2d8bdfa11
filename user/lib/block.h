// SPDX-License-Identifier: Apache-2.0
// Consecutive events packed together, a Block of transport.proto: what the spool writes, the hash
// chain covers and the wire carries. Their processes, with ancestors most of an event's bytes, are
// in it once each.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "transport.pb-c.h"

struct arena;

/* ---- being written ---- */

struct block {
	uint8_t *data; /* the caller's */
	size_t size;
	uint32_t events, processes;
};

/* Bytes that an event and a process (0: none) of these sizes take at most. */
size_t block_cost(size_t event, size_t process);

/* Appends a packed process, and returns its number. */
uint32_t block_process(struct block *b, const void *process, size_t size);

/* Appends an event of a process of that number (0: none): returns where its bytes are to go. */
uint8_t *block_event(struct block *b, size_t size, uint32_t process);

/* ---- as it comes back ---- */

/*
 * Checked but for the events themselves. `layout`: of events, data is one event, and so is the
 * block. In the arena; NULL: it is not one, or out of memory.
 */
Rollcall__Block *block_open(struct arena *a, Rollcall__Layout layout, const void *data,
			    size_t size);

/* Bytes of its events with their processes, which may be a thousand times its own. */
size_t block_whole_size(const Rollcall__Block *b);

/* Event `i` as it would be packed alone, in the arena. 0 or -ENOMEM. */
int block_whole(struct arena *a, const Rollcall__Block *b, size_t i, const char *host,
		const char *id, ProtobufCBinaryData *ret_event);
