// SPDX-License-Identifier: Apache-2.0
// What the server read of watched tables for a PostgreSQL session's statements, by its own count,
// and what that says of its results. Called by session.c with the records, by result.c with each
// result.
#include "sensor/derive/session_internal.h"
#include "sensor/watch.h"

#define PAGE_BYTES  8192 /* BLCKSZ of every packaged server */
#define SEND_BUFFER 8192 /* PQ_SEND_BUFFER_SIZE, pqcomm.c */
#define LARGE_ROW   8	 /* times the table's mean: no row of its own */
/*
 * Blocks that a row costs: one to be read and to be locked, its map of visibility each time; to
 * write it one, and the maps of visibility and of free space.
 */
#define BLOCKS_READ  4
#define BLOCKS_WRITE 8

/* A table's account. The database that its id is of is the session's. */
void reads_record(struct session *c, const struct watch *w, const Rollcall__DbReads *k)
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
	if (i == READ_TABLES)
		return;
	if (i == t->n)
		t->n++;
	t->relations[i].oid = k->relation;
	t->relations[i].tables = tables;
	t->relations[i].now = (struct counts){.scanned = k->returned,
					      .fetched = k->fetched,
					      .entries = k->entries,
					      .blocks = k->blocks,
					      .written = k->written};
}

static struct counts counts_sum(const struct counts *a, const struct counts *b)
{
	return (struct counts){.scanned = a->scanned + b->scanned,
			       .fetched = a->fetched + b->fetched,
			       .entries = a->entries + b->entries,
			       .blocks = a->blocks + b->blocks,
			       .written = a->written + b->written};
}

/*
 * Rows that were read. A row that an index names is counted by the index, and by the table too when
 * a bitmap was made of it. A row that is fetched by its id is in no count but that of blocks: they
 * are what is left when the other rows do not explain the blocks. `all`: rows of the table, or 0.
 */
static uint64_t rows_of(const struct counts *n, uint64_t all)
{
	uint64_t rows = n->scanned + (n->fetched > n->entries ? n->fetched : n->entries);

	if (n->blocks <= BLOCKS_READ * rows + BLOCKS_WRITE * n->written)
		return rows;
	return all && n->blocks > all ? (rows > all ? rows : all) : n->blocks;
}

static uint64_t rows_largest(const struct watch *w, uint64_t tables)
{
	uint64_t largest = 0;

	for (unsigned i = 0; i < WATCH_TABLES_MAX; i++)
		if (tables & 1ull << i && watch_table_rows(w, i) > largest)
			largest = watch_table_rows(w, i);
	return largest;
}

static uint64_t rows_read(const struct watch *w, const struct touched *t, uint64_t tables)
{
	uint64_t n = 0;

	for (unsigned k = 0; k < t->n; k++) {
		struct counts all = counts_sum(&t->relations[k].left, &t->relations[k].now);

		if (t->relations[k].tables & tables)
			n += rows_of(&all, rows_largest(w, t->relations[k].tables));
	}
	return n;
}

static uint64_t blocks_read(const struct touched *t, uint64_t tables)
{
	uint64_t n = 0;

	for (unsigned k = 0; k < t->n; k++)
		if (t->relations[k].tables & tables)
			n += t->relations[k].left.blocks + t->relations[k].now.blocks;
	return n;
}

/* A statement that showed nothing, SET or COMMIT, leaves its group's reads to the others. */
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
 * Tables of which rows were read for a result. A small one that does not name a table leaves it to
 * those of its group that do: they fit into the server's buffer, so that nothing tells whose the
 * reads are.
 */
uint64_t reads_tables(const struct session *c, const struct watch *w, const Rollcall__Db *db,
		      uint32_t group, uint64_t named)
{
	const struct touched *t = &c->touched;
	uint64_t mask = 0;

	if (t->group != group || shows_nothing(db))
		return 0;
	for (unsigned k = 0; k < t->n; k++) {
		struct counts all = counts_sum(&t->relations[k].before, &t->relations[k].now);

		if (rows_of(&all, rows_largest(w, t->relations[k].tables)))
			mask |= t->relations[k].tables;
	}
	return db->bytes < SEND_BUFFER ? mask & (named | ~group_names(c, group)) : mask;
}

/* A result that only streams tells all its reads again the next time. */
void reads_done(struct session *c, bool ended, uint64_t tables)
{
	struct touched *t = &c->touched;

	for (unsigned k = 0; k < t->n; k++) {
		struct counts *now = &t->relations[k].now, *left = &t->relations[k].left;

		if (ended) {
			t->relations[k].before = counts_sum(&t->relations[k].before, now);
			*left = t->relations[k].tables & tables ? (struct counts){}
								: counts_sum(left, now);
		}
		*now = (struct counts){};
	}
}

static double part_of(uint64_t n, uint64_t all)
{
	return !all ? 0 : n < all ? (double)n / (double)all : 1;
}

/*
 * How much of the tables was read. One answer may hold many people: when far fewer rows came than
 * were read, and one is far larger than theirs, what was read says how many and the rows do not.
 */
void reads_fill(Rollcall__Db *db, const struct watch *w, const struct session *c, uint64_t tables)
{
	const struct touched *t = &c->touched;

	db->uncounted = c->uncounted;
	db->rows_read = rows_read(w, t, tables);
	for (unsigned i = 0; i < WATCH_TABLES_MAX; i++) {
		uint64_t pages = watch_table_pages(w, i), rows = watch_table_rows(w, i);
		uint64_t blocks, read;
		double part, coverage;

		if (!(tables & 1ull << i))
			continue;
		blocks = blocks_read(t, 1ull << i);
		read = rows_read(w, t, 1ull << i);
		db->pages += pages && blocks > pages ? pages : blocks;
		part = part_of(read, rows);
		coverage = part_of(blocks, pages);
		if (part > db->read_fraction)
			db->read_fraction = part;
		if (coverage > db->page_coverage) {
			db->page_coverage = coverage;
			db->page_rows = (uint64_t)(coverage * (double)rows);
		}
		if (db->confidence == ROLLCALL__CONFIDENCE__exact && db->rows && rows && pages &&
		    db->rows < (read < rows ? read : rows) / 2 &&
		    db->max_row > LARGE_ROW * PAGE_BYTES * pages / rows)
			db->confidence = ROLLCALL__CONFIDENCE__coverage_only;
	}
}
