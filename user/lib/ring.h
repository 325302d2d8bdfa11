// SPDX-License-Identifier: Apache-2.0
// The reading end of a kernel ring buffer. Only a window of the ring is mapped, which slides over
// it: a mapped ring is resident, twice, whether or not a record was ever written to it. Called by
// the sensor's probe.c.
#pragma once

#include <stddef.h>
#include <stdint.h>

struct ring;

/* The bytes are valid during the call only. */
typedef void (*ring_fn)(void *ctx, const void *record, size_t size);

/* `map` is borrowed; `size` is the ring's in bytes, a power of two. */
int ring_new(int map, uint32_t size, ring_fn fn, void *ctx, struct ring **ret);
struct ring *ring_free(struct ring *r);
void ring_freep(struct ring **r);

/* Delivers all records there are. Number of records, or negative errno. */
int ring_consume(struct ring *r);
