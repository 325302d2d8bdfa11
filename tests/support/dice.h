// SPDX-License-Identifier: Apache-2.0
// A fuzzer's input as a row of decisions. At its end every answer is 0.
#pragma once

#include <stddef.h>
#include <stdint.h>

struct dice {
	const uint8_t *bytes;
	size_t left;
};

/* 0 to n - 1; n at most 65536. */
static inline unsigned dice_roll(struct dice *d, unsigned n)
{
	unsigned value = 0;

	for (unsigned range = 1; range < n && d->left; range <<= 8) {
		value = value << 8 | *d->bytes++;
		d->left--;
	}
	return value % n;
}

/* A number that is mostly small, at most `max`. */
static inline unsigned dice_size(struct dice *d, unsigned max)
{
	unsigned shift = dice_roll(d, 17);
	unsigned n = shift ? dice_roll(d, 65536) >> (16 - shift) : 0;

	return n > max ? max : n;
}
