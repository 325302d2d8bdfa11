// SPDX-License-Identifier: Apache-2.0
// Who reads: "postgresql:app@hr via /usr/bin/psql as bob". What rows are summed by.
#pragma once

#include "event.pb-c.h"

struct arena;

/* NULL: out of memory. */
char *principal_of(struct arena *a, const Rollcall__Db *db);
