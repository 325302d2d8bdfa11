/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Statements that need not be told one by one: user space has judged one of the same shape, in the
 * same session, a moment ago, and neither a rule nor a watched table was in it. Their small results
 * are only counted. Compiled into the probe and, for tests and fuzzing, into user space.
 *
 * A shape is the text with its numbers made alike. It is hashed with a secret: who chooses the text
 * of statements cannot make one that passes for another.
 */
#pragma once

#include "db_walk.h"

/* Longest text that has a shape. */
#define QUIET_TEXT_MAX 512
/* A judgement holds for so long: rules that look at the clock, and names that mean another thing.
 */
#define QUIET_HOLDS 10000000000 /* ns */
/* Longest that an unremarkable result may take. */
#define QUIET_LASTS 100000000 /* ns */

struct quiet_secret {
	__u64 seed, factor; /* the factor is odd */
	__u64 since;	    /* what was judged before is void (CLOCK_BOOTTIME) */
};

/* As user/sensor/quiet.c writes it: a result of that shape may have so many. */
struct quiet_verdict {
	__u64 judged; /* CLOCK_BOOTTIME */
	__u32 rows;
	__u32 bytes;
};

/* Of a session. */
struct quiet {
	__u64 results, rows, bytes; /* not told yet */
	__u64 shape;		    /* of the statement that came last; 0: none */
	__u64 side_bytes;	    /* when it came */
	__u32 rows_max, bytes_max;
	__u8 on;   /* the statement that runs is such a one */
	__u8 held; /* it was not told */
};

#define QUIET_EACH(byte) (0x0101010101010101ull * (byte))
#define QUIET_HIGH	 QUIET_EACH(0x80)

/* The high bit of each byte that equals `byte`. */
static __always_inline __u64 quiet_equal(__u64 w, __u8 byte)
{
	__u64 x = w ^ QUIET_EACH(byte);

	return ~(((x & ~QUIET_HIGH) + ~QUIET_HIGH) | x) & QUIET_HIGH;
}

/* The high bit of each byte of first..last, both ASCII. */
static __always_inline __u64 quiet_between(__u64 w, __u8 first, __u8 last)
{
	__u64 low = w & ~QUIET_HIGH;

	return (low + QUIET_EACH(0x80 - first)) & ~(low + QUIET_EACH(0x7f - last)) & ~w &
	       QUIET_HIGH;
}

/* Of the byte before: was it a digit, of a number, part of a name? */
struct quiet_before {
	__u64 digit, number, name;
};

/* Makes every digit of a number 0. Digits of a name (staff2, $2) stay. */
static __always_inline __u64 quiet_fold(__u64 w, struct quiet_before *before)
{
	__u64 digit = quiet_between(w, '0', '9');
	__u64 name = quiet_between(w | QUIET_EACH(0x20), 'a', 'z') | quiet_equal(w, '_') |
		     quiet_equal(w, '$') | (w & QUIET_HIGH);
	__u64 begins = digit & ~(digit << 8 | before->digit) & ~(name << 8 | before->name);
	__u64 whole = (digit >> 7) * 0xff, numbers;

	begins |= digit & before->digit & before->number;
	/* The carry runs through all bytes of a number that begins there. */
	numbers = whole & ~(whole + (begins >> 7));
	before->digit = digit >> 63 << 7;
	before->number = numbers >> 63 << 7;
	before->name = name >> 63 << 7;
	return (w & ~numbers) | (QUIET_EACH('0') & numbers);
}

struct quiet_walk {
	const __u8 *text; /* QUIET_TEXT_MAX bytes, of which n are its */
	__u64 factor, hash, quotes;
	struct quiet_before before;
	__u32 n;
};

static long quiet_step(__u64 i, struct quiet_walk *q)
{
	__u32 at = i * 8;
	__u64 w;

	if (!q->text || at >= QUIET_TEXT_MAX || at >= q->n)
		return 1;
	db_copy8((__u8 *)&w, q->text + at); /* the first is the lowest: little-endian */
	if (q->n - at < 8)
		w &= (1ull << 8 * (q->n - at)) - 1;
	q->quotes |= quiet_equal(w, '"');
	q->hash = (q->hash ^ quiet_fold(w, &q->before)) * q->factor;
	q->hash ^= q->hash >> 32;
	return 0;
}

/*
 * Of n bytes of text, with QUIET_TEXT_MAX to be read. 0: it has none, being too long, or having
 * names in quotes, in which digits may stand alone.
 */
static __always_inline __u64 quiet_shape(const struct quiet_secret *secret, const __u8 *text,
					 __u32 n)
{
	struct quiet_walk q = {
		.text = text, .factor = secret->factor, .hash = secret->seed, .n = n};

	if (!n || n > QUIET_TEXT_MAX || !secret->factor)
		return 0;
	bpf_loop(QUIET_TEXT_MAX / 8, quiet_step, &q, 0);
	return q.quotes ? 0 : q.hash ?: 1;
}

/* A result like the one that was judged: whole, of rows that left in messages, no larger, at once.
 */
static __always_inline bool quiet_small(const struct quiet *q, const struct db_result *r)
{
	return !r->doubt && !r->copy_rows && r->rows <= q->rows_max && r->bytes <= q->bytes_max &&
	       r->begin_time && bpf_ktime_get_boot_ns() - r->begin_time < QUIET_LASTS &&
	       r->tag_len > 7 && r->tag[0] == 'S' && r->tag[1] == 'E' && r->tag[2] == 'L';
}
