// SPDX-License-Identifier: Apache-2.0
// A sliding sum over a span of time, in buckets, with carry-over: what was reported is taken out,
// the remainder stays, so that 600 + 400 rows cross a threshold of 500 twice.
#pragma once

#include <stdint.h>

#define SUM_BUCKETS 60

struct sum {
	uint64_t width;		      /* of a bucket, nanoseconds: the span / SUM_BUCKETS */
	uint64_t number[SUM_BUCKETS]; /* which bucket this slot holds: time / width */
	uint64_t value[SUM_BUCKETS];
};

void sum_init(struct sum *s, uint64_t span);
void sum_add(struct sum *s, uint64_t time, uint64_t n);
uint64_t sum_total(const struct sum *s, uint64_t time);
/* Takes n out, the oldest first. */
void sum_take(struct sum *s, uint64_t time, uint64_t n);
