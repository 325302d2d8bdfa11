/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Statements that need not be told one by one: user space has judged one of the same shape, in the
 * same session, a moment ago, and neither a rule nor a watched table was in it. Their small results
 * are only counted. Compiled into the probe and, for tests and fuzzing, into user space.
 *
 * A shape is the text with its numbers made alike, hashed by SipHash-1-3 (Aumasson, Bernstein:
 * "SipHash: a fast short-input PRF") with a secret key: who chooses the text of statements cannot
 * make one that passes for another.
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
	__u64 key[2];
	__u64 since; /* what was judged before is void (CLOCK_BOOTTIME); 0: there is no key yet */
};

/* As user/sensor/quiet.c writes it: a result of that shape may have so many. */
struct quiet_verdict {
	__u64 judged; /* CLOCK_BOOTTIME */
	__u32 rows;
	__u32 bytes;
	__u32 columns; /* hash of their descriptions, where there is one */
	__u32 pad;
};

/* Of a session. */
struct quiet {
	__u64 results, rows, bytes; /* not told yet */
	__u64 shape;		    /* of the statement that came last; 0: none */
	__u64 side_bytes;	    /* when it came */
	__u32 rows_max, bytes_max;
	__u32 columns;	  /* hash of the judged one's descriptions */
	__u64 queries;	  /* that were told, and may have changed what others mean */
	__u8 on;	  /* the statement that runs is such a one */
	__u8 held;	  /* it was not told */
	__u8 unseen;	  /* what is there and was not told: */
#define QUIET_STATEMENT 1 /* the unnamed prepared statement */
#define QUIET_PORTAL	2 /* the unnamed portal */
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

/* Of the byte before: was it a digit, of a number, part of a name, a slash? */
struct quiet_before {
	__u64 digit, number, name, slash;
};

/* Makes every digit of a number 0. Digits of a name (staff2, $2, `2`) stay. */
static __always_inline __u64 quiet_fold(__u64 w, struct quiet_before *before)
{
	__u64 digit = quiet_between(w, '0', '9');
	__u64 name = quiet_between(w | QUIET_EACH(0x20), 'a', 'z') | quiet_equal(w, '_') |
		     quiet_equal(w, '$') | quiet_equal(w, '`') | (w & QUIET_HIGH);
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

/* Marks where a statement of MySQL's dialect ends, or begins a comment, which may be code by its
 * number. */
static __always_inline __u64 quiet_mysql(__u64 w, struct quiet_before *before)
{
	__u64 slash = quiet_equal(w, '/');
	__u64 marks = quiet_equal(w, ';') | ((slash << 8 | before->slash) & quiet_equal(w, '*'));

	before->slash = slash >> 63 << 7;
	return marks;
}

struct quiet_walk {
	const __u8 *text; /* room for QUIET_TEXT_MAX bytes, or DB_TEXT_MAX of descriptions */
	__u64 v[4];	  /* SipHash's state */
	__u64 odd;	  /* it has no shape */
	struct quiet_before before;
	__u32 n;
	bool mysql; /* its dialect */
};

static __always_inline __u64 quiet_rotate(__u64 x, __u32 by)
{
	return x << by | x >> (64 - by);
}

static __always_inline void quiet_round(__u64 *v)
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = quiet_rotate(v[1], 13) ^ v[0];
	v[3] = quiet_rotate(v[3], 16) ^ v[2];
	v[0] = quiet_rotate(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = quiet_rotate(v[1], 17) ^ v[2];
	v[3] = quiet_rotate(v[3], 21) ^ v[0];
	v[2] = quiet_rotate(v[2], 32);
}

static __always_inline void quiet_mix(__u64 *v, __u64 w)
{
	v[3] ^= w;
	quiet_round(v);
	v[0] ^= w;
}

/* The next eight bytes, or what there is of them, of at most `max`. */
static __always_inline bool quiet_word(const struct quiet_walk *q, __u32 at, __u32 max, __u64 *ret)
{
	if (!q->text || at >= max || at >= q->n)
		return false;
	db_copy8((__u8 *)ret, q->text + at); /* the first is the lowest: little-endian */
	if (q->n - at < 8)
		*ret &= (1ull << 8 * (q->n - at)) - 1;
	return true;
}

static long quiet_step(__u64 i, struct quiet_walk *q)
{
	__u64 w;

	if (!quiet_word(q, i * 8, QUIET_TEXT_MAX, &w))
		return 1;
	q->odd |= quiet_equal(w, '"');
	if (q->mysql)
		q->odd |= quiet_mysql(w, &q->before);
	quiet_mix(q->v, quiet_fold(w, &q->before));
	return 0;
}

static long quiet_columns_step(__u64 i, struct quiet_walk *q)
{
	__u64 w;

	if (!quiet_word(q, i * 8, DB_TEXT_MAX, &w))
		return 1;
	quiet_mix(q->v, w);
	return 0;
}

static __always_inline void quiet_hash_begin(struct quiet_walk *q,
					     const struct quiet_secret *secret)
{
	q->v[0] = secret->key[0] ^ 0x736f6d6570736575;
	q->v[1] = secret->key[1] ^ 0x646f72616e646f6d;
	q->v[2] = secret->key[0] ^ 0x6c7967656e657261;
	q->v[3] = secret->key[1] ^ 0x7465646279746573;
}

static __always_inline __u64 quiet_hash_end(struct quiet_walk *q)
{
	/* The length is mixed in by itself: the last word of the text has its place already. */
	quiet_mix(q->v, (__u64)q->n << 56);
	q->v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		quiet_round(q->v);
	return (q->v[0] ^ q->v[1] ^ q->v[2] ^ q->v[3]) ?: 1;
}

/*
 * Of n bytes of text, with QUIET_TEXT_MAX to be read. 0: it has none, being too long, or having
 * names in quotes, in which digits may stand alone; of MySQL's dialect, being more than one
 * statement, or having comments.
 */
static __always_inline __u64 quiet_shape(const struct quiet_secret *secret, const __u8 *text,
					 __u32 n, bool mysql)
{
	struct quiet_walk q = {.text = text, .n = n, .mysql = mysql};

	if (!n || n > QUIET_TEXT_MAX || !secret->since)
		return 0;
	quiet_hash_begin(&q, secret);
	bpf_loop(QUIET_TEXT_MAX / 8, quiet_step, &q, 0);
	return q.odd ? 0 : quiet_hash_end(&q);
}

/* Of n bytes of column descriptions, with DB_TEXT_MAX to be read, behind those of hash `before`; 0:
 * they are too many. */
static __always_inline __u32 quiet_columns(const struct quiet_secret *secret, __u32 before,
					   const __u8 *text, __u32 n)
{
	struct quiet_walk q = {.text = text, .n = n};

	if (n > DB_TEXT_MAX)
		return 0;
	quiet_hash_begin(&q, secret);
	quiet_mix(q.v, before);
	bpf_loop(DB_TEXT_MAX / 8, quiet_columns_step, &q, 0);
	return (__u32)quiet_hash_end(&q) ?: 1;
}

/* A result like the one that was judged: whole, of rows that left in messages, no larger, at once.
 */
static __always_inline bool quiet_small(const struct quiet *q, const struct db_result *r)
{
	return !r->doubt && !r->copy_rows && r->rows <= q->rows_max && r->bytes <= q->bytes_max &&
	       r->begin_time && bpf_ktime_get_boot_ns() - r->begin_time < QUIET_LASTS;
}

/* PostgreSQL's CommandComplete, "SELECT 1". */
static __always_inline bool pg_tag_select(const struct db_result *r)
{
	return r->tag_len > 7 && r->tag[0] == 'S' && r->tag[1] == 'E' && r->tag[2] == 'L';
}
