// SPDX-License-Identifier: Apache-2.0
// Batches: protobuf Records, compressed with zlib.
#include "lib/batch.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <zlib.h>

#include "lib/arena.h"
#include "lib/block.h"

int batch_pack(struct arena *a, const ProtobufCBinaryData *records, size_t n,
	       Rollcall__Batch *ret_batch)
{
	Rollcall__Records m;
	uint8_t *raw, *packed;
	size_t raw_size;
	uLongf size;

	rollcall__records__init(&m);
	m.n_event = n;
	m.event = arena_copy(a, records, n * sizeof(*records));
	if (!m.event)
		return -ENOMEM;
	raw_size = rollcall__records__get_packed_size(&m);
	if (raw_size > BATCH_RAW_MAX || ret_batch->count > BATCH_EVENTS_MAX || !n)
		return -EMSGSIZE;
	size = compressBound(raw_size);
	raw = arena_alloc(a, raw_size);
	packed = arena_alloc(a, size);
	if (!raw || !packed)
		return -ENOMEM;
	rollcall__records__pack(&m, raw);
	if (compress2(packed, &size, raw, raw_size, Z_BEST_SPEED) != Z_OK)
		return -EIO;
	ret_batch->compression = ROLLCALL__COMPRESSION__zlib;
	ret_batch->raw_size = (uint32_t)raw_size;
	ret_batch->payload = (ProtobufCBinaryData){size, packed};
	return 0;
}

/* The payload as it was before compression. */
static int payload_open(struct arena *a, const Rollcall__Batch *batch, const uint8_t **ret_raw)
{
	uLongf size = batch->raw_size;
	uint8_t *raw;

	if (batch->compression == ROLLCALL__COMPRESSION__none) {
		*ret_raw = batch->payload.data;
		return batch->payload.len == batch->raw_size ? 0 : -EBADMSG;
	}
	if (batch->compression != ROLLCALL__COMPRESSION__zlib)
		return -EBADMSG;
	raw = arena_alloc(a, size);
	if (!raw)
		return -ENOMEM;
	if (uncompress(raw, &size, batch->payload.data, batch->payload.len) != Z_OK ||
	    size != batch->raw_size)
		return -EBADMSG;
	*ret_raw = raw;
	return 0;
}

/* The chain that is known at a number was there when a block ended: who cut otherwise, altered. */
static bool history_agrees(uint64_t first, uint64_t last, uint64_t known_seq,
			   const uint8_t known[CHAIN_SIZE], const uint8_t hash[CHAIN_SIZE])
{
	if (known_seq < first || known_seq > last)
		return true;
	return known_seq == last && memcmp(hash, known, CHAIN_SIZE) == 0;
}

static int chain_check(struct chain *chain, const Rollcall__Batch *batch,
		       const Rollcall__Records *records, Rollcall__Block *const *blocks,
		       uint64_t known_seq, const uint8_t known[CHAIN_SIZE], int *ret_agrees)
{
	uint64_t seq = batch->first_seq;
	uint8_t hash[CHAIN_SIZE];
	bool agrees;

	memcpy(hash, batch->chain_before.data, CHAIN_SIZE);
	agrees = seq - 1 != known_seq || memcmp(hash, known, CHAIN_SIZE) == 0;
	for (size_t i = 0; i < records->n_event; i++) {
		uint64_t first = seq;
		int r = chain_next(chain, hash, batch->class_, first, records->event[i].data,
				   records->event[i].len);

		if (r < 0)
			return r;
		seq += blocks[i]->n_event;
		agrees = agrees && history_agrees(first, seq - 1, known_seq, known, hash);
	}
	if (memcmp(hash, batch->chain.data, CHAIN_SIZE) != 0)
		return -EBADMSG;
	*ret_agrees = agrees;
	return 0;
}

/* As many events as the batch says. */
static int blocks_open(struct arena *a, const Rollcall__Batch *batch,
		       const Rollcall__Records *records, Rollcall__Block ***ret_blocks)
{
	Rollcall__Block **blocks = arena_alloc(a, records->n_event * sizeof(*blocks));
	size_t events = 0, whole = 0;

	if (!blocks)
		return -ENOMEM;
	for (size_t i = 0; i < records->n_event; i++) {
		const ProtobufCBinaryData *d = &records->event[i];

		blocks[i] = block_open(a, batch->layout, d->data, d->len);
		if (!blocks[i] || !blocks[i]->n_event)
			return -EBADMSG;
		events += blocks[i]->n_event;
		whole += block_whole_size(blocks[i]);
		if (whole > BATCH_WHOLE_MAX)
			return -EMSGSIZE;
	}
	if (events != batch->count)
		return -EBADMSG;
	*ret_blocks = blocks;
	return 0;
}

int batch_open(struct arena *a, struct chain *chain, const Rollcall__Batch *batch,
	       uint64_t known_seq, const uint8_t known[CHAIN_SIZE], struct batch_blocks *ret_blocks,
	       int *ret_agrees)
{
	Rollcall__Records *records;
	Rollcall__Block **blocks;
	const uint8_t *raw;
	int r;

	if (batch->raw_size > BATCH_RAW_MAX || batch->count > BATCH_EVENTS_MAX)
		return -EMSGSIZE;
	if (!batch->count || !batch->first_seq || batch->chain.len != CHAIN_SIZE ||
	    batch->chain_before.len != CHAIN_SIZE || strlen(batch->boot_id) != 36 ||
	    (batch->class_ != ROLLCALL__CLASS__crit && batch->class_ != ROLLCALL__CLASS__bulk) ||
	    (batch->layout != ROLLCALL__LAYOUT__events &&
	     batch->layout != ROLLCALL__LAYOUT__blocks) ||
	    batch->first_seq > (uint64_t)INT64_MAX - batch->count)
		return -EBADMSG;
	r = payload_open(a, batch, &raw);
	if (r < 0)
		return r;
	records = rollcall__records__unpack(arena_protobuf(a), batch->raw_size, raw);
	r = records ? blocks_open(a, batch, records, &blocks) : -EBADMSG;
	if (r == 0)
		r = chain_check(chain, batch, records, blocks, known_seq, known, ret_agrees);
	if (r < 0)
		return r;
	*ret_blocks = (struct batch_blocks){blocks, records->n_event};
	return 0;
}
