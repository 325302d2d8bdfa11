// SPDX-License-Identifier: Apache-2.0
// Bytes as a PostgreSQL or MariaDB server sends them, made for the walkers' tests. A buffer grows;
// free(wire.bytes) ends it.
#pragma once

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct wire {
	uint8_t *bytes;
	size_t n, room;
	uint8_t seq; /* of the next MySQL packet */
};

/* n bytes at src, or n times 'x' when it is NULL. */
static inline void wire_put(struct wire *w, const void *src, size_t n)
{
	if (w->n + n > w->room) {
		w->room = 2 * (w->n + n) + 64;
		w->bytes = realloc(w->bytes, w->room);
		if (!w->bytes)
			abort();
	}
	if (src)
		memcpy(w->bytes + w->n, src, n);
	else
		memset(w->bytes + w->n, 'x', n);
	w->n += n;
}

static inline void wire_byte(struct wire *w, unsigned value)
{
	uint8_t byte = (uint8_t)value;

	wire_put(w, &byte, 1);
}

static inline void wire_be32(struct wire *w, uint32_t value)
{
	for (int shift = 24; shift >= 0; shift -= 8)
		wire_byte(w, value >> shift);
}

/* A message of PostgreSQL; body NULL: n bytes of filling. */
static inline void wire_pg(struct wire *w, char tag, const void *body, size_t n)
{
	wire_byte(w, (unsigned)tag);
	wire_be32(w, (uint32_t)n + 4);
	wire_put(w, body, n);
}

/*
 * A payload of MySQL in as many packets as it takes: `first` and, behind it, filling up to n bytes.
 * One of 0xffffff bytes or a multiple is followed by an empty packet.
 */
static inline void wire_my(struct wire *w, const void *first, size_t first_n, size_t n)
{
	size_t done = 0;

	for (;;) {
		size_t part = n - done < 0xffffff ? n - done : 0xffffff;
		size_t head = done < first_n ? first_n - done : 0;

		if (head > part)
			head = part;
		wire_byte(w, (unsigned)part);
		wire_byte(w, (unsigned)(part >> 8));
		wire_byte(w, (unsigned)(part >> 16));
		wire_byte(w, w->seq++);
		if (head)
			wire_put(w, (const uint8_t *)first + done, head);
		wire_put(w, NULL, part - head);
		done += part;
		if (part < 0xffffff)
			return;
	}
}

/* An OK packet, or one of the end of rows that looks like it: header 0x00 or 0xfe. */
static inline void wire_my_ok(struct wire *w, unsigned header, unsigned affected, unsigned status)
{
	uint8_t ok[] = {(uint8_t)header,	  0xfc, (uint8_t)affected,
			(uint8_t)(affected >> 8), 0,	(uint8_t)status,
			(uint8_t)(status >> 8),	  0,	0};

	wire_my(w, ok, sizeof(ok), sizeof(ok));
}

static inline void wire_my_eof(struct wire *w, unsigned status)
{
	uint8_t eof[] = {0xfe, 0, 0, (uint8_t)status, (uint8_t)(status >> 8)};

	wire_my(w, eof, sizeof(eof), sizeof(eof));
}

static inline void wire_my_error(struct wire *w)
{
	static const uint8_t error[] = {0xff, 0x28, 0x04, '#', 'H', 'Y', '0', '0', '0'};

	wire_my(w, error, sizeof(error), 40);
}
