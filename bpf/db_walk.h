/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What the walkers of both protocols share: the accounts of one result, and where a walk is in its
 * chunk. Compiled into the probes and, for tests and fuzzing, into user space: no map here, and the
 * includer has the BPF helpers (kernel.h, or tests/support/walk.h).
 */
#pragma once

#include "record.h"

/* A chunk is walked in windows of this size. */
#define DB_WINDOW 8192
/* Longest piece of SQL or of column descriptions in one record. */
#define DB_TEXT_MAX 4096
/*
 * First progress record of a result; later ones as it grows by an eighth, but for what comes at
 * once: half of that may be untold for as long as the client does not read on.
 */
#define DB_PROGRESS_ROWS  1000
#define DB_PROGRESS_BYTES (1 << 20)
#define DB_PROGRESS_SOON  5000000 /* ns after the one before */

/* Eight bytes, wherever they are. */
static __always_inline void db_copy8(__u8 *dst, const __u8 *src)
{
#ifdef __bpf__
	*(__u64 *)dst = *(const __u64 *)src;
#else
	memcpy(dst, src, 8);
#endif
}

/* Four bytes of memory other than the stack, wherever they are, the lowest first. */
static __always_inline __u32 db_load4(const __u8 *src)
{
#ifdef __bpf__
	return *(const __u32 *)src;
#else
	__u32 v;

	memcpy(&v, src, 4);
	return v;
#endif
}

/*
 * `off`, which is at most the window's end, for a look at a header there: that what lies behind the
 * end is not taken for one is the caller's business. To the verifier, a bound without a branch; of
 * two numbers that it does not know Linux 6.1 learns nothing when they are compared.
 */
static __always_inline __u64 db_in_window(__u64 off)
{
	barrier_var(off);
	return off & (DB_WINDOW - 1);
}

/* Of lengths. Without a branch: of those in a loop, the verifier follows every way through it. */
static __always_inline __u64 db_max(__u64 a, __u64 b)
{
	__s64 more = b - a, sign = more >> 63;

	barrier_var(sign);
	return a + (more & ~sign);
}

/* One result set or command, while it streams. */
struct db_result {
	__u64 begin_time; /* 0: none open */
	__u64 rows;
	__u64 copy_rows;
	__u64 bytes;
	__u64 max_row;
	__u64 safe_rows;
	__u64 progress_rows; /* rows and bytes at which the next progress record is due */
	__u64 progress_bytes;
	__u64 progress_time; /* of the last one */
	__u64 affected;
	__u32 status;
	__u32 columns_hash;
	__u8 doubt; /* 1: joined midway or lost sync: rows unknown; 2: a chunk could not be read */
	__u8 tag_len;
	__u8 tag[32];
};

/* Totals of one session. */
struct db_totals {
	__u64 rows;
	__u64 bytes;
	__u64 side_bytes;
	__u32 desync;
};

/* Why a chunk was not walked. */
enum db_miss { DB_MISS_SCRATCH, DB_MISS_SESSION, DB_MISS_READ, DB_MISS_MAX };

static void db_miss(enum db_miss why);

/*
 * Where a walk is in its chunk. Kept in scratch memory, not on the stack: what is read from a map
 * is unknown to the verifier, so every step of the loop looks alike to it and it checks one; of
 * the stack it follows each value and walks a million instructions.
 */
struct db_cursor {
	__u64 user;	    /* next byte of the chunk in user memory */
	__u64 left;	    /* bytes of the chunk beyond this window */
	__u32 off, end;	    /* in the window */
	__u32 columns_from; /* where in the window column definitions began; DB_NOWHERE */
	enum rec_end ended; /* how this step ended a result; 0: it did not */
};

#define DB_NOWHERE 0xffffffffu

static __always_inline struct db_cursor db_cursor_at(__u64 user, __u64 left)
{
	return (struct db_cursor){.user = user, .left = left, .columns_from = DB_NOWHERE};
}

static __always_inline void db_result_begin(struct db_result *r)
{
	if (r->begin_time)
		return;
	r->begin_time = bpf_ktime_get_boot_ns();
	r->progress_rows = DB_PROGRESS_ROWS;
	r->progress_bytes = DB_PROGRESS_BYTES;
}

static __always_inline bool db_progress_due(const struct db_result *r)
{
	__u64 rows = r->rows + r->copy_rows;

	if (rows < r->progress_rows && r->bytes < r->progress_bytes)
		return false;
	if (rows >= 2 * r->progress_rows || r->bytes >= 2 * r->progress_bytes)
		return true;
	return bpf_ktime_get_boot_ns() - r->progress_time >= DB_PROGRESS_SOON;
}

/* Called after a progress record went out. */
static __always_inline void db_progress_next(struct db_result *r)
{
	__u64 rows = r->rows + r->copy_rows;

	r->progress_rows = rows + DB_PROGRESS_ROWS + rows / 8;
	r->progress_bytes = r->bytes + DB_PROGRESS_BYTES + r->bytes / 8;
	r->progress_time = bpf_ktime_get_boot_ns();
}
