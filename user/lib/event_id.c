// SPDX-License-Identifier: Apache-2.0
// By hand: each event has one, and printf() takes as long as packing it.
#include "lib/event_id.h"

#include <stdbool.h>
#include <string.h>

#include "lib/arena.h"

#define BOOT	   8  /* characters of the boot id */
#define DIGITS_MAX 20 /* of a number */

static size_t format(char *text, const char *boot_id, const char *class, uint64_t seq)
{
	size_t boot = strnlen(boot_id, BOOT), n = strnlen(class, EVENT_ID_CLASS_MAX);
	char digits[DIGITS_MAX], *at = digits + sizeof(digits);

	do
		*--at = (char)('0' + seq % 10);
	while (seq /= 10);
	memcpy(text, boot_id, boot);
	text[boot] = '-';
	memcpy(text + boot + 1, class, n);
	text[boot + 1 + n] = '-';
	memcpy(text + boot + n + 2, at, (size_t)(digits + sizeof(digits) - at));
	return boot + n + 2 + (size_t)(digits + sizeof(digits) - at);
}

char *event_id(struct arena *a, const char *boot_id, const char *class, uint64_t seq)
{
	char text[EVENT_ID_MAX];

	return arena_strndup(a, text, format(text, boot_id, class, seq));
}

/* One more; false: it has more digits than before. */
static bool increment(char *text, size_t size)
{
	char *at = text + size;

	while (*--at == '9')
		*at = '0';
	if (*at == '-')
		return false;
	++*at;
	return true;
}

char *event_id_next(struct event_id_lane *l, struct arena *a, uint64_t seq)
{
	if (!l->size || seq != l->seq + 1 || !increment(l->text, l->size))
		l->size = format(l->text, l->boot_id, l->class, seq);
	l->seq = seq;
	return arena_strndup(a, l->text, l->size);
}
