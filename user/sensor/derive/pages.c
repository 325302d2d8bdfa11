// SPDX-License-Identifier: Apache-2.0
// Pages of watched tables that a PostgreSQL session's statements turned to, and what they say of
// its results. Called by session.c with the records, by result.c with each result.
#include <string.h>

#include "sensor/derive/session_internal.h"
#include "sensor/watch.h"

#define PAGE_BYTES  8192 /* BLCKSZ of every packaged server */
#define SEND_BUFFER 8192 /* PQ_SEND_BUFFER_SIZE, pqcomm.c */
#define LARGE_ROW   8	 /* times the table's mean: no row of its own */

static uint64_t bits_of(const ProtobufCBinaryData *words)
{
	uint64_t word, n = 0;

	for (size_t i = 0; i + sizeof(word) <= words->len; i += sizeof(word)) {
		memcpy(&word, words->data + i, sizeof(word));
		n += (uint64_t)__builtin_popcountll(word);
	}
	return n;
}

/* A relation's blocks come in parts. The database that its id is of is the session's. */
void pages_record(struct session *c, const struct watch *w, const Rollcall__DbPages *k)
{
	uint64_t tables = watch_match_oid(w, c->who.database, k->relation);
	struct touched *t = &c->touched;
	unsigned i = 0;

	if (!tables)
		return;
	if (t->group != k->group)
		*t = (struct touched){.group = k->group};
	while (i < t->n && t->relations[i].oid != k->relation)
		i++;
	if (i == PAGE_TABLES)
		return;
	if (i == t->n)
		t->n++;
	t->relations[i].oid = k->relation;
	t->relations[i].tables = tables;
	t->relations[i].own = true;
	t->relations[i].pages += bits_of(&k->blocks) << (k->shift & 31);
}

/* Does the result of this group have pages of its own? Else it has the group's. */
static bool pages_own(const struct touched *t)
{
	for (unsigned k = 0; k < t->n; k++)
		if (t->relations[k].own)
			return true;
	return false;
}

/* A statement that showed nothing, SET or COMMIT, leaves its group's pages to the others. */
static bool shows_nothing(const Rollcall__Db *db)
{
	return !db->rows && !db->side_bytes && db->confidence != ROLLCALL__CONFIDENCE__bytes_only;
}

/* Tables that the statements of a group name. */
static uint64_t group_names(const struct session *c, uint32_t group)
{
	uint64_t mask = 0;

	for (const struct command *k = c->head; k; k = k->next)
		for (unsigned i = 0; k->group == group && k->script && i < k->script->n; i++)
			mask |= k->script->queries[i].strong | k->script->queries[i].weak;
	return mask;
}

/*
 * Tables that a result has pages of. A small one that does not name a table leaves it to those of
 * its group that do: they fit into the server's buffer, so that nothing tells whose the pages are.
 */
uint64_t pages_tables(const struct session *c, const Rollcall__Db *db, uint32_t group,
		      uint64_t named)
{
	const struct touched *t = &c->touched;
	bool own = pages_own(t);
	uint64_t mask = 0;

	if (t->group != group || shows_nothing(db))
		return 0;
	for (unsigned k = 0; k < t->n; k++)
		if (t->relations[k].own || !own)
			mask |= t->relations[k].tables;
	return db->bytes < SEND_BUFFER ? mask & (named | ~group_names(c, group)) : mask;
}

static uint64_t pages_of(const struct touched *t, uint64_t tables)
{
	bool own = pages_own(t);
	uint64_t n = 0;

	for (unsigned k = 0; k < t->n; k++)
		if (t->relations[k].tables & tables)
			n += own ? t->relations[k].pages : t->relations[k].before;
	return n;
}

/* A result that only streams tells all its pages again the next time. */
void pages_done(struct session *c, bool ended)
{
	struct touched *t = &c->touched;

	for (unsigned k = 0; k < t->n; k++) {
		if (ended)
			t->relations[k].before += t->relations[k].pages;
		t->relations[k].pages = 0;
		t->relations[k].own = false;
	}
}

/*
 * How much of the tables was touched. One answer may hold many people: when far fewer rows came
 * than lie on the blocks that were read, and one is far larger than theirs, the blocks say how
 * many and the rows do not.
 */
void pages_fill(Rollcall__Db *db, const struct watch *w, const struct session *c, uint64_t tables)
{
	const struct touched *t = &c->touched;

	db->pages = tables ? pages_of(t, tables) : 0;
	for (unsigned i = 0; i < 64; i++) {
		uint64_t all = watch_table_pages(w, i), rows = watch_table_rows(w, i), n;
		double coverage;

		if (!(tables & 1ull << i) || !all || !rows)
			continue;
		n = pages_of(t, 1ull << i);
		coverage = n < all ? (double)n / (double)all : 1;
		if (coverage <= db->page_coverage)
			continue;
		db->page_coverage = coverage;
		db->page_rows = (uint64_t)(coverage * (double)rows);
		if (db->confidence == ROLLCALL__CONFIDENCE__exact && db->rows &&
		    db->rows < db->page_rows / 2 &&
		    db->max_row > LARGE_ROW * PAGE_BYTES * all / rows)
			db->confidence = ROLLCALL__CONFIDENCE__coverage_only;
	}
}
