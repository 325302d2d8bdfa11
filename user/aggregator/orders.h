// SPDX-License-Identifier: Apache-2.0
// Signed policies for the hosts: policy.bundle for all, policy/HOST.bundle for one, in the
// aggregator's directory. The aggregator has no key for them and looks at nothing but their first
// line. Put there by the command `policy`, sent by sessions.
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "transport.pb-c.h"

struct arena;

#define ORDERS_MAX ((1 << 20) - 128) /* bytes: what a frame holds */

/* `host`: NULL for all. On failure it logs what to do. */
int orders_put(const char *dir, const char *host, const char *path);

/* Which one was looked at last; all zero: none. */
struct orders_mark {
	ino_t inode;
	int64_t changed; /* ns */
};

/* 1: the host's present one, which is not that of `mark`; 0: there is none; negative errno. */
int orders_next(struct arena *a, const char *dir, const char *host, struct orders_mark *mark,
		Rollcall__Order *ret_order);
