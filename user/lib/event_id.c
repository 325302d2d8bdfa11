// SPDX-License-Identifier: Apache-2.0
// Each event has one: by hand, printf() takes as long as packing it.
#include "lib/event_id.h"

#include <string.h>

#include "lib/arena.h"

#define ID_BOOT 8 /* characters of the boot id */

char *event_id(struct arena *a, const char *boot_id, const char *class, uint64_t seq)
{
	size_t boot = strnlen(boot_id, ID_BOOT), n = strlen(class);
	char digits[20], *at = digits + sizeof(digits);
	char *id = arena_alloc(a, boot + n + 2 + sizeof(digits) + 1);

	if (!id)
		return NULL;
	do
		*--at = (char)('0' + seq % 10);
	while (seq /= 10);
	memcpy(id, boot_id, boot);
	id[boot] = '-';
	memcpy(id + boot + 1, class, n);
	id[boot + 1 + n] = '-';
	memcpy(id + boot + n + 2, at, (size_t)(digits + sizeof(digits) - at));
	return id;
}
