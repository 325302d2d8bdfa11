// SPDX-License-Identifier: Apache-2.0
// Which processes are database servers, by the name of their executable.
#pragma once

#include "sensor/probe.h"

/* 0 and the system, or -ENOENT when this executable is no server's. */
int discover_system(const char *exe, enum probe_system *ret);

/* Calls fn for each server process that runs now. 0 or -errno. */
int discover_running(void (*fn)(void *ctx, enum probe_system system, int pid), void *ctx);

/*
 * User and database of a PostgreSQL backend from its process title, "postgres: USER DATABASE
 * HOST(PORT) STATE" (update_process_title, on by default). Buffers of `size` bytes. 0 or -ENOENT.
 */
int discover_title(int pid, char *user, char *database, unsigned size);
