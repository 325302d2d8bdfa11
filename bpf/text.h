/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Comparing text byte by byte: the verifier takes no library calls. Used where a name is looked
 * for in a small table.
 */
#pragma once

#include "kernel.h"

/* Does `text` begin with `prefix`, of `width` bytes or fewer with a NUL behind? */
static __always_inline bool text_begins(const char *text, const char *prefix, int width)
{
	for (int i = 0; i < width; i++) {
		if (!prefix[i])
			return true;
		if (text[i] != prefix[i])
			return false;
	}
	return true;
}

/* The bytes of eight that are not NUL; of ASCII. */
static __always_inline __u64 text_mask(__u64 word)
{
	return ((word + 0x7f7f7f7f7f7f7f7full) & 0x8080808080808080ull) / 0x80 * 0xff;
}
