// SPDX-License-Identifier: Apache-2.0
// One event as one line for people; JSON is the lossless form.
#pragma once

#include "event.pb-c.h"

struct out;

void line_event(struct out *o, const Rollcall__Event *ev);

/* "psql (4711)", the process that acted; nothing when it is not known. */
void line_process(struct out *o, const Rollcall__Process *p);
/* "50000 rows, exact" */
void line_rows(struct out *o, const Rollcall__Db *db);
/* The database part of an event; NULL when it has none. */
const Rollcall__Db *line_db(const Rollcall__Event *ev);
