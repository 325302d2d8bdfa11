// SPDX-License-Identifier: Apache-2.0
// A Batch of the wire: consecutive blocks of the spool, compressed, with the hash chain before and
// after. Packed by the stream process, opened by the aggregator, which trusts none of it.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/chain.h"
#include "transport.pb-c.h"

struct arena;

/* Most that a batch's payload may have before compression, and events in it. */
#define BATCH_RAW_MAX	 (1u << 20)
#define BATCH_EVENTS_MAX 8192
#define BATCH_WHOLE_MAX	 (8u << 20) /* bytes of its events with their processes */

/* Compresses `n` records of the batch's layout into its payload (all else is the caller's). */
int batch_pack(struct arena *a, const ProtobufCBinaryData *records, size_t n,
	       Rollcall__Batch *ret_batch);

/* As block_open() makes them; each has an event. */
struct batch_blocks {
	Rollcall__Block **blocks;
	size_t n;
};

/*
 * The events of a batch. Checks every size before it allocates, the count, the sequence numbers
 * and the chain. -EBADMSG: not what its header says; -EMSGSIZE: above a cap; -ENOMEM.
 * `known_seq`, `known`: the chain that the caller already holds at a sequence number; when the
 * batch passes through it, *ret_agrees tells whether it has the same history, else it is true.
 */
int batch_open(struct arena *a, struct chain *chain, const Rollcall__Batch *batch,
	       uint64_t known_seq, const uint8_t known[CHAIN_SIZE], struct batch_blocks *ret_blocks,
	       int *ret_agrees);
