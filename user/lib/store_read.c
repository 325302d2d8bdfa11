// SPDX-License-Identifier: Apache-2.0
// Reading the SQLite store. A read does not hold up the aggregator (WAL).
#include "lib/store_read.h"

#include <errno.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/arena.h"
#include "lib/clean.h"
#include "lib/segment.h"

struct store_read {
	sqlite3 *db;
	struct arena *arena; /* of the innermost walk */
};

#define EVENT_COLUMNS                                                                              \
	"e.id, h.name, s.boot_id, s.class, e.kind, e.seq, e.time, e.body FROM events e "           \
	"JOIN streams s ON s.id = e.stream JOIN hosts h ON h.id = s.host "
#define FINDING_COLUMNS                                                                            \
	"SELECT h.name, f.id, f.status, f.rule, f.title, f.level, f.principal, f.window, "         \
	"f.tables, f.time, f.rows, f.rows_min, f.rows_max, f.gap, f.stored, e.body "               \
	"FROM findings f JOIN hosts h ON h.id = f.host JOIN events e ON e.id = f.event "

/* ---- open ---- */

static int version_check(sqlite3 *db)
{
	sqlite3_stmt *st;
	int version = -1;

	if (sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &st, NULL) != SQLITE_OK)
		return -EBADMSG;
	if (sqlite3_step(st) == SQLITE_ROW)
		version = sqlite3_column_int(st, 0);
	sqlite3_finalize(st);
	if (version > STORE_SCHEMA)
		return -EPROTONOSUPPORT;
	return version < 1 ? -EBADMSG : 0;
}

int store_read_open(const char *path, struct store_read **ret_store)
{
	_cleanup_(store_read_closep) struct store_read *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	if (access(path, R_OK) < 0)
		return -errno;
	if (sqlite3_open_v2(path, &s->db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK)
		return -EBADMSG;
	sqlite3_busy_timeout(s->db, 10000);
	r = version_check(s->db);
	if (r < 0)
		return r;
	*ret_store = take_ptr(s);
	return 0;
}

struct store_read *store_read_close(struct store_read *s)
{
	if (!s)
		return NULL;
	sqlite3_close(s->db);
	free(s);
	return NULL;
}

void store_read_closep(struct store_read **s)
{
	*s = store_read_close(*s);
}

/* ---- rows ---- */

static const char *text(sqlite3_stmt *st, int i)
{
	const char *t = (const char *)sqlite3_column_text(st, i);

	return t ? t : "";
}

static uint64_t number(sqlite3_stmt *st, int i)
{
	return (uint64_t)sqlite3_column_int64(st, i);
}

static const Rollcall__Event *event_body(struct store_read *s, sqlite3_stmt *st, int i)
{
	size_t size = (size_t)sqlite3_column_bytes(st, i);
	const void *body = sqlite3_column_blob(st, i);

	return body ? rollcall__event__unpack(arena_protobuf(s->arena), size, body) : NULL;
}

typedef int (*row_fn)(struct store_read *s, sqlite3_stmt *st, const void *fn, void *ctx);

/*
 * Hands every row to `row`; the callers' callbacks are in `fn` (a pointer to it) and `ctx`. A
 * callback may ask the store again, so each walk has an arena of its own.
 */
static int rows_each(struct store_read *s, sqlite3_stmt *st, row_fn row, const void *fn, void *ctx)
{
	struct arena *outer = s->arena;
	int code = SQLITE_DONE, r = 0;

	s->arena = arena_new(64 * 1024);
	if (!s->arena)
		r = -ENOMEM;
	while (r == 0 && (code = sqlite3_step(st)) == SQLITE_ROW) {
		r = row(s, st, fn, ctx);
		arena_reset(s->arena);
	}
	if (r == 0 && code != SQLITE_DONE)
		r = code == SQLITE_BUSY ? -EBUSY : -EBADMSG;
	sqlite3_finalize(st);
	arena_free(s->arena);
	s->arena = outer;
	return r;
}

static int event_row(struct store_read *s, sqlite3_stmt *st, const void *fn, void *ctx)
{
	struct store_read_event ev = {
		.row = number(st, 0),
		.host = text(st, 1),
		.boot_id = text(st, 2),
		.class = segment_class((uint32_t)sqlite3_column_int(st, 3)),
		.kind = text(st, 4),
		.seq = number(st, 5),
		.time = number(st, 6),
		.event = event_body(s, st, 7),
	};

	return (*(const store_read_event_fn *)fn)(ctx, &ev);
}

static int finding_row(struct store_read *s, sqlite3_stmt *st, const void *fn, void *ctx)
{
	struct store_read_finding f = {
		.host = text(st, 0),
		.id = text(st, 1),
		.status = text(st, 2),
		.rule = text(st, 3),
		.title = text(st, 4),
		.level = text(st, 5),
		.principal = text(st, 6),
		.window = text(st, 7),
		.tables = text(st, 8),
		.time = number(st, 9),
		.rows = number(st, 10),
		.rows_min = number(st, 11),
		.rows_max = number(st, 12),
		.gap = sqlite3_column_int(st, 13),
		.stored = number(st, 14),
		.event = event_body(s, st, 15),
	};

	return (*(const store_read_finding_fn *)fn)(ctx, &f);
}

static int host_row(struct store_read *s, sqlite3_stmt *st, const void *fn, void *ctx)
{
	struct store_read_host h = {
		.name = text(st, 0),
		.boot_id = text(st, 1),
		.first_seen = number(st, 2),
		.last_seen = number(st, 3),
		.events = number(st, 4),
		.findings = number(st, 5),
		.gaps = number(st, 6),
		.coverage = event_body(s, st, 7),
	};

	return (*(const store_read_host_fn *)fn)(ctx, &h);
}

static int gap_row(struct store_read *s, sqlite3_stmt *st, const void *fn, void *ctx)
{
	struct store_read_gap g = {
		.host = text(st, 0),
		.boot_id = text(st, 1),
		.class = segment_class((uint32_t)sqlite3_column_int(st, 2)),
		.first_seq = number(st, 3),
		.last_seq = number(st, 4),
		.reason = text(st, 5),
		.time = number(st, 6),
	};

	(void)s;
	return (*(const store_read_gap_fn *)fn)(ctx, &g);
}

/* ---- questions ---- */

static int prepare(struct store_read *s, const char *sql, sqlite3_stmt **ret_st)
{
	return sqlite3_prepare_v2(s->db, sql, -1, ret_st, NULL) == SQLITE_OK ? 0 : -EBADMSG;
}

static void bind_text(sqlite3_stmt *st, int i, const char *t)
{
	if (t)
		sqlite3_bind_text(st, i, t, -1, SQLITE_TRANSIENT);
}

int store_read_findings(struct store_read *s, uint64_t since, store_read_finding_fn fn, void *ctx)
{
	sqlite3_stmt *st;
	int r = prepare(s, FINDING_COLUMNS "WHERE f.time >= ?1 ORDER BY f.time", &st);

	if (r < 0)
		return r;
	sqlite3_bind_int64(st, 1, (int64_t)since);
	return rows_each(s, st, finding_row, &fn, ctx);
}

struct counted {
	store_read_finding_fn fn;
	void *ctx;
	uint64_t n;
};

static int finding_count(void *ctx, const struct store_read_finding *f)
{
	struct counted *c = ctx;

	c->n++;
	return c->fn(c->ctx, f);
}

int store_read_finding(struct store_read *s, const char *id, store_read_finding_fn fn, void *ctx)
{
	static const char *const where[] = {
		FINDING_COLUMNS "WHERE f.id = ?1 ORDER BY h.name",
		FINDING_COLUMNS "WHERE substr(f.id, 1, length(?1)) = ?1 ORDER BY h.name, f.time",
	};
	struct counted c = {fn, ctx, 0};
	const store_read_finding_fn count = finding_count;
	sqlite3_stmt *st;
	int r = 0;

	for (unsigned i = 0; i < 2 && r == 0 && !c.n; i++) {
		r = prepare(s, where[i], &st);
		if (r < 0)
			return r;
		bind_text(st, 1, id);
		r = rows_each(s, st, finding_row, &count, &c);
	}
	return r ? r : c.n ? 0 : -ENOENT;
}

/* "<first 8 of the boot id>-<class>-<number>" */
static int id_parse(const char *id, char boot[16], uint32_t *ret_class, uint64_t *ret_seq)
{
	char class[8];
	int end = 0;

	if (sscanf(id, "%8[0-9a-f]-%7[a-z]-%" SCNu64 "%n", boot, class, ret_seq, &end) != 3 ||
	    id[end])
		return -EINVAL;
	strcat(boot, "%");
	for (*ret_class = 1; *ret_class < SEGMENT_CLASSES; ++*ret_class)
		if (strcmp(class, segment_class(*ret_class)) == 0)
			return 0;
	return -EINVAL;
}

struct counted_events {
	store_read_event_fn fn;
	void *ctx;
	uint64_t n;
};

static int event_count(void *ctx, const struct store_read_event *ev)
{
	struct counted_events *c = ctx;

	c->n++;
	return c->fn(c->ctx, ev);
}

int store_read_event(struct store_read *s, const char *host, const char *id, store_read_event_fn fn,
		     void *ctx)
{
	const store_read_event_fn count = event_count;
	struct counted_events c = {fn, ctx, 0};
	char boot[16];
	uint32_t class;
	uint64_t seq;
	sqlite3_stmt *st;
	int r = id_parse(id, boot, &class, &seq);

	if (r == 0)
		r = prepare(s,
			    "SELECT " EVENT_COLUMNS "WHERE h.name = ?1 AND s.boot_id LIKE ?2 AND "
			    "s.class = ?3 AND e.seq = ?4",
			    &st);
	if (r < 0)
		return r;
	bind_text(st, 1, host);
	bind_text(st, 2, boot);
	sqlite3_bind_int(st, 3, (int)class);
	sqlite3_bind_int64(st, 4, (int64_t)seq);
	r = rows_each(s, st, event_row, &count, &c);
	return r ? r : c.n ? 0 : -ENOENT;
}

int store_read_events(struct store_read *s, uint64_t since, const struct store_read_filter *filter,
		      store_read_event_fn fn, void *ctx)
{
	static const struct store_read_filter all;
	const struct store_read_filter *f = filter ? filter : &all;
	sqlite3_stmt *st;
	int r = prepare(
		s,
		f->newest ? "SELECT * FROM (SELECT " EVENT_COLUMNS
			    "WHERE e.id > ?1 AND e.time >= ?2 AND (?3 IS NULL OR h.name = ?3) AND "
			    "(?4 IS NULL OR e.kind = ?4) ORDER BY e.id DESC LIMIT ?5) ORDER BY 1"
			  : "SELECT " EVENT_COLUMNS
			    "WHERE e.id > ?1 AND e.time >= ?2 AND (?3 IS NULL OR h.name = ?3) AND "
			    "(?4 IS NULL OR e.kind = ?4) ORDER BY e.id LIMIT ?5",
		&st);

	if (r < 0)
		return r;
	sqlite3_bind_int64(st, 1, (int64_t)f->after);
	sqlite3_bind_int64(st, 2, (int64_t)since);
	bind_text(st, 3, f->host);
	bind_text(st, 4, f->kind);
	sqlite3_bind_int64(st, 5, f->limit ? (int64_t)f->limit : -1);
	return rows_each(s, st, event_row, &fn, ctx);
}

int store_read_hosts(struct store_read *s, store_read_host_fn fn, void *ctx)
{
	sqlite3_stmt *st;
	int r = prepare(
		s,
		"SELECT h.name, h.boot_id, h.first_seen, h.last_seen, h.events, h.findings, "
		"h.gaps, e.body FROM hosts h LEFT JOIN events e ON e.id = h.coverage "
		"ORDER BY h.name",
		&st);

	return r < 0 ? r : rows_each(s, st, host_row, &fn, ctx);
}

int store_read_gaps(struct store_read *s, store_read_gap_fn fn, void *ctx)
{
	sqlite3_stmt *st;
	int r = prepare(
		s,
		"SELECT h.name, s.boot_id, s.class, g.first_seq, g.last_seq, g.reason, g.time "
		"FROM gaps g JOIN streams s ON s.id = g.stream JOIN hosts h ON h.id = s.host "
		"ORDER BY g.id",
		&st);

	return r < 0 ? r : rows_each(s, st, gap_row, &fn, ctx);
}
