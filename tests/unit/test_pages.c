// links: user/sensor/derive/script.c user/sensor/watch.c
// SPDX-License-Identifier: Apache-2.0
// Pages of watched tables: whose they are, and when rows do not tell how many people they hold.
#include "user/sensor/derive/pages.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

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

static void touch(struct session *c, const struct watch *w, uint32_t group, uint32_t relation,
		  uint64_t bits)
{
	Rollcall__DbPages k;

	rollcall__db_pages__init(&k);
	k.group = group;
	k.relation = relation;
	k.blocks.data = (uint8_t *)&bits;
	k.blocks.len = sizeof(bits);
	pages_record(c, w, &k);
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

static void test_part_of_a_table(void **state)
{
	struct watch *w = watch_of(5000, 40);
	struct session c = {.who.database = "hr"};
	Rollcall__Db db = db_of(3, 200, 60);

	(void)state;
	touch(&c, w, 1, STAFF, 0xff);
	touch(&c, w, 1, STAFF, 0x3);
	assert_int_equal(pages_tables(&c, &db, 1, 0), 1);
	pages_fill(&db, w, &c, 1);
	assert_int_equal(db.pages, 10);
	assert_true(db.page_coverage == 0.25);
	assert_int_equal(db.page_rows, 1250);
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

		touch(&c, w, 1, STAFF, ~0ull >> 24);
		pages_fill(&db, w, &c, 1);
		assert_true(db.page_coverage == 1);
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
	touch(&here, w, 1, OTHER, 1);
	touch(&there, w, 1, STAFF, 1); /* ids are of a database */
	assert_int_equal(pages_tables(&here, &db, 1, 0), 0);
	assert_int_equal(pages_tables(&there, &db, 1, 0), 0);
	watch_freep(&w);
}

/* One flush tells the pages of all with the first; a progress record tells them again. */
static void test_group(void **state)
{
	struct watch *w = watch_of(5000, 40);
	struct session c = {.who.database = "hr"};
	Rollcall__Db set = db_of(0, 9, 0), read = db_of(5000, 100000, 60);

	(void)state;
	touch(&c, w, 7, STAFF, 0xffff);
	assert_int_equal(pages_tables(&c, &set, 7, 0), 0);
	pages_done(&c, true);
	assert_int_equal(pages_tables(&c, &read, 7, 0), 1);
	pages_fill(&read, w, &c, 1);
	assert_int_equal(read.pages, 16);
	assert_int_equal(pages_tables(&c, &read, 8, 0), 0);

	touch(&c, w, 8, STAFF, 0xff);
	pages_done(&c, false);
	touch(&c, w, 8, STAFF, 0xfff);
	pages_fill(&read, w, &c, 1);
	assert_int_equal(read.pages, 12);
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
	touch(&c, w, 3, STAFF, 1);
	assert_int_equal(pages_tables(&c, &small, 3, 0), 0);
	assert_int_equal(pages_tables(&c, &small, 3, 1), 1);
	assert_int_equal(pages_tables(&c, &large, 3, 0), 1);
	script_unref(command.script);
	watch_freep(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_part_of_a_table),	 cmocka_unit_test(test_few_large_rows),
		cmocka_unit_test(test_not_watched),	 cmocka_unit_test(test_group),
		cmocka_unit_test(test_named_by_another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
