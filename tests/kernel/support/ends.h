// SPDX-License-Identifier: Apache-2.0
// What the tests of the network family share: addresses, checks of a record's two ends and of its
// process, lines for the coverage table.
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "event.pb-c.h"

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_storage room;
};

/* "127.0.0.1", "::1", "::ffff:127.0.0.1"; its length. */
socklen_t ends_address(union address *a, const char *text, uint16_t port);

/* As getsockname(2) and getpeername(2) have it. */
union address ends_local(int fd);
union address ends_peer(int fd);

void ends_check(const char *test, const char *what, const Rollcall__Endpoint *e,
		const union address *want);

/* The process that wrote it, still alive or not, child of this one or this one itself. */
void ends_check_task(const char *test, const Rollcall__Task *task, pid_t pid);

void ends_coverage(const char *event, const char *way, const char *hook, bool seen);
