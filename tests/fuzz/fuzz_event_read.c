// links: user/lib/arena.c user/lib/event.c user/lib/kind.c user/lib/utf8.c build/proto/event.pb-c.c
// SPDX-License-Identifier: Apache-2.0
// Recordings: what is read as an event is written as JSON that reads as the same.
#include <stdlib.h>

#include "user/lib/event_read.c"

#include "lib/event.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *written(const Rollcall__Event *ev, size_t *ret_size)
{
	char *text;
	FILE *f = open_memstream(&text, ret_size);

	event_json(f, ev);
	fclose(f);
	return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new(4096);
	Rollcall__Event *ev, *again;
	char why[200] = "", *first, *second;
	size_t n, m;

	if (event_read(a, (const char *)data, size, &ev, why, sizeof(why)) == 0) {
		first = written(ev, &n);
		if (event_read(a, first, n, &again, why, sizeof(why)) < 0)
			abort();
		second = written(again, &m);
		if (n != m || memcmp(first, second, n) != 0)
			abort();
		free(first);
		free(second);
	} else if (!*why) {
		abort();
	}
	arena_free(a);
	return 0;
}
