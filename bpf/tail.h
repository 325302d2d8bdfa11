/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The variable part of a record: several strings and buffers one behind the other, each named by
 * a record_slice of the fixed part. Used by events that have more than one of them; where the
 * next piece goes is kept in map memory, so that the verifier does not follow each length.
 */
#pragma once

#include "path.h"

#define TAIL_PIECE PATH_MAX /* the most that one piece adds */
#define TAIL_WORDS 8	    /* of the longest piece that is copied by words */

/* A record under construction; made on the stack of the program that fills it. */
struct tail {
	__u8 *record; /* of at least `end` + TAIL_PIECE bytes */
	__u32 *off;   /* in map memory: where the next piece goes, from the record's begin */
	__u32 end;    /* a constant: no piece begins behind it */
};

/* Clamped, so that a piece of TAIL_PIECE bytes fits behind it. */
static __always_inline __u32 tail_off(const struct tail *t)
{
	__u32 off = *t->off;

	barrier_var(off);
	return off > t->end ? t->end : off;
}

static __always_inline void tail_kernel(const struct tail *t, struct record_slice *slice,
					const void *src, __u32 n, __u32 orig)
{
	__u32 off = tail_off(t);

	slice->off = off;
	slice->orig = orig;
	if (n > TAIL_PIECE)
		n = TAIL_PIECE;
	if (bpf_probe_read_kernel(t->record + off, n, src))
		return;
	slice->len = n;
	*t->off = off + n;
}

/*
 * Of map memory, all words that a short piece may have: what is copied behind it, the next piece
 * overwrites. A helper costs more.
 */
static __always_inline void tail_words(const struct tail *t, struct record_slice *slice,
				       const __u8 *src, __u32 n)
{
	__u32 off = tail_off(t);
	__u64 *to = (void *)(t->record + off);

	slice->off = off;
	slice->orig = slice->len = n;
	for (int i = 0; i < TAIL_WORDS; i++)
		to[i] = ((const __u64 *)src)[i];
	*t->off = off + n;
}

/* The path that was walked last. */
static __always_inline void tail_walked(const struct tail *t, const struct path_buf *buf,
					struct record_slice *slice)
{
	__u32 n = PATH_MAX - buf->pos, at = buf->pos;

	barrier_var(at);
	at &= PATH_MAX - 1;
	if (n <= TAIL_WORDS * sizeof(__u64))
		tail_words(t, slice, buf->bytes + at, n);
	else
		tail_kernel(t, slice, buf->bytes + at, n, n);
	slice->orig += buf->cut;
}

static __always_inline void tail_path(const struct tail *t, struct path_buf *buf,
				      struct record_slice *slice, struct path *p)
{
	path_fill(buf, p, false);
	tail_walked(t, buf, slice);
}

/* A NUL-ended kernel string, of at most `max` bytes with its NUL; a longer one is cut. */
static __always_inline void tail_string(const struct tail *t, struct record_slice *slice,
					const char *src, __u32 max)
{
	__u32 off = tail_off(t);
	long n = bpf_probe_read_kernel_str(t->record + off, max, src);

	slice->off = off;
	if (n <= 1 || n > max)
		return;
	slice->len = slice->orig = n - 1;
	*t->off = off + n - 1;
}
