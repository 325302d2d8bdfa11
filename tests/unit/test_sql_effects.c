// SPDX-License-Identifier: Apache-2.0
// What statements set going or make: calls, tables whose triggers run, views and routines.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "lib/sql/statement.h"

#define PG	 SQL_POSTGRESQL
#define MY	 SQL_MYSQL
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

struct words {
	enum sql_dialect dialect;
	const char *text, *wanted;
};

/* "f s.g ... > t": what a text's first statement calls, and whose triggers run. */
static const char *effects(enum sql_dialect dialect, const char *text)
{
	static char out[4096];
	struct sql_statement st;
	size_t len = strlen(text), n = 0;
	char name[SQL_RELATION_MAX];

	out[0] = '\0';
	assert_true(sql_statement_next(dialect, &text, &len, &st));
	for (unsigned i = 0; i < st.n_calls; i++) {
		if (n)
			out[n++] = ' ';
		if (st.calls[i].schema.len)
			n += (size_t)sprintf(
				out + n, "%s.",
				sql_identifier(&st.calls[i].schema, dialect, name, sizeof(name)));
		n += (size_t)sprintf(
			out + n, "%s",
			sql_identifier(&st.calls[i].name, dialect, name, sizeof(name)));
	}
	for (unsigned i = 0; i < st.n_relations; i++)
		if (st.relations[i].written)
			n += (size_t)sprintf(out + n, "%s> %s", n ? " " : "", st.relations[i].name);
	return out;
}

static void test_effects(void **state)
{
	static const struct words cases[] = {
		{MY, "select f(1), s.g (g(2)), `h``1`(), x, name from staff", "f s.g g h`1"},
		{MY, "select s . `g`(1), s.x, f/**/(2)", "s.g f"},
		{MY, "select f(1), F(1), f(2)", "f F"},
		{MY, "call p", "p"},
		{MY, "call mdm.p(1, f(2))", "mdm.p f"},
		{MY, "begin declare c cursor for select f(x) from t", "f"},
		{MY, "begin call p", "p"},
		{MY, "set @x = f('a'), @y = (select g(1))", "f g"},
		{MY, "select 'f(1)' as f, x from t", ""},
		{MY, "execute immediate 'select f(1) from staff'", "f"},
		{MY, "insert into a values (f(1))", "values f > a"},
		{MY, "insert into a select * from staff", "> a"},
		{MY, "replace into s.a set x = (select max(y) from b)", "max > a"},
		{MY, "update a, b set a.x = b.y where a.z in (select z from c)", "in > a > b"},
		{MY, "delete from a where x = 1", "> a"},
		{MY, "delete a from a join b using (x)", "using > a > b"},
		{MY, "load data infile '/x' into table a", "> a"},
		{MY, "begin insert into a values (1)", "values > a"},
		{MY, "select insert(a, 1, 2, 'x'), replace(b, 'y', 'z') from c", "insert replace"},
		{MY, "select a from b for update", ""},
		{MY, "insert into a values (1) on duplicate key update x = 1", "values > a"},
		{PG, "select f(1) from g(2)", ""},
		{PG, "insert into a values (1)", ""},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *got = effects(cases[i].dialect, cases[i].text);

		if (strcmp(got, cases[i].wanted) != 0)
			fail_msg("\"%s\": \"%s\", not \"%s\"", cases[i].text, got, cases[i].wanted);
	}
}

/* "v s.name": what a text's first statement creates. */
static void test_created(void **state)
{
	static const char kinds[] = "-vrt";
	static const struct words cases[] = {
		{PG, "create view v as select * from staff", "v v"},
		{PG, "create or replace temp view public.\"V\" (a, b) as table staff",
		 "v public.V"},
		{PG, "create materialized view if not exists v as table staff", "v v"},
		{PG, "create function f() returns setof staff as $$table staff$$", "- "},
		{PG, "create table v (view text, trigger int)", "- "},
		{PG, "create table v as select * from view", "- "},
		{PG, "select 'create view v as'", "- "},
		{MY,
		 "create or replace algorithm=merge definer=`a`@`view` sql security definer "
		 "view mdm . `v``1` as select * from staff",
		 "v mdm.v`1"},
		{MY, "alter view v as select * from staff", "v v"},
		{MY, "create definer=root@localhost procedure if not exists p(in x int) begin end",
		 "r p"},
		{MY, "create function mdm.f(view int) returns int return 1", "r mdm.f"},
		{MY, "create package body p as function f return int", "r p"},
		{MY, "create trigger x after insert on mdm.noted for each row set @a = 1",
		 "t mdm.noted"},
		{MY, "create trigger x after insert", "t "},
		{MY, "create index procedure on t(view)", "- "},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *text = cases[i].text;
		size_t len = strlen(text);
		struct sql_statement st;
		char got[2 * SQL_RELATION_MAX + 4];

		assert_true(sql_statement_next(cases[i].dialect, &text, &len, &st));
		snprintf(got, sizeof(got), "%c %s%s%s", kinds[st.creates], st.created.schema,
			 *st.created.schema ? "." : "", st.created.name);
		if (strcmp(got, cases[i].wanted) != 0)
			fail_msg("\"%s\": \"%s\", not \"%s\"", cases[i].text, got, cases[i].wanted);
	}
}

/* "x mdm.y": what the tables of a text's first statement are called afterwards. */
static void test_renamed(void **state)
{
	static const struct words cases[] = {
		{MY, "rename table staff to x", "x"},
		{MY, "RENAME TABLES mdm.staff TO `to`, x to mdm . y", "to mdm.y"},
		{MY, "alter table staff rename x", "x"},
		{MY, "alter table staff add c int, rename to other.x", "other.x"},
		{MY, "alter table staff rename as x, rename = y", "x y"},
		{MY,
		 "alter table staff rename column a to b, rename index i to k, rename key a to b",
		 ""},
		{MY, "alter table `rename` drop column x", ""},
		{MY, "select 'rename table staff to x'", ""},
		{MY, "rename table staff to", ""},
		{MY,
		 "rename table a to b, b to c, c to d, d to e, e to f, f to g, g to h, h to i, i "
		 "to j",
		 "b c d e f g h i+"},
		{PG, "alter table staff rename to x", ""},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *text = cases[i].text;
		size_t len = strlen(text), n = 0;
		struct sql_statement st;
		char got[512] = "";

		assert_true(sql_statement_next(cases[i].dialect, &text, &len, &st));
		for (unsigned k = 0; k < st.n_renamed; k++)
			n += (size_t)snprintf(got + n, sizeof(got) - n, "%s%s%s%s", k ? " " : "",
					      st.renamed[k].schema,
					      *st.renamed[k].schema ? "." : "", st.renamed[k].name);
		snprintf(got + n, sizeof(got) - n, "%s", st.more_names ? "+" : "");
		if (strcmp(got, cases[i].wanted) != 0)
			fail_msg("\"%s\": \"%s\", not \"%s\"", cases[i].text, got, cases[i].wanted);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_effects),
		cmocka_unit_test(test_created),
		cmocka_unit_test(test_renamed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
