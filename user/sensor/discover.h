// SPDX-License-Identifier: Apache-2.0
// Which processes are database servers, by the name of their executable.
#pragma once

#include "sensor/probe.h"

/* 0 and the system, or -ENOENT when this executable is no server's. */
int discover_system(const char *exe, enum probe_system *ret);

/* Calls fn for each server process that runs now. 0 or -errno. */
int discover_running(void (*fn)(void *ctx, enum probe_system system, int pid), void *ctx);
