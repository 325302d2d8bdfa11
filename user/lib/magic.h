// SPDX-License-Identifier: Apache-2.0
// What a file is by its first bytes. Called by the pipeline for the first write to a file.
#pragma once

#include "event.pb-c.h"

struct arena;

/* Of the file's first bytes; static; "" when they tell nothing. */
const char *magic_type(const uint8_t *head, size_t n);

/* Sets `type` and empties `head`: contents of files do not leave the host. 0 or -ENOMEM. */
int magic_fill(struct arena *a, Rollcall__FileWrite *w);
