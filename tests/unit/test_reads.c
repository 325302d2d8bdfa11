// links: user/sensor/derive/script.c user/sensor/watch.c
// SPDX-License-Identifier: Apache-2.0
// What the server read of watched tables: how many rows its counts are, whose they are, and when
// the rows of a result do not tell how many people they hold.
#include "user/sensor/derive/reads.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "lib/resolved.h"

#define STAFF 16386
#define OTHER 16400

static struct watch *watch_of(uint64_t rows, uint64_t pages)
{
	static struct resolved_relation staff = {STAFF, "table", "public", "staff"};
	struct resolved_table table = {.rows = rows, .pages = pages};
	struct resolved resolved = {.tables = &table, .n_tables = 1};
	struct watch *w = watch_new();
	const char *why;

	assert_int_equal(watchname_parse("postgresql:hr.public.staff", &table.name, &why), 0);
	table.relations = &staff;
	table.n_relations = 1;
	assert_int_equal(watch_add(w, &table.name), 0);
	assert_int_equal(watch_resolve(w, &resolved), 0);
	return w;
}

/* A scan of so many rows on so many blocks. */
static void scan(struct session *c, const struct watch *w, uint32_t group, uint32_t relation,
		 uint64_t rows, uint64_t blocks)
{
	Rollcall__DbReads k;

	rollcall__db_reads__init(&k);
	k.group = group;
	k.relation = relation;
	k.returned = rows;
	k.blocks = blocks;
	reads_record(c, w, &k);
}

static Rollcall__Db db_of(uint64_t rows, uint64_t bytes, uint64_t max_row)
{
	Rollcall__Db db;

	rollcall__db__init(&db);
	db.rows = rows;
	db.bytes = bytes;
	db.max_row = max_row;
	db.confidence = ROLLCALL__CONFIDENCE__exact;
	return db;
}

static void test_rows(void **state)
{
	static const struct {
		struct counts counts;
		uint64_t rows;
	} cases[] = {
		{{.scanned = 5000, .blocks = 37}, 5000},
		{{.fetched = 1, .entries = 1, .blocks = 1}, 1},		      /* by its key */
		{{.fetched = 1, .entries = 1, .blocks = 4}, 1},		      /* ... for update */
		{{.fetched = 1, .entries = 1, .blocks = 9, .written = 1}, 1}, /* ... updated */
		{{.fetched = 4900, .entries = 5000, .blocks = 37}, 5000},     /* a bitmap */
		{{.entries = 5000, .blocks = 1}, 5000},			      /* an index alone */
		{{.scanned = 10, .entries = 20, .fetched = 30}, 40},	      /* both */
		{{.blocks = 3}, 3},					      /* by their ids */
		{{.scanned = 1, .blocks = 4000}, 4000},			      /* ... nearly all */
		{{.blocks = 7000}, 5000},				      /* ... some twice */
		{{.scanned = 1, .blocks = 5}, 5},
		{{.written = 1, .blocks = 8}, 0}, /* an INSERT */
		{{}, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(rows_of(&cases[i].counts, 5000), cases[i].rows);
	assert_int_equal(rows_of(&(struct counts){.blocks = 7000}, 0), 7000);
}

static void test_part_of_a_table(void **state)
{
	struct watch *w = watch_of(5000, 40);
	struct session c = {.who.database = "hr"};
	Rollcall__Db db = db_of(3, 200, 60);

	(void)state;
	scan(&c, w, 1, STAFF, 1250, 8);
	assert_int_equal(reads_tables(&c, w, &db, 1, 0), 1);
	reads_fill(&db, w, &c, 1);
	assert_int_equal(db.rows_read, 1250);
	assert_true(db.read_fraction == 0.25);
	assert_int_equal(db.pages, 8);
	assert_true(db.page_coverage == 0.2);
	assert_int_equal(db.page_rows, 1000);
	assert_int_equal(db.confidence, ROLLCALL__CONFIDENCE__exact);
	watch_freep(&w);
}

static void test_few_large_rows(void **state)
{
	static const struct {
		uint64_t rows, max_row;
		Rollcall__Confidence confidence;
	} cases[] = {
		{1, 75000, ROLLCALL__CONFIDENCE__coverage_only},
		{10, 7500, ROLLCALL__CONFIDENCE__coverage_only},
		{1, 10, ROLLCALL__CONFIDENCE__exact}, /* count(*) */
		{1, 500, ROLLCALL__CONFIDENCE__exact},
		{5000, 75000, ROLLCALL__CONFIDENCE__exact},
	};
	struct watch *w = watch_of(5000, 40);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct session c = {.who.database = "hr"};
		Rollcall__Db db = db_of(cases[i].rows, 80000, cases[i].max_row);

		scan(&c, w, 1, STAFF, 10000, 80); /* twice */
		reads_fill(&db, w, &c, 1);
		assert_int_equal(db.rows_read, 10000);
		assert_int_equal(db.pages, 40);
		assert_true(db.page_coverage == 1 && db.read_fraction == 1);
		assert_int_equal(db.confidence, cases[i].confidence);
	}
	watch_freep(&w);
}

static void test_not_watched(void **state)
{
	struct watch *w = watch_of(5000, 40);
	struct session here = {.who.database = "hr"}, there = {.who.database = "shop"};
	Rollcall__Db db = db_of(1, 100, 10);

	(void)state;
	scan(&here, w, 1, OTHER, 1, 1);
	scan(&there, w, 1, STAFF, 1, 1); /* ids are of a database */
	assert_int_equal(reads_tables(&here, w, &db, 1, 0), 0);
	assert_int_equal(reads_tables(&there, w, &db, 1, 0), 0);
	watch_freep(&w);
}

/* One flush tells the reads of all with the first; a progress record tells them again. */
static void test_group(void **state)
{
	struct watch *w = watch_of(5000, 40);
	struct session c = {.who.database = "hr"};
	Rollcall__Db set = db_of(0, 9, 0), read = db_of(5000, 100000, 60);

	(void)state;
	scan(&c, w, 7, STAFF, 2000, 16);
	assert_int_equal(reads_tables(&c, w, &set, 7, 0), 0);
	reads_done(&c, true, 0);
	assert_int_equal(reads_tables(&c, w, &read, 7, 0), 1);
	reads_fill(&read, w, &c, 1);
	assert_int_equal(read.rows_read, 2000);
	assert_int_equal(reads_tables(&c, w, &read, 8, 0), 0);

	scan(&c, w, 8, STAFF, 1000, 8);
	reads_done(&c, false, 0);
	scan(&c, w, 8, STAFF, 1500, 12);
	reads_fill(&read, w, &c, 1);
	assert_int_equal(read.rows_read, 1500);
	watch_freep(&w);
}

/* "select 1; select name from staff limit 10" */
static void test_named_by_another(void **state)
{
	struct watch *w = watch_of(5000, 40);
	static const char text[] = "select 1; select name from staff limit 10";
	struct command command = {
		.script = script_new(text, strlen(text), ROLLCALL__SYSTEM__postgresql, w, "hr"),
		.group = 3,
	};
	struct session c = {.who.database = "hr", .head = &command};
	Rollcall__Db small = db_of(1, 50, 10), large = db_of(1, 9000, 8950);

	(void)state;
	scan(&c, w, 3, STAFF, 10, 1);
	assert_int_equal(reads_tables(&c, w, &small, 3, 0), 0);
	assert_int_equal(reads_tables(&c, w, &small, 3, 1), 1);
	assert_int_equal(reads_tables(&c, w, &large, 3, 0), 1);
	script_unref(command.script);
	watch_freep(&w);
}

/* "select f(); select string_agg(name) from staff; select f()": the second in the middle of a
 * flush. */
static void test_left_by_others(void **state)
{
	struct watch *w = watch_of(5000, 40);
	static const char text[] = "select f(); select string_agg(name) from staff; select f()";
	struct command command = {
		.script = script_new(text, strlen(text), ROLLCALL__SYSTEM__postgresql, w, "hr"),
		.group = 3,
	};
	struct session c = {.who.database = "hr", .head = &command};
	Rollcall__Db small = db_of(1, 50, 10), large = db_of(1, 90000, 89000);

	(void)state;
	scan(&c, w, 3, STAFF, 5001, 41);
	assert_int_equal(reads_tables(&c, w, &small, 3, 0), 0);
	reads_done(&c, true, 0);
	scan(&c, w, 3, STAFF, 1, 1);
	assert_int_equal(reads_tables(&c, w, &large, 3, 1), 1);
	reads_fill(&large, w, &c, 1);
	assert_int_equal(large.rows_read, 5002);
	assert_int_equal(large.confidence, ROLLCALL__CONFIDENCE__coverage_only);
	reads_done(&c, true, 1);
	assert_int_equal(reads_tables(&c, w, &small, 3, 0), 0);
	script_unref(command.script);
	watch_freep(&w);
}

/* "select f(); select f()": each is told with the table, the rows with the first. */
static void test_hidden_twice(void **state)
{
	struct watch *w = watch_of(5000, 40);
	struct session c = {.who.database = "hr"};
	Rollcall__Db first = db_of(1, 50, 10), second = db_of(1, 50, 10);

	(void)state;
	scan(&c, w, 3, STAFF, 2, 2);
	assert_int_equal(reads_tables(&c, w, &first, 3, 0), 1);
	reads_fill(&first, w, &c, 1);
	assert_int_equal(first.rows_read, 2);
	reads_done(&c, true, 1);
	assert_int_equal(reads_tables(&c, w, &second, 3, 0), 1);
	reads_fill(&second, w, &c, 1);
	assert_int_equal(second.rows_read, 0);
	watch_freep(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),	       cmocka_unit_test(test_part_of_a_table),
		cmocka_unit_test(test_few_large_rows), cmocka_unit_test(test_not_watched),
		cmocka_unit_test(test_group),	       cmocka_unit_test(test_named_by_another),
		cmocka_unit_test(test_left_by_others), cmocka_unit_test(test_hidden_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
