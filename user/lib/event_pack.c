// SPDX-License-Identifier: Apache-2.0
// Event.time and Event.kind by hand; test_event_pack holds that Event has nothing else.
#include "lib/event_pack.h"

#include <endian.h>
#include <string.h>

#include "lib/kind.h"
#include "lib/protowire.h"

#define TIME_TAG  (1 << 3 | 1) /* field 1, of 64 bits */
#define TIME_SIZE (1 + sizeof(uint64_t))

uint8_t *event_pack(const Rollcall__Event *ev, uint8_t *begin, uint8_t *end)
{
	const uint64_t time = htole64(ev->time);
	const struct kind *k = kind_of(ev->kind_case);
	uint8_t *at = k ? protowire_message(k->field->id, kind_message(k, ev), begin, end) : end;

	if (!at || (size_t)(at - begin) < TIME_SIZE)
		return NULL;
	at -= TIME_SIZE;
	*at = TIME_TAG;
	memcpy(at + 1, &time, sizeof(time));
	return at;
}
