// SPDX-License-Identifier: Apache-2.0
// What people and findings call an event: "1f0c73b9-bulk-4711", its place in the spool.
#pragma once

#include <stdint.h>

struct arena;

/* Of the boot id, its first eight characters. In the arena; NULL: out of memory. */
char *event_id(struct arena *a, const char *boot_id, const char *class, uint64_t seq);
