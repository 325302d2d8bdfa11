// SPDX-License-Identifier: Apache-2.0
// The store on SQLite: one file, WAL, full synchronisation, so that a committed batch survives a
// power cut.
#include <errno.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "aggregator/store.h"
#include "aggregator/store_schema.h"
#include "lib/arena.h"
#include "lib/block.h"
#include "lib/clean.h"
#include "lib/event.h"
#include "lib/event_id.h"
#include "lib/log.h"
#include "lib/segment.h"

enum statement {
	SQL_BEGIN,
	SQL_COMMIT,
	SQL_ROLLBACK,
	SQL_HOST_ADD,
	SQL_HOST_ID,
	SQL_HOST_HELLO,
	SQL_HOST_COUNT,
	SQL_HOST_COVERAGE,
	SQL_STREAM_ADD,
	SQL_STREAM_GET,
	SQL_STREAM_SET,
	SQL_EVENT_ADD,
	SQL_FINDING_PUT,
	SQL_GAP_ADD,
	SQL_REFUSAL_ADD,
	SQL_REFUSAL_TRIM,
	STATEMENTS,
};

static const char *const texts[STATEMENTS] = {
	[SQL_BEGIN] = "BEGIN IMMEDIATE",
	[SQL_COMMIT] = "COMMIT",
	[SQL_ROLLBACK] = "ROLLBACK",
	[SQL_HOST_ADD] = "INSERT INTO hosts(name, first_seen, last_seen) VALUES (?1, ?2, ?2) "
			 "ON CONFLICT(name) DO UPDATE SET last_seen = ?2",
	[SQL_HOST_ID] = "SELECT id FROM hosts WHERE name = ?1",
	[SQL_HOST_HELLO] = "UPDATE hosts SET boot_id = ?2, program = ?3 WHERE name = ?1",
	[SQL_HOST_COUNT] = "UPDATE hosts SET events = events + ?2, findings = findings + ?3, "
			   "gaps = gaps + ?4 WHERE id = ?1",
	[SQL_HOST_COVERAGE] = "UPDATE hosts SET coverage = ?2 WHERE id = ?1",
	[SQL_STREAM_ADD] =
		"INSERT OR IGNORE INTO streams(host, boot_id, class) VALUES (?1, ?2, ?3)",
	[SQL_STREAM_GET] =
		"SELECT s.id, s.seq, s.chain FROM streams s JOIN hosts h ON h.id = s.host "
		"WHERE h.name = ?1 AND s.boot_id = ?2 AND s.class = ?3",
	[SQL_STREAM_SET] = "UPDATE streams SET seq = ?2, chain = ?3 WHERE id = ?1",
	[SQL_EVENT_ADD] = "INSERT OR IGNORE INTO events(stream, seq, time, kind, body) "
			  "VALUES (?1, ?2, ?3, ?4, ?5)",
	[SQL_FINDING_PUT] =
		"INSERT INTO findings(host, id, event, status, rule, title, level, principal, "
		"window, "
		"tables, time, rows, rows_min, rows_max, gap, stored) "
		"VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16) "
		"ON CONFLICT(host, id) DO UPDATE SET event = ?3, status = ?4, tables = ?10, "
		"time = ?11, rows = ?12, rows_min = ?13, rows_max = ?14, gap = max(gap, ?15)",
	[SQL_GAP_ADD] = "INSERT INTO gaps(stream, first_seq, last_seq, reason, time) "
			"VALUES (?1, ?2, ?3, ?4, ?5)",
	[SQL_REFUSAL_ADD] =
		"INSERT INTO refusals(time, peer, name, reason) VALUES (?1, ?2, ?3, ?4)",
	[SQL_REFUSAL_TRIM] = "DELETE FROM refusals WHERE id <= last_insert_rowid() - 10000",
};

struct store {
	sqlite3 *db;
	sqlite3_stmt *st[STATEMENTS];
	struct arena *arena;
};

/* What one batch changed, for the host's counters. */
struct tally {
	int64_t host, stream;
	uint32_t events, findings, gaps;
};

static uint64_t realtime(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* ---- statements ---- */

static void bind_text(sqlite3_stmt *st, int i, const char *text)
{
	sqlite3_bind_text(st, i, text ? text : "", -1, SQLITE_STATIC);
}

static void bind_number(sqlite3_stmt *st, int i, uint64_t n)
{
	sqlite3_bind_int64(st, i, n > INT64_MAX ? INT64_MAX : (int64_t)n);
}

static int store_error(struct store *s, const char *what)
{
	int code = sqlite3_errcode(s->db);

	log_error(0, "store: %s: %s", what, sqlite3_errmsg(s->db));
	return code == SQLITE_FULL ? -ENOSPC : code == SQLITE_BUSY ? -EBUSY : -EIO;
}

static sqlite3_stmt *statement(struct store *s, enum statement k)
{
	sqlite3_reset(s->st[k]);
	sqlite3_clear_bindings(s->st[k]);
	return s->st[k];
}

/* Runs a statement that returns no row. */
static int run(struct store *s, enum statement k)
{
	int r = sqlite3_step(s->st[k]) == SQLITE_DONE ? 0 : store_error(s, texts[k]);

	sqlite3_reset(s->st[k]);
	return r;
}

/* ---- open ---- */

static int prepare(struct store *s)
{
	for (unsigned i = 0; i < STATEMENTS; i++)
		if (sqlite3_prepare_v3(s->db, texts[i], -1, SQLITE_PREPARE_PERSISTENT, &s->st[i],
				       NULL) != SQLITE_OK)
			return store_error(s, texts[i]);
	return 0;
}

static int schema_version(struct store *s, int *ret_version)
{
	sqlite3_stmt *st;
	int r = -EIO;

	if (sqlite3_prepare_v2(s->db, "PRAGMA user_version", -1, &st, NULL) != SQLITE_OK)
		return store_error(s, "not a store");
	if (sqlite3_step(st) == SQLITE_ROW) {
		*ret_version = sqlite3_column_int(st, 0);
		r = 0;
	} else {
		store_error(s, "not a store");
	}
	sqlite3_finalize(st);
	return r;
}

static int schema_make(struct store *s)
{
	int version = 0, r = schema_version(s, &version);

	if (r < 0)
		return r;
	if (version > STORE_SCHEMA_VERSION)
		return log_error(-EPROTONOSUPPORT, "store: made by a newer version (schema %d)",
				 version);
	if (sqlite3_exec(s->db,
			 "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; "
			 "PRAGMA foreign_keys = ON",
			 NULL, NULL, NULL) != SQLITE_OK)
		return store_error(s, "cannot use write-ahead logging");
	if (version == 0 && sqlite3_exec(s->db, store_schema, NULL, NULL, NULL) != SQLITE_OK)
		return store_error(s, "cannot make the tables");
	return 0;
}

int store_open(const char *path, struct store **ret_store)
{
	_cleanup_(store_freep) struct store *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->arena = arena_new(64 * 1024);
	if (!s->arena)
		return -ENOMEM;
	if (sqlite3_open_v2(path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) !=
	    SQLITE_OK)
		return log_error(-EIO, "cannot open the store '%s'", path);
	sqlite3_busy_timeout(s->db, 10000);
	r = schema_make(s);
	if (r == 0)
		r = prepare(s);
	if (r < 0)
		return r;
	*ret_store = take_ptr(s);
	return 0;
}

struct store *store_free(struct store *s)
{
	if (!s)
		return NULL;
	for (unsigned i = 0; i < STATEMENTS; i++)
		sqlite3_finalize(s->st[i]);
	sqlite3_close(s->db);
	arena_free(s->arena);
	free(s);
	return NULL;
}

void store_freep(struct store **s)
{
	*s = store_free(*s);
}

/* ---- hosts and streams ---- */

static int host_get(struct store *s, const char *host, int64_t *ret_id)
{
	sqlite3_stmt *st = statement(s, SQL_HOST_ADD);
	int r;

	bind_text(st, 1, host);
	bind_number(st, 2, realtime());
	r = run(s, SQL_HOST_ADD);
	if (r < 0)
		return r;
	st = statement(s, SQL_HOST_ID);
	bind_text(st, 1, host);
	if (sqlite3_step(st) != SQLITE_ROW)
		return store_error(s, "no such host");
	*ret_id = sqlite3_column_int64(st, 0);
	sqlite3_reset(st);
	return 0;
}

int store_host_seen(struct store *s, const char *host, const char *boot_id, const char *program)
{
	sqlite3_stmt *st;
	int64_t id;
	int r = host_get(s, host, &id);

	if (r < 0)
		return r;
	st = statement(s, SQL_HOST_HELLO);
	bind_text(st, 1, host);
	bind_text(st, 2, boot_id);
	bind_text(st, 3, program);
	return run(s, SQL_HOST_HELLO);
}

/* 1: there is such a stream, 0: not yet. */
static int stream_get(struct store *s, const char *host, const char *boot_id, uint32_t class,
		      int64_t *ret_id, uint64_t *ret_seq, uint8_t ret_chain[CHAIN_SIZE])
{
	sqlite3_stmt *st = statement(s, SQL_STREAM_GET);
	int code, found = 0;

	bind_text(st, 1, host);
	bind_text(st, 2, boot_id);
	sqlite3_bind_int(st, 3, (int)class);
	*ret_seq = 0;
	memset(ret_chain, 0, CHAIN_SIZE);
	code = sqlite3_step(st);
	if (code == SQLITE_ROW) {
		found = 1;
		*ret_id = sqlite3_column_int64(st, 0);
		*ret_seq = (uint64_t)sqlite3_column_int64(st, 1);
		if (sqlite3_column_bytes(st, 2) == CHAIN_SIZE)
			memcpy(ret_chain, sqlite3_column_blob(st, 2), CHAIN_SIZE);
	}
	sqlite3_reset(st);
	return code == SQLITE_ROW || code == SQLITE_DONE ? found : store_error(s, "streams");
}

int store_position(struct store *s, const char *host, const char *boot_id, uint32_t class,
		   uint64_t *ret_seq, uint8_t ret_chain[CHAIN_SIZE])
{
	int64_t id;
	int r = stream_get(s, host, boot_id, class, &id, ret_seq, ret_chain);

	return r < 0 ? r : 0;
}

/* ---- one batch ---- */

static int gap_add(struct store *s, struct tally *t, uint64_t first, uint64_t last,
		   const char *reason)
{
	sqlite3_stmt *st = statement(s, SQL_GAP_ADD);

	sqlite3_bind_int64(st, 1, t->stream);
	bind_number(st, 2, first);
	bind_number(st, 3, last);
	bind_text(st, 4, reason);
	bind_number(st, 5, realtime());
	t->gaps++;
	return run(s, SQL_GAP_ADD);
}

static char *tables_text(struct arena *a, const Rollcall__Finding *f)
{
	char *text = arena_strdup(a, "");

	for (size_t i = 0; text && i < f->n_tables; i++)
		text = arena_printf(a, "%s%s%s", text, i ? " " : "", f->tables[i]);
	return text;
}

static int finding_put(struct store *s, struct tally *t, int64_t event, const Rollcall__Event *ev)
{
	const Rollcall__Finding *f = ev->finding;
	sqlite3_stmt *st = statement(s, SQL_FINDING_PUT);

	sqlite3_bind_int64(st, 1, t->host);
	bind_text(st, 2, f->id);
	sqlite3_bind_int64(st, 3, event);
	bind_text(st, 4, f->status);
	bind_text(st, 5, f->rule ? f->rule->id : "");
	bind_text(st, 6, f->rule ? f->rule->title : "");
	bind_text(st, 7, f->rule ? f->rule->level : "");
	bind_text(st, 8, f->principal);
	bind_text(st, 9, f->window);
	bind_text(st, 10, tables_text(s->arena, f));
	bind_number(st, 11, ev->time);
	bind_number(st, 12, f->rows);
	bind_number(st, 13, f->rows_min);
	bind_number(st, 14, f->rows_max);
	sqlite3_bind_int(st, 15, f->gap);
	bind_number(st, 16, realtime());
	if (strcmp(f->status, "new") == 0 && !*f->mode)
		t->findings++;
	return run(s, SQL_FINDING_PUT);
}

/* What else an event changes besides being stored. */
static int event_note(struct store *s, struct tally *t, int64_t id, const Rollcall__Event *ev)
{
	sqlite3_stmt *st;

	switch (ev->kind_case) {
	case ROLLCALL__EVENT__KIND_FINDING:
		return finding_put(s, t, id, ev);
	case ROLLCALL__EVENT__KIND_GAP:
		t->gaps++;
		return 0;
	case ROLLCALL__EVENT__KIND_READY:
	case ROLLCALL__EVENT__KIND_COVERAGE:
		st = statement(s, SQL_HOST_COVERAGE);
		sqlite3_bind_int64(st, 1, t->host);
		sqlite3_bind_int64(st, 2, id);
		return run(s, SQL_HOST_COVERAGE);
	default:
		return 0;
	}
}

/*
 * An event that cannot be read is evidence, too: its bytes are kept. What is noted of an event is
 * not in what its block has apart; each is stored whole, for it is also read alone.
 */
static int event_add(struct store *s, struct tally *t, uint64_t seq,
		     const ProtobufCBinaryData *told, const ProtobufCBinaryData *body)
{
	Rollcall__Event *ev =
		rollcall__event__unpack(arena_protobuf(s->arena), told->len, told->data);
	sqlite3_stmt *st = statement(s, SQL_EVENT_ADD);
	int r;

	sqlite3_bind_int64(st, 1, t->stream);
	bind_number(st, 2, seq);
	bind_number(st, 3, ev ? ev->time : 0);
	bind_text(st, 4, ev ? event_kind(ev) : "");
	sqlite3_bind_blob(st, 5, body->data ? body->data : (const uint8_t *)"", (int)body->len,
			  SQLITE_STATIC);
	r = run(s, SQL_EVENT_ADD);
	if (r < 0 || sqlite3_changes(s->db) == 0)
		return r;
	t->events++;
	return ev ? event_note(s, t, sqlite3_last_insert_rowid(s->db), ev) : 0;
}

static int stream_open(struct store *s, const struct store_batch *b, struct tally *t,
		       uint64_t *ret_seq)
{
	uint8_t chain[CHAIN_SIZE];
	sqlite3_stmt *st;
	int r = host_get(s, b->host, &t->host);

	if (r < 0)
		return r;
	st = statement(s, SQL_STREAM_ADD);
	sqlite3_bind_int64(st, 1, t->host);
	bind_text(st, 2, b->batch->boot_id);
	sqlite3_bind_int(st, 3, (int)b->batch->class_);
	r = run(s, SQL_STREAM_ADD);
	if (r == 0)
		r = stream_get(s, b->host, b->batch->boot_id, b->batch->class_, &t->stream, ret_seq,
			       chain);
	return r < 0 ? r : 0;
}

static bool chain_begins(const Rollcall__Batch *b)
{
	static const uint8_t zeros[CHAIN_SIZE];

	return memcmp(b->chain_before.data, zeros, CHAIN_SIZE) == 0;
}

/* Numbers that never came, or a history that is not the one that was told before. */
static int gaps_find(struct store *s, const struct store_batch *b, struct tally *t, uint64_t last)
{
	uint64_t first = b->batch->first_seq;

	if (!b->agrees)
		return gap_add(s, t, first, first + b->batch->count - 1, "history differs");
	if (chain_begins(b->batch))
		return last && first > last ? gap_add(s, t, 0, 0, "spool was reset") : 0;
	/* Where the numbers began is known from the beginning of the chain only. */
	if (!last)
		return gap_add(s, t, 0, first - 1, "older than this store");
	return first > last + 1 ? gap_add(s, t, last + 1, first - 1, "never arrived") : 0;
}

static int block_add(struct store *s, struct tally *t, const struct store_batch *b,
		     const Rollcall__Block *block, uint64_t seq)
{
	const char *class = segment_class((uint32_t)b->batch->class_);
	int r = 0;

	for (size_t i = 0; i < block->n_event && r == 0; i++, seq++) {
		const char *id = event_id(s->arena, b->batch->boot_id, class, seq);
		ProtobufCBinaryData body;

		r = id ? block_whole(s->arena, block, i, b->host, id, &body) : -ENOMEM;
		if (r == 0)
			r = event_add(s, t, seq, &block->event[i], &body);
		arena_reset(s->arena);
	}
	return r;
}

static int batch_store(struct store *s, const struct store_batch *b, struct tally *t)
{
	uint64_t seq = b->batch->first_seq, last;
	sqlite3_stmt *st;
	int r = stream_open(s, b, t, &last);

	if (r == 0)
		r = gaps_find(s, b, t, last);
	for (size_t i = 0; i < b->blocks.n && r == 0; i++) {
		r = block_add(s, t, b, b->blocks.blocks[i], seq);
		seq += b->blocks.blocks[i]->n_event;
	}
	if (r == 0 && seq - 1 > last) {
		st = statement(s, SQL_STREAM_SET);
		sqlite3_bind_int64(st, 1, t->stream);
		bind_number(st, 2, seq - 1);
		sqlite3_bind_blob(st, 3, b->batch->chain.data, CHAIN_SIZE, SQLITE_STATIC);
		r = run(s, SQL_STREAM_SET);
	}
	if (r < 0)
		return r;
	st = statement(s, SQL_HOST_COUNT);
	sqlite3_bind_int64(st, 1, t->host);
	sqlite3_bind_int64(st, 2, t->events);
	sqlite3_bind_int64(st, 3, t->findings);
	sqlite3_bind_int64(st, 4, t->gaps);
	return run(s, SQL_HOST_COUNT);
}

int store_batch(struct store *s, const struct store_batch *b, uint32_t *ret_new)
{
	struct tally t = {};
	int r;

	statement(s, SQL_BEGIN);
	r = run(s, SQL_BEGIN);
	if (r < 0)
		return r;
	r = batch_store(s, b, &t);
	if (r == 0)
		r = run(s, SQL_COMMIT);
	if (r < 0) {
		if (!sqlite3_get_autocommit(s->db))
			run(s, SQL_ROLLBACK);
		return r;
	}
	*ret_new = t.events;
	return 0;
}

int store_refusal(struct store *s, const char *peer, const char *name, const char *reason)
{
	sqlite3_stmt *st = statement(s, SQL_REFUSAL_ADD);
	int r;

	bind_number(st, 1, realtime());
	bind_text(st, 2, peer);
	bind_text(st, 3, name);
	bind_text(st, 4, reason);
	r = run(s, SQL_REFUSAL_ADD);
	return r < 0 ? r : run(s, SQL_REFUSAL_TRIM);
}
