// SPDX-License-Identifier: Apache-2.0
// Database sessions: turns the kernel's records of commands, columns and results into db_session,
// db_result and db_progress events. Pure: no I/O, no clock but the records'.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "event.pb-c.h"

struct arena;
struct proctab;
struct quiet_like;
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

/* What is known of an open session and cannot be learnt again. */
struct session_note {
	Rollcall__System system;
	uint32_t server_pid;
	bool announced; /* told that it began */
	struct principal who;
	char replication[16];
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
	/* Notes it for a sensor that takes over; NULL: the session ended. */
	void (*note)(void *ctx, uint64_t conn, const struct session_note *note);
	/* Takes a derived event; it lives until the record's arena is reset. False: it was of no
	 * interest to anybody. */
	bool (*emit)(void *ctx, struct arena *a, Rollcall__Event *ev);
	/* Such a result's statement has a shape: the kernel may count further ones. */
	void (*unremarkable)(void *ctx, const struct quiet_like *like, const Rollcall__Db *db);
	/* Names may mean something else from now on: what was unremarkable may not be. */
	void (*renamed)(void *ctx);
	/* The kernel has counted so many, of rows and bytes as in *db. */
	void (*counted)(void *ctx, uint64_t time, const Rollcall__Db *db, uint64_t results);
	void *ctx;
};

struct sessions_counts {
	uint64_t open, refused, commands_lost;
	uint64_t uncounted; /* times that a session's server stopped to count what it reads */
};

struct sessions *sessions_new(const struct sessions_opts *opts);
struct sessions *sessions_free(struct sessions *s);
void sessions_freep(struct sessions **s);

/* A session that an earlier sensor noted and this one does not know. 0, -ENOSPC, -ENOMEM. */
int sessions_restore(struct sessions *s, uint64_t conn, const struct session_note *note);

/* Takes a kernel record of the database family; others are ignored. 0 or -ENOMEM. */
int sessions_record(struct sessions *s, struct arena *a, const Rollcall__Event *ev);

void sessions_counts(const struct sessions *s, struct sessions_counts *ret);
