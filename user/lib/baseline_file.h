// SPDX-License-Identifier: Apache-2.0
// The baseline's file: a header with version, size and checksum, then a Baseline. Replaced as a
// whole, so that a crash leaves the old or the new one. Beside it PATH.edit, an edit that waits for
// the sensor, and PATH.lock, which a running sensor holds.
#pragma once

#include "baseline.pb-c.h"

#define BASELINE_PATH "/var/lib/rollcall/baseline"

struct arena;

/* In the arena. -ENOENT; -EBADMSG: not whole, of another version, or no baseline. */
int baseline_file_read(const char *path, struct arena *a, Rollcall__Baseline **ret_baseline);
int baseline_file_write(const char *path, const Rollcall__Baseline *m);

/* A descriptor that holds the lock until it is closed; -EAGAIN: somebody else does. */
int baseline_file_lock(const char *path);
