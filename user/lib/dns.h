// SPDX-License-Identifier: Apache-2.0
// DNS messages (RFC 1035), as found on the wire: bytes of anybody. Called by the pipeline.
#pragma once

#include "event.pb-c.h"

struct arena;

/*
 * Reads `message` into the other fields and empties it; what is not as RFC 1035 has it sets
 * `malformed`, and what came before stays. Only a message that was cut, by the server or by the
 * kernel program, is `truncated`. 0 or -ENOMEM.
 */
int dns_fill(struct arena *a, Rollcall__Dns *dns);
