// links: user/lib/arena.c user/lib/endpoint.c user/lib/kind.c build/proto/event.pb-c.c
// SPDX-License-Identifier: Apache-2.0
// DNS messages: bytes of anybody who answers, or asks, on port 53. The first byte says how much of
// the message the kernel program cut off.
#include "user/lib/dns.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Rollcall__Dns dns = ROLLCALL__DNS__INIT;
	struct arena *a;

	if (!size)
		return 0;
	a = arena_new(4096);
	dns.message = (ProtobufCBinaryData){size - 1, arena_copy(a, data + 1, size - 1)};
	dns.length = (uint32_t)(size - 1 + data[0]);
	dns_fill(a, &dns);
	arena_free(a);
	return 0;
}
