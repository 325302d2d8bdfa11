// SPDX-License-Identifier: Apache-2.0
// What a protocol walker of bpf/ needs when it is compiled into user space: the BPF helpers, on
// plain memory. Included before a walker, by pg_twin.h and mysql_twin.h.
#pragma once

#include <linux/types.h>
#include <stdbool.h>
#include <string.h>

/* Hides a value from the optimiser; the verifier is not here. */
#define barrier_var(value) __asm__ volatile("" : "+r"(value))

/* Reads of user memory that succeed from now on; and misses that were told. */
static unsigned walk_reads = -1u;
static unsigned walk_misses;

static inline long bpf_probe_read_user(void *dst, __u64 n, const void *src)
{
	if (!walk_reads)
		return -14; /* EFAULT: the page was taken away */
	walk_reads--;
	memcpy(dst, src, n);
	return 0;
}

static inline long bpf_probe_read_kernel(void *dst, __u64 n, const void *src)
{
	memcpy(dst, src, n);
	return 0;
}

static inline __u64 bpf_ktime_get_boot_ns(void)
{
	return 1;
}

static inline long bpf_loop(__u32 n, void *callback, void *ctx, __u64 flags)
{
	long (*step)(__u64, void *) = callback;
	__u32 i;

	(void)flags;
	for (i = 0; i < n; i++)
		if (step(i, ctx))
			return i + 1;
	return n;
}

/* Callbacks of bpf_loop() do not all look at their count. */
#pragma GCC diagnostic ignored "-Wunused-parameter"

#include "bpf/db_walk.h"

static inline void db_miss(enum db_miss why)
{
	(void)why;
	walk_misses++;
}

/* A result as the walker ended it. */
struct walk_end {
	enum rec_end end;
	__u64 rows, copy_rows, bytes, max_row, affected;
	__u32 group, index;
	__u8 doubt;
	char tag[sizeof(((struct db_result *)0)->tag) + 1];
};

static inline bool walk_end_same(const struct walk_end *a, const struct walk_end *b)
{
	return a->end == b->end && a->rows == b->rows && a->copy_rows == b->copy_rows &&
	       a->bytes == b->bytes && a->max_row == b->max_row && a->affected == b->affected &&
	       a->group == b->group && a->index == b->index && a->doubt == b->doubt &&
	       memcmp(a->tag, b->tag, sizeof(a->tag)) == 0;
}

static inline struct walk_end walk_end_of(const struct db_result *r, enum rec_end end, __u32 group,
					  __u32 index)
{
	struct walk_end e = {
		.end = end,
		.rows = r->rows,
		.copy_rows = r->copy_rows,
		.bytes = r->bytes,
		.max_row = r->max_row,
		.affected = r->affected,
		.group = group,
		.index = index,
		.doubt = r->doubt,
	};

	memcpy(e.tag, r->tag, r->tag_len);
	return e;
}
