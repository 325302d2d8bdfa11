// links: user/lib/{arena,block,chain,protowire}.c build/proto/{event,transport,control}.pb-c.c
// SPDX-License-Identifier: Apache-2.0
// Frames of the wire, and the batches in them: bytes from a peer that may be anybody.
#include "user/lib/batch.c"
#include "user/lib/frame.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t known[CHAIN_SIZE];
	struct arena *a = arena_new(4096);
	struct chain *c = chain_new();
	ProtobufCMessage *m;
	struct frame f;
	int agrees;

	if (size >= FRAME_HEADER && frame_header(data, &f.type, &f.size) == 0) {
		f.body = data + FRAME_HEADER;
		if (f.size > size - FRAME_HEADER)
			f.size = size - FRAME_HEADER;
		if (frame_unpack(a, &f, &m) == 0 && f.type == FRAME_BATCH) {
			struct batch_blocks b;

			batch_open(a, c, (Rollcall__Batch *)m, 7, known, &b, &agrees);
		}
	}
	chain_free(c);
	arena_free(a);
	return 0;
}
