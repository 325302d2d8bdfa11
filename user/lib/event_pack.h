// SPDX-License-Identifier: Apache-2.0
// An event in protobuf's wire format as a block has it (Block in transport.proto): its time and its
// kind, without what its block tells. The members of its kind, of which one is set, are not all
// looked at.
#pragma once

#include <stdint.h>

#include "event.pb-c.h"

/* So that it ends at `end`: its first byte. NULL: there is not room for it from `begin` on. */
uint8_t *event_pack(const Rollcall__Event *ev, uint8_t *begin, uint8_t *end);
