// SPDX-License-Identifier: Apache-2.0
// What a status says of the spool and of the process that delivers it. All is allocated in the
// arena, but for the spool's directory, which must stay.
#pragma once

#include "control.pb-c.h"

struct arena;
struct spool;

/* As the process wrote it into the spool's directory; nothing when it has not. */
void status_stream(const char *dir, struct arena *a, Rollcall__Status *m);

/* 0 or -ENOMEM. */
int status_spool(const struct spool *s, const char *dir, struct arena *a, Rollcall__Status *m);
