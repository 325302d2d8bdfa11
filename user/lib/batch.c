// SPDX-License-Identifier: Apache-2.0
// Batches: protobuf Records, compressed with zlib.
#include "lib/batch.h"

#include <errno.h>
#include <string.h>
#include <zlib.h>

#include "lib/arena.h"

int batch_pack(struct arena *a, const ProtobufCBinaryData *events, size_t n,
	       Rollcall__Batch *ret_batch)
{
	Rollcall__Records records;
	uint8_t *raw, *packed;
	size_t raw_size;
	uLongf size;

	rollcall__records__init(&records);
	records.n_event = n;
	records.event = arena_copy(a, events, n * sizeof(*events));
	if (!records.event)
		return -ENOMEM;
	raw_size = rollcall__records__get_packed_size(&records);
	if (raw_size > BATCH_RAW_MAX || n > BATCH_EVENTS_MAX || !n)
		return -EMSGSIZE;
	size = compressBound(raw_size);
	raw = arena_alloc(a, raw_size);
	packed = arena_alloc(a, size);
	if (!raw || !packed)
		return -ENOMEM;
	rollcall__records__pack(&records, raw);
	if (compress2(packed, &size, raw, raw_size, Z_BEST_SPEED) != Z_OK)
		return -EIO;
	ret_batch->count = (uint32_t)n;
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

static int chain_check(struct chain *chain, const Rollcall__Batch *batch,
		       const Rollcall__Records *records, uint64_t known_seq,
		       const uint8_t known[CHAIN_SIZE], int *ret_agrees)
{
	uint8_t hash[CHAIN_SIZE];
	int agrees = 1;

	memcpy(hash, batch->chain_before.data, CHAIN_SIZE);
	if (batch->first_seq - 1 == known_seq)
		agrees = memcmp(hash, known, CHAIN_SIZE) == 0;
	for (size_t i = 0; i < records->n_event; i++) {
		uint64_t seq = batch->first_seq + i;
		int r = chain_next(chain, hash, batch->class_, seq, records->event[i].data,
				   records->event[i].len);

		if (r < 0)
			return r;
		if (seq == known_seq)
			agrees = memcmp(hash, known, CHAIN_SIZE) == 0;
	}
	if (memcmp(hash, batch->chain.data, CHAIN_SIZE) != 0)
		return -EBADMSG;
	*ret_agrees = agrees;
	return 0;
}

int batch_open(struct arena *a, struct chain *chain, const Rollcall__Batch *batch,
	       uint64_t known_seq, const uint8_t known[CHAIN_SIZE], Rollcall__Records **ret_records,
	       int *ret_agrees)
{
	Rollcall__Records *records;
	const uint8_t *raw;
	int r;

	if (batch->raw_size > BATCH_RAW_MAX || batch->count > BATCH_EVENTS_MAX)
		return -EMSGSIZE;
	if (!batch->count || !batch->first_seq || batch->chain.len != CHAIN_SIZE ||
	    batch->chain_before.len != CHAIN_SIZE || strlen(batch->boot_id) != 36 ||
	    (batch->class_ != ROLLCALL__CLASS__crit && batch->class_ != ROLLCALL__CLASS__bulk) ||
	    batch->first_seq > (uint64_t)INT64_MAX - batch->count)
		return -EBADMSG;
	r = payload_open(a, batch, &raw);
	if (r < 0)
		return r;
	records = rollcall__records__unpack(arena_protobuf(a), batch->raw_size, raw);
	if (!records || records->n_event != batch->count)
		return -EBADMSG;
	r = chain_check(chain, batch, records, known_seq, known, ret_agrees);
	if (r < 0)
		return r;
	*ret_records = records;
	return 0;
}
