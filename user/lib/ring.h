// SPDX-License-Identifier: Apache-2.0
// The reading end of a kernel ring buffer. Only a window of the ring is mapped, which slides over
// it: a mapped ring is resident, twice, whether or not a record was ever written to it. Called by
// the sensor's probe.c.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ring;

/* The bytes are valid during the call only. */
typedef void (*ring_fn)(void *ctx, const void *record, size_t size);

/* `map` is borrowed; `size` is the ring's in bytes, a power of two. */
int ring_new(int map, uint32_t size, ring_fn fn, void *ctx, struct ring **ret);
struct ring *ring_free(struct ring *r);
void ring_freep(struct ring **r);

/*
 * Delivers all records that were there when it was called, not those that come meanwhile. Number of
 * records, or negative errno. Their room stays theirs until ring_publish: who is killed before it
 * has them again.
 */
int ring_consume(struct ring *r);

/* Read up to here, in bytes since the ring was made: where a record begins. */
uint64_t ring_position(const struct ring *r);
/* Bytes read and not published. */
uint64_t ring_pending(const struct ring *r);
/* What was read may be overwritten. From within a delivery: all before that record. */
void ring_publish(struct ring *r);

/* Is what begins there published and not overwritten yet? */
bool ring_holds(const struct ring *r, uint64_t position);
/*
 * Delivers again, as copies, what was published, from a record's position on, until what is
 * overwritten meanwhile. Number of records, or negative errno.
 */
int ring_past(struct ring *r, uint64_t from, ring_fn fn, void *ctx);
