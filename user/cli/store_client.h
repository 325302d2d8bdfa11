// SPDX-License-Identifier: Apache-2.0
// Opening the aggregator's store for a command, with errors that say what to do.
#pragma once

#include <stdint.h>

struct store_read;

#define STORE_PATH "/var/lib/rollcall-aggregator/store.db"

/* Logs why not. */
int store_client_open(const char *path, struct store_read **ret_store);

/* "90s", "15m", "24h", "7d", "all": the time (ns since 1970) that long ago. -EINVAL, logged. */
int store_client_since(const char *text, uint64_t *ret_time);
