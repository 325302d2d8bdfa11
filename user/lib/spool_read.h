// SPDX-License-Identifier: Apache-2.0
// The spool's reader: one lane (boot and class) at a time, from a sequence number on, while the
// writer appends. Used by the stream process, which may only read.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/chain.h"
#include "transport.pb-c.h"

struct spool_lane;

/* A boot and class that has files. */
struct spool_lane_name {
	char boot_id[37];
	uint32_t class;
	uint64_t created; /* of its oldest file: boots come in this order */
};

/* The lanes in `directory` (a descriptor), oldest boot first, crit before bulk. Number or error. */
int spool_lanes(int directory, struct spool_lane_name *ret_names, unsigned max);

/* Reads what comes after `seq`: first the whole block that the next event is in. `directory` is
 * borrowed. */
int spool_lane_open(int directory, const struct spool_lane_name *name, uint64_t seq,
		    struct spool_lane **ret_lane);
struct spool_lane *spool_lane_free(struct spool_lane *l);
void spool_lane_freep(struct spool_lane **l);

/* As it was written, for block_open(). */
struct spool_block {
	uint64_t seq;	/* of the first event */
	uint32_t count; /* of events */
	uint32_t whole; /* bytes of these with their processes */
	Rollcall__Layout layout;
	const void *data; /* valid until the next call */
	size_t size;
	const uint8_t *before, *after; /* the chain, CHAIN_SIZE bytes each */
};

/*
 * The next block. 0; -EAGAIN: none yet. Numbers may jump where the writer trimmed, could not
 * write, or a file is damaged: spool_lane_damaged() counts the latter.
 */
int spool_lane_next(struct spool_lane *l, struct spool_block *ret_block);
uint64_t spool_lane_damaged(const struct spool_lane *l);
