// SPDX-License-Identifier: Apache-2.0
// What runs and lies on a host, as far as product profiles ask for it: processes, units, files,
// databases. Only looks: opens no connection, runs nothing. Called by `rollcall setup`.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "lib/profile.h"

struct setup_host;

/* `root`: "" or a directory that stands for /. -ENOMEM; -errno when there is no /proc in it. */
int setup_host_read(const char *root, struct setup_host **ret_host);
struct setup_host *setup_host_free(struct setup_host *h); /* accepts NULL, returns NULL */
void setup_host_freep(struct setup_host **h);

/* Is there one that the pattern (fnmatch(3)) is of? `found`: the first. */
bool setup_host_find(const struct setup_host *h, enum profile_sign sign, const char *pattern,
		     char *found, size_t size);
