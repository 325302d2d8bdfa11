// SPDX-License-Identifier: Apache-2.0
// The aggregator's store as the command line sees it: <dir>/store.db, opened read-only while the
// aggregator writes. Called by `rollcall findings`, `show`, `hosts`, `watch`; never changes a row.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "event.pb-c.h"

struct store_read;

/* Highest schema (PRAGMA user_version) this code reads. */
#define STORE_SCHEMA 1

/* Strings and events handed to a callback are valid until it returns. Times are ns since 1970. */
struct store_read_event {
	uint64_t row; /* grows with each stored event: where a live view goes on */
	const char *host, *boot_id, *class, *kind;
	uint64_t seq, time;
	const Rollcall__Event *event; /* NULL: the body is not an event that can be decoded */
};

/* The latest state of a finding. */
struct store_read_finding {
	const char *host, *id, *status, *rule, *title, *level, *principal, *window;
	const char *tables; /* separated by spaces */
	uint64_t time, rows, rows_min, rows_max;
	bool gap;
	uint64_t stored;	      /* when this aggregator first stored it */
	const Rollcall__Event *event; /* the whole, as above; kind finding */
};

struct store_read_host {
	const char *name, *boot_id;
	uint64_t first_seen, last_seen; /* aggregator's clock */
	uint64_t events, findings, gaps;
	const Rollcall__Event *coverage; /* last coverage or ready event; NULL: none yet */
};

/* Sequence numbers first..last that never arrived. */
struct store_read_gap {
	const char *host, *boot_id, *class, *reason;
	uint64_t first_seq, last_seq, time;
};

/* Only what is set filters. */
struct store_read_filter {
	const char *host, *kind;
	uint64_t after; /* rows above this only */
	uint64_t limit; /* 0: all */
	bool newest;	/* newest first, with limit: the last ones */
};

/* Nonzero ends the walk and becomes its result. */
typedef int (*store_read_event_fn)(void *ctx, const struct store_read_event *ev);
typedef int (*store_read_finding_fn)(void *ctx, const struct store_read_finding *f);
typedef int (*store_read_host_fn)(void *ctx, const struct store_read_host *h);
typedef int (*store_read_gap_fn)(void *ctx, const struct store_read_gap *g);

/* -ENOENT: no such file, -EBADMSG: not a store, -EPROTONOSUPPORT: a newer schema. */
int store_read_open(const char *path, struct store_read **ret_store);
struct store_read *store_read_close(struct store_read *s); /* accepts NULL, returns NULL */
void store_read_closep(struct store_read **s);

/* Findings whose time is at least `since`, oldest first. */
int store_read_findings(struct store_read *s, uint64_t since, store_read_finding_fn fn, void *ctx);
/* Every host's finding of that id (or that begins with it, when none is equal). -ENOENT: none. */
int store_read_finding(struct store_read *s, const char *id, store_read_finding_fn fn, void *ctx);
/* The event with this id (<boot8>-<class>-<seq>) of a host. -ENOENT, -EINVAL: no such id. */
int store_read_event(struct store_read *s, const char *host, const char *id, store_read_event_fn fn,
		     void *ctx);
/* `filter` may be NULL. In the order of storing. */
int store_read_events(struct store_read *s, uint64_t since, const struct store_read_filter *filter,
		      store_read_event_fn fn, void *ctx);
int store_read_hosts(struct store_read *s, store_read_host_fn fn, void *ctx);
int store_read_gaps(struct store_read *s, store_read_gap_fn fn, void *ctx);
