// links: user/sensor/derive/script.c user/sensor/watch.c
// SPDX-License-Identifier: Apache-2.0
// Texts matched against the watch set: which tables a query is said to name, and how surely.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "lib/clean.h"
#include "lib/resolved.h"
#include "lib/sql/statement.h"
#include "sensor/derive/script.h"
#include "sensor/watch.h"

#define PG ROLLCALL__SYSTEM__postgresql
#define MY ROLLCALL__SYSTEM__mariadb

enum { STAFF = 1, DEVICE = 2, MY_STAFF = 4 };

static struct watch *watched(void)
{
	static const char *const names[] = {"postgresql:hr.public.staff", "postgresql:hr.device",
					    "mariadb:mdm.staff"};
	struct watch *w = watch_new();

	for (unsigned i = 0; i < 3; i++) {
		struct watchname name;
		const char *why;

		assert_int_equal(watchname_parse(names[i], &name, &why), 0);
		assert_int_equal(watch_add(w, &name), 0);
	}
	return w;
}

/* The nth query of the text. */
static void query_is(Rollcall__System system, const char *database, const char *text, unsigned nth,
		     uint64_t strong, uint64_t weak)
{
	_cleanup_(watch_freep) struct watch *w = watched();
	struct script *s = script_new(text, strlen(text), system, w, database);
	const struct query *q = script_query(s, nth);

	assert_non_null(q);
	assert_int_equal(q->strong, strong);
	assert_int_equal(q->weak, weak);
	script_unref(s);
}

static void test_tables(void **state)
{
	(void)state;
	query_is(PG, "hr", "select * from staff, device", 0, STAFF | DEVICE, 0);
	query_is(PG, "hr", "select * from public.staff", 0, STAFF, 0);
	query_is(PG, "hr", "select * from other.staff, other.device", 0, DEVICE, 0);
	query_is(PG, "hr", "select * from \"Staff\"", 0, 0, 0);
	query_is(PG, "other", "select * from staff", 0, 0, 0);
	query_is(PG, "hr", "do $$begin perform * from staff; end$$", 0, 0, STAFF);
	query_is(PG, "hr", "select 1; select * from device", 0, 0, 0);
	query_is(PG, "hr", "select 1; select * from device", 1, DEVICE, 0);
	query_is(MY, "mdm", "select * from STAFF", 0, MY_STAFF, 0);
	query_is(MY, "", "select * from mdm.staff", 0, MY_STAFF, 0);
	query_is(MY, "x", "select * from staff", 0, 0, 0);
}

/* A watched table behind more others than a statement's list holds is not lost. */
static void test_many_relations(void **state)
{
	char text[2048] = "copy (select s.* from a";
	size_t n = strlen(text);

	(void)state;
	for (unsigned i = 0; i < 60; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, ", a%u", i);
	snprintf(text + n, sizeof(text) - n, ", staff s) to stdout");
	query_is(PG, "hr", text, 0, 0, STAFF | DEVICE);
	query_is(PG, "x", text, 0, 0, 0);
	query_is(MY, "x", text, 0, 0, MY_STAFF);
}

/* More statements than are kept: what lies beyond is taken for the last. */
static void test_many_statements(void **state)
{
	_cleanup_(watch_freep) struct watch *w = watched();
	char text[1024];
	struct script *s;

	(void)state;
	for (size_t i = 0; i < sizeof(text); i += 2)
		memcpy(text + i, "a;", 2);
	s = script_new(text, sizeof(text), PG, w, "hr");
	assert_int_equal(s->n, SCRIPT_STATEMENTS_MAX);
	assert_ptr_equal(script_query(s, 500), &s->queries[SCRIPT_STATEMENTS_MAX - 1]);
	script_unref(s);
	memcpy(text + sizeof(text) - 32, ";copy staff to 'x';select 1      ", 32);
	s = script_new(text, sizeof(text), PG, w, "hr");
	assert_int_equal(script_query(s, 500)->strong, STAFF);
	assert_true(script_query(s, 500)->server_copy);
	assert_int_equal(script_query(s, SCRIPT_STATEMENTS_MAX - 2)->strong, 0);
	script_unref(s);
	s = script_new(" -- nothing", 11, PG, w, "hr");
	assert_null(script_query(s, 0));
	script_unref(script_ref(s));
	script_unref(s);
}

static void relation_add(struct resolved *r, char *kind, char *schema, char *name)
{
	struct resolved_relation rel = {.kind = kind, .schema = schema, .name = name};

	assert_int_equal(resolved_add_relation(&r->tables[0], &rel), 0);
}

static uint64_t routine_of(const struct watch *w, const char *database, const char *text)
{
	struct script *s = script_new(text, strlen(text), MY, w, database);
	uint64_t mask = script_query(s, 0)->routine;

	assert_int_equal(script_query(s, 0)->strong | script_query(s, 0)->weak, 0);
	script_unref(s);
	return mask;
}

/* What setup found that reads a table; neither names nor reads of the same name elsewhere. */
static void test_routines(void **state)
{
	_cleanup_(resolved_freep) struct resolved *r = resolved_new();
	_cleanup_(watch_freep) struct watch *w = watched();
	char text[2048] = "select a0()";
	size_t n = strlen(text);
	struct script *s;

	(void)state;
	assert_int_equal(resolved_add_server(r, &(struct resolved_server){.system = MY}), 0);
	assert_int_equal(resolved_add_table(r, "mariadb:mdm.staff", 0), 0);
	relation_add(r, (char[]){"routine"}, (char[]){"mdm"}, (char[]){"reader"});
	relation_add(r, (char[]){"trigger"}, (char[]){"mdm"}, (char[]){"noted"});
	assert_int_equal(watch_resolve(w, r), 0);
	assert_int_equal(routine_of(w, "mdm", "select reader(id) from device"), MY_STAFF);
	assert_int_equal(routine_of(w, "x", "select `mdm`.`Reader`(id) from device"), MY_STAFF);
	assert_int_equal(routine_of(w, "mdm", "call reader"), MY_STAFF);
	assert_int_equal(routine_of(w, "mdm", "select reader.of_it(1)"), MY_STAFF);
	assert_int_equal(routine_of(w, "x", "select reader(id) from device"), 0);
	assert_int_equal(routine_of(w, "mdm", "select x.reader(id) from device"), 0);
	assert_int_equal(routine_of(w, "mdm", "select reader from reader"), 0);
	assert_int_equal(routine_of(w, "mdm", "insert into noted values (1)"), MY_STAFF);
	assert_int_equal(routine_of(w, "mdm", "insert into device select * from noted"), 0);
	/* Behind more calls than a statement's list holds. */
	for (unsigned i = 1; i < SQL_CALLS_MAX; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, ", a%u()", i);
	assert_int_equal(routine_of(w, "mdm", text), 0);
	snprintf(text + n, sizeof(text) - n, ", reader(1)");
	s = script_new(text, strlen(text), MY, w, "mdm");
	assert_int_equal(script_query(s, 0)->weak, MY_STAFF);
	script_unref(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_many_relations),
		cmocka_unit_test(test_many_statements),
		cmocka_unit_test(test_routines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
