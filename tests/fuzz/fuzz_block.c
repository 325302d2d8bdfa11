// links: user/lib/arena.c user/lib/protowire.c build/proto/{event,transport}.pb-c.c
// SPDX-License-Identifier: Apache-2.0
// Blocks of a batch, which a host that is enrolled may have made of anything: refused, or each
// event is stored by itself and read again.
#include "user/lib/block.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new(4096);
	Rollcall__Layout layout =
		size && data[0] & 1 ? ROLLCALL__LAYOUT__blocks : ROLLCALL__LAYOUT__events;
	Rollcall__Block *b = size ? block_open(a, layout, data + 1, size - 1) : NULL;
	ProtobufCBinaryData event;

	for (size_t i = 0; b && i < b->n_event; i++)
		if (block_whole(a, b, i, "host", "id", &event) == 0)
			rollcall__event__unpack(arena_protobuf(a), event.len, event.data);
	arena_free(a);
	return 0;
}
