// SPDX-License-Identifier: Apache-2.0
// The hash chain over spooled blocks: h(n) = SHA-256(h(n-1) | class | number of its first event |
// block), numbers big-endian, h before the first = zeros. Who holds h(n) can tell whether an event
// up to there was altered, left out or put in. Used by the spool, the stream and the aggregator.
#pragma once

#include <stddef.h>
#include <stdint.h>

#define CHAIN_SIZE 32

struct chain;

struct chain *chain_new(void); /* working memory for many calls; NULL: out of memory */
struct chain *chain_free(struct chain *c);
void chain_freep(struct chain **c);

/* From the hash before to the hash after one block, in place. 0 or -EIO. */
int chain_next(struct chain *c, uint8_t hash[CHAIN_SIZE], uint32_t class, uint64_t seq,
	       const void *block, size_t size);
