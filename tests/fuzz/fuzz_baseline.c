// links: user/lib/arena.c user/lib/segment.c build/proto/event.pb-c.c build/proto/baseline.pb-c.c build/proto/transport.pb-c.c
// SPDX-License-Identifier: Apache-2.0
// The baseline's file: any bytes, and any message behind a right checksum. What is taken is
// bounded, and comes back as it was.
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "user/lib/baseline.c"
#include "user/lib/baseline_file.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void file_try(const uint8_t *data, size_t size)
{
	_cleanup_(arena_freep) struct arena *a = arena_new(4096);
	_cleanup_(closep) int fd = memfd_create("baseline", MFD_CLOEXEC);
	Rollcall__Baseline *m;
	struct header h;

	if (size < sizeof(h) || bytes_write(fd, data, size) < 0)
		return;
	memcpy(&h, data, sizeof(h));
	lseek(fd, 0, SEEK_SET);
	if (open_read(fd, a, &m) == 0 && memcmp(h.magic, magic, sizeof(magic)) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(arena_freep) struct arena *a = arena_new(4096);
	_cleanup_(baseline_freep) struct baseline *b = baseline_new(64), *c = baseline_new(64);
	Rollcall__Baseline *m = rollcall__baseline__unpack(arena_protobuf(a), size, data), *one,
			   *two;
	uint8_t *first, *second;
	size_t n;

	file_try(data, size);
	if (!m)
		return 0;
	if (baseline_take(b, m) < 0)
		abort();
	one = baseline_message(b, a);
	if (one->n_entries > 64 || baseline_take(c, one) != 0)
		abort();
	two = baseline_message(c, a);
	n = rollcall__baseline__get_packed_size(one);
	if (n != rollcall__baseline__get_packed_size(two))
		abort();
	first = arena_alloc(a, n + 1);
	second = arena_alloc(a, n + 1);
	rollcall__baseline__pack(one, first);
	rollcall__baseline__pack(two, second);
	if (memcmp(first, second, n) != 0)
		abort();
	return 0;
}
