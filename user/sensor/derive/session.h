// SPDX-License-Identifier: Apache-2.0
// Database sessions: turns the kernel's records of commands, columns and results into db_session,
// db_result and db_progress events. Pure: no I/O, no clock but the records'.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "event.pb-c.h"

struct arena;
struct proctab;
struct sessions;
struct watch;

/* Who a session acts for, as far as this host can tell. */
struct principal {
	char user[64]; /* of the database */
	char database[64];
	char program[64]; /* the client's own word */
	char address[64];
	char exe[256]; /* of a local client */
	char os_user[64];
	uint32_t pid;
};

struct sessions_opts {
	uint32_t max; /* sessions; further ones are counted, not followed */
	struct watch *watch;
	/*
	 * Names a local client or backend: fills what the process table knows of `tgid` at
	 * `time` (CLOCK_BOOTTIME) into *p and returns its Process message, or NULL.
	 */
	Rollcall__Process *(*process)(void *ctx, struct arena *a, uint32_t tgid, uint64_t time,
				      struct principal *p);
	/* Takes a derived event; it lives until the record's arena is reset. */
	void (*emit)(void *ctx, struct arena *a, Rollcall__Event *ev);
	void *ctx;
};

struct sessions_counts {
	uint64_t open, refused, commands_lost;
	uint64_t uncounted; /* times that a session's server stopped to count what it reads */
};

struct sessions *sessions_new(const struct sessions_opts *opts);
struct sessions *sessions_free(struct sessions *s);
void sessions_freep(struct sessions **s);

/* Takes a kernel record of the database family; others are ignored. 0 or -ENOMEM. */
int sessions_record(struct sessions *s, struct arena *a, const Rollcall__Event *ev);

void sessions_counts(const struct sessions *s, struct sessions_counts *ret);
