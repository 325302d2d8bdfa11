// SPDX-License-Identifier: Apache-2.0
// Events read back from their JSON (lib/event.h), one object a line: recordings, for `rollcall
// policy test` and for tests. Walked from the descriptors of event.proto: knows no event by name.
#pragma once

#include <stddef.h>

#include "event.pb-c.h"

struct arena;

/* Any message of ours from the JSON that event_message_json() made of it, by the same rules. */
int event_read_message(struct arena *a, const char *text, size_t len,
		       const ProtobufCMessageDescriptor *d, ProtobufCMessage **ret_msg, char *why,
		       size_t size);

/*
 * In the arena. -EBADMSG: `why` (of `size` bytes) says what is wrong, by name: a field that
 * event.proto has not is refused. Whole numbers above 2^53 are rounded.
 */
int event_read(struct arena *a, const char *text, size_t len, Rollcall__Event **ret_ev, char *why,
	       size_t size);
