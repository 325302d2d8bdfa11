// SPDX-License-Identifier: Apache-2.0
// Who reads: "postgresql:app@hr via /usr/bin/psql as bob". What rows are summed by, and findings
// told apart by.
#pragma once

#include "event.pb-c.h"

struct arena;

/* NULL: out of memory. */
char *principal_of(struct arena *a, const Rollcall__Db *db);
/* Of an event that is no database's: "/usr/bin/tar as bob". `ev` may be NULL. */
char *principal_of_event(struct arena *a, const Rollcall__Event *ev);
