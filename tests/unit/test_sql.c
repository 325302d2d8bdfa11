// SPDX-License-Identifier: Apache-2.0
// What statements say: tokens, relations, destinations, folding, for both dialects. That servers
// accept the odd forms here was tried on PostgreSQL 15 and MariaDB 10.11.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "lib/sql/fold.h"
#include "lib/sql/statement.h"

#define PG	 SQL_POSTGRESQL
#define MY	 SQL_MYSQL
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* "w:select n:1 p:, s:x": the kinds and texts of all tokens. */
static const char *tokens(enum sql_dialect dialect, const char *text)
{
	static const char kinds[] = ".wqsn?p";
	static char out[1024];
	struct sql_lexer l;
	struct sql_token t;
	size_t n = 0;

	out[0] = '\0';
	sql_lexer_init(&l, dialect, text, strlen(text));
	while ((t = sql_next(&l)).kind != SQL_END)
		n += (size_t)snprintf(out + n, sizeof(out) - n, "%s%c:%.*s", n ? " " : "",
				      kinds[t.kind], (int)t.len, t.at);
	if (l.cut)
		strcat(out, " cut");
	return out;
}

struct words {
	enum sql_dialect dialect;
	const char *text, *wanted;
};

static void test_tokens(void **state)
{
	static const struct words cases[] = {
		{PG, "select a1 , 5", "w:select w:a1 p:, n:5"},
		{PG, "/* a /* b */ c */ x", "w:x"},
		{MY, "/* a /* b */ c */ x", "w:c p:* p:/ w:x"},
		{PG, "/* a /* b */ c", " cut"},
		{PG, "a--b\nc", "w:a w:c"},
		{PG, "a--b\rc", "w:a w:c"},
		{MY, "a-- b\rc", "w:a"},
		{MY, "a--b\nc", "w:a p:- p:- w:b w:c"},
		{MY, "a #b\rc\nd", "w:a w:d"},
		{PG, "a #b", "w:a p:# w:b"},
		{MY, "/*!50000 a */ b /*M!100100 c*/ /*!d*/", "w:a w:b w:c w:d"},
		{PG, "/*!50000 a */ b", "w:b"},
		{MY, "/*! a /* b */ '*/' */ c", "w:a s:'*/' w:c"},
		{PG, "'it''s' 'a\\' b", "s:'it''s' s:'a\\' w:b"},
		{MY, "'it''s' 'a\\' b' \"c\\\"d\"", "s:'it''s' s:'a\\' b' s:\"c\\\"d\""},
		{PG, "E'a\\'b' e'\\\\' B'01' x'ff' N'n'",
		 "s:E'a\\'b' s:e'\\\\' s:B'01' s:x'ff' s:N'n'"},
		{PG, "E'a'\n 'b\\'c' d", "s:E'a'\n 'b\\'c' w:d"},
		{PG, "E'a' -- x\n 'b\\'c' d", "s:E'a' -- x\n 'b\\'c' w:d"},
		{PG, "E'a' 'b\\' c", "s:E'a' s:'b\\' w:c"},
		{PG, "E'a' --", "s:E'a'"},
		{PG, "U&'a\\0041' U&\"b\" u & 'c'", "s:U&'a\\0041' q:U&\"b\" w:u p:& s:'c'"},
		{PG, "\"a\"\"b\" `c`", "q:\"a\"\"b\" p:` w:c p:`"},
		{MY, "`a``b` \"c\"", "q:`a``b` s:\"c\""},
		{PG, "$$a'b$$ $x$ $y$ $x$ $1", "s:$$a'b$$ s:$x$ $y$ $x$ ?:$1"},
		{PG, "$x$ a $X$", "s:$x$ a $X$ cut"},
		{PG, "a$b$c $b c", "w:a$b$c p:$ w:b w:c"},
		{PG, "'abc", "s:'abc cut"},
		{PG, "\"abc", "q:\"abc cut"},
		{MY, "'abc\\", "s:'abc\\ cut"},
		{PG, "1 1.5 .5 1e5 1.5e-3 2E+4 0x1f 1_000",
		 "n:1 n:1.5 n:.5 n:1e5 n:1.5e-3 n:2E+4 n:0x1f n:1_000"},
		{PG, "1from 1e 5-3", "n:1 w:from n:1 w:e n:5 p:- n:3"},
		{MY, "1.from 1e1from 0x41", "n:1. w:from n:1e1 w:from n:0x41"},
		{MY, "2024_x 0x1g 1ex", "w:2024_x w:0x1g w:1ex"},
		{MY, "m.2024_x m . 2024_x m.5 m .5",
		 "w:m p:. w:2024_x w:m p:. w:2024_x w:m p:. w:5 w:m n:.5"},
		{MY, "m..5 `q`5", "w:m p:. n:.5 q:`q` n:5"},
		{MY, "$a @b @@c.d ? @'e'", "w:$a ?:@b ?:@@c p:. w:d ?:? ?:@ s:'e'"},
		{PG, "a @> ?", "w:a p:@ p:> p:?"},
		{PG, "", ""},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_string_equal(tokens(cases[i].dialect, cases[i].text), cases[i].wanted);
}

static void test_identifiers(void **state)
{
	static const struct words cases[] = {
		{PG, "StAff", "staff"},
		{MY, "StAff", "StAff"},
		{PG, "\"St\"\"Aff\"", "St\"Aff"},
		{MY, "`St``Aff`", "St`Aff"},
		{MY, "\"a\"\"b`c\"", "a\"b`c"},
		{PG, "U&\"\\0073t\\+000061ff\"", "staff"},
		{PG, "U&\"d\\00e9p\\00f4t \\+01F600 \\20ac\"",
		 "d\xc3\xa9p\xc3\xb4t \xf0\x9f\x98\x80 "
		 "\xe2\x82\xac"},
		{PG, "U&\"!0073t!!aff\" UESCAPE '!'", "st!aff"},
		{PG, "U&\"!0073taff\" --x\n uescape /*y*/ $$!$$", "staff"},
		{PG, "U&\"\\0073\" U&\"!0074\" uescape '!'", "s"},
		{PG, "U&\"\\007\\+00\\\"", "\\007\\+00\\"},
		{PG, "U&\"\\\\0073\"", "\\0073"},
		/* 63 bytes are left of a longer name */
		{PG, "a123456789b123456789c123456789d123456789e123456789f123456789g1234",
		 "a123456789b123456789c123456789d123456789e123456789f123456789g12"},
	};
	char buf[SQL_NAME_MAX];
	struct sql_lexer l;
	struct sql_token t;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		sql_lexer_init(&l, cases[i].dialect, cases[i].text, strlen(cases[i].text));
		t = sql_next(&l);
		sql_identifier(&t, cases[i].dialect, buf, sizeof(buf));
		assert_string_equal(buf, cases[i].wanted);
	}
}

/* "public.staff device ~x": the relations of a text's first statement, ~ for weak ones. */
static const char *relations(enum sql_dialect dialect, const char *text)
{
	static char out[4096];
	struct sql_statement st;
	size_t len = strlen(text), n = 0;

	out[0] = '\0';
	assert_true(sql_statement_next(dialect, &text, &len, &st));
	for (unsigned i = 0; i < st.n_relations; i++)
		n += (size_t)snprintf(out + n, sizeof(out) - n, "%s%s%s%s%s", n ? " " : "",
				      st.relations[i].weak ? "~" : "", st.relations[i].schema,
				      *st.relations[i].schema ? "." : "", st.relations[i].name);
	return out;
}

static void relations_are(const struct words *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char *got = relations(cases[i].dialect, cases[i].text);

		if (strcmp(got, cases[i].wanted) != 0)
			fail_msg("\"%s\": \"%s\", not \"%s\"", cases[i].text, got, cases[i].wanted);
	}
}

static void test_relations(void **state)
{
	static const struct words cases[] = {
		{PG, "select 1", ""},
		{PG, "SELECT name FROM Staff s WHERE id = 5", "staff"},
		{PG, "select * from hr.public.\"Staff\"", "public.Staff"},
		{MY, "select * from mdm . `sta``ff`", "mdm.sta`ff"},
		{MY, "select * from .staff", "staff"},
		{PG, "select * from only staff, only (b)", "staff b"},
		{PG, "select (select max(a) from x), b from y", "x y"},
		{PG, "with c as (select * from staff) select * from c", "staff c"},
		{PG, "select a from x union all select b from y order by 1, 2", "x y"},
		{PG, "select a from x where i in (select i from y) group by 1, b", "x y"},
		{PG, "copy staff (name, mobile) to stdout", "staff"},
		{PG, "copy (select name, id from staff) to stdout", "staff"},
		{PG, "copy (table staff) to '/x'", "staff"},
		{PG, "table only staff", "staff"},
		{PG, "select f(a, b), g(c) from h(1, 2), staff", "staff"},
		{PG, "select extract(year from hired), trim('x' from a) from staff", "~x staff"},
		{PG, "select 1 where a is distinct from staff", ""},
		{PG, "delete from a using staff s returning s.name, b", "a staff"},
		{PG, "merge into a using (select * from staff) s on true", "a staff"},
		{PG, "select * from a join staff using (id, name)", "a staff"},
		{PG, "insert into a (x, y) select name, b from staff", "a staff"},
		{PG, "insert into a values (1, b) on conflict (x) do update set y = 1, z = 2", "a"},
		{PG, "update staff set name = 'x', mobile = 'y' from d where d.a = 1", "staff d"},
		{PG, "select * into temp x from staff for update of staff", "x staff"},
		{PG, "prepare p as select * from staff where id = $1", "staff"},
		{PG, "declare c cursor for select * from staff", "staff"},
		{PG, "select * from s.f(1) x, lateral (select * from staff) y", "staff"},
		{MY, "select * from a straight_join b join (c, d) on true", "a b c d"},
		{MY, "select straight_join x.n from a, b", "a b"},
		{MY, "update a, staff set a.x = staff.name, y = 2", "a staff"},
		{MY, "insert into a values (1) on duplicate key update x = 1, y = 2", "a"},
		{MY, "handler staff read first", "staff"},
		{MY, "load data infile '/x' into table staff (a, b)", "staff"},
		{MY, "select * from staff partition (p0, p1), b", "staff b"},
		{MY, "create table c like staff", "c"},
	};

	(void)state;
	relations_are(cases, COUNT(cases));
}

/* Forms by which a table can be read and its name be kept from a careless reader. */
static void test_hidden_relations(void **state)
{
	static const struct words cases[] = {
		{PG, "copy binary staff to stdout", "staff"},
		{PG, "copy binary staff (name) to stdout", "staff"},
		{PG, "copy U&\"!0073taff\" uescape '!' to stdout", "staff"},
		{PG, "select 1 --x\r, name from staff", "staff"},
		{PG, "select 1from staff", "staff"},
		{PG, "select*from\"staff\"", "staff"},
		{PG, "select'x'from staff", "staff"},
		{PG, "select * from (select 1) x, staff", "staff"},
		{PG, "select * from a join b on a.x = b.x, staff", "a b staff"},
		{PG, "select * from a cross join (select 1) b, staff", "a staff"},
		{PG, "select * from ((select 1) x cross join b), staff", "b staff"},
		{PG, "select * from (select 1) set, staff", "staff"},
		{PG, "select * from (select 1) set (x), staff", "staff"},
		{PG, "select * from (select 1) values (x), staff", "staff"},
		{PG, "select * from (select 1) copy, staff", "staff"},
		{PG, "select * from a truncate, staff", "a staff"},
		{PG, "select * from (values (1), (2)) x, staff", "staff"},
		{PG, "select trim('x' from (select name from staff))", "~x staff"},
		{PG, "select * from program, temp, staff", "program temp staff"},
		{PG, "(((select name from staff)))", "staff"},
		{MY, "select name, 1.from staff into outfile '/x'", "staff"},
		{MY, "select 1e1from staff", "staff"},
		{MY, "select name from (a, staff)", "a staff"},
		{MY, "select 1.from(a, staff)", "a staff"},
		{MY, "select name from \"staff\" into outfile '/x'", "staff"},
		{MY, "select name from mdm.\"staff\", \"a\"", "mdm.staff a"},
		{MY, "select name from 2024_staff", "2024_staff"},
		{MY, "select name from mdm.2024_staff, mdm.5", "mdm.2024_staff mdm.5"},
		{MY, "select name from $staff", "$staff"},
		{MY, "select name /*!50000 from */ staff", "staff"},
		{MY, "select name /*M!100100 from staff */", "staff"},
		{MY, "/*!999999 ' */ select name from staff -- '", "~staff"},
		{MY, "select 1 #x\n, name from staff", "staff"},
		{MY, "select * from { oj staff left join a on true }", "staff a"},
		{MY, "select * from a use index for join (i, j), staff", "a staff"},
		{MY, "select * from a use index for order by (i), staff", "a staff"},
		{MY, "select * from a force key for group by (i), staff", "a staff"},
		{MY, "select * from a offset, staff", "a staff"},
		{MY, "select '\\', name from staff -- '", "~staff"},  /* NO_BACKSLASH_ESCAPES */
		{PG, "select '\\'', name from staff -- '", "~staff"}, /* or the other way round */
	};

	(void)state;
	relations_are(cases, COUNT(cases));
}

static void test_strings_are_searched(void **state)
{
	static const struct words cases[] = {
		{PG, "select query_to_xml('select * from staff', true, true, '')", "~staff"},
		{PG, "do $$begin perform * from staff; end$$", "~staff"},
		{PG, "do $a$begin execute $b$select * from staff$b$; end$a$", "~staff"},
		{PG, "select pg_relation_filepath('hr.staff')", "~hr.staff"},
		{PG, "select * from staff where a = 'from b'", "staff"},
		{PG, "select * from staff where a = 'taken from b'", "staff ~b"},
		{MY, "prepare s from 'select * from staff'", "~staff"},
		{MY, "execute immediate \"select * from staff\"", "~staff"},
		{MY, "select concat('staff', name) from a", "a"},
	};

	(void)state;
	relations_are(cases, COUNT(cases));
}

/* A name once, strong when it is so first; more than fit are said to be there. */
static void test_many_relations(void **state)
{
	char text[2048] = "select 1 from r0, R0, \"r0\"";
	const char *p = text;
	struct sql_statement st;
	size_t n = strlen(text), len;

	(void)state;
	len = n;
	assert_true(sql_statement_next(PG, &p, &len, &st));
	assert_int_equal(st.n_relations, 1);
	assert_false(st.more_names);
	for (unsigned i = 1; i < SQL_RELATIONS_MAX + 1; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, ", r%u", i);
	p = text;
	len = n;
	assert_true(sql_statement_next(PG, &p, &len, &st));
	assert_int_equal(st.n_relations, SQL_RELATIONS_MAX);
	assert_true(st.more_names);
	assert_string_equal(st.relations[SQL_RELATIONS_MAX - 1].name, "r47");
}

static void test_deep_parentheses(void **state)
{
	char text[1024];
	size_t n = 0;

	(void)state;
	n += (size_t)snprintf(text, sizeof(text), "select * from ");
	for (unsigned i = 0; i < 100; i++)
		text[n++] = '(';
	n += (size_t)snprintf(text + n, sizeof(text) - n, "select 1) x, staff");
	for (unsigned i = 0; i < 99; i++)
		text[n++] = ')';
	snprintf(text + n, sizeof(text) - n, "), c");
	assert_non_null(strstr(relations(PG, text), "staff"));
	assert_string_equal(relations(PG, ")))) select * from a, b"), "a b");
}

/* MySQL's names may have 64 characters of three bytes. */
static void test_long_names(void **state)
{
	char text[512], name[193] = "";
	size_t n;

	(void)state;
	for (n = 0; n < 192; n += 3)
		memcpy(name + n, "\xe2\x82\xac", 3);
	name[n] = '\0';
	snprintf(text, sizeof(text), "select * from `%s`", name);
	assert_string_equal(relations(MY, text), name);
	snprintf(text, sizeof(text), "select * from \"%s\"", name);
	assert_int_equal(strlen(relations(PG, text)), 63);
}

struct said {
	enum sql_dialect dialect;
	const char *text;
	struct sql_statement wanted; /* texts and relations apart */
};

static const struct said said[] = {
	{PG, "Select 1 from a where b", {.verb = "select", .where = true}},
	{PG, "(select 1) offset 5", {.verb = "select", .offset = true}},
	{PG, "((table a))", {.verb = "table"}},
	{PG, "copy a to stdout", {.verb = "copy"}},
	{PG, "copy a from stdin", {.verb = "copy", .copy_from = true}},
	{PG, "copy (select 1 from a) to '/x'", {.verb = "copy", .to_server = true}},
	{PG, "copy a to program 'cat'", {.verb = "copy", .to_server = true}},
	{PG, "copy a to E'/x'", {.verb = "copy", .to_server = true}},
	{PG, "copy a to $$/x$$", {.verb = "copy", .to_server = true}},
	{PG, "select * into x from a", {.verb = "select", .to_server = true}},
	{PG, "(select * into x from a)", {.verb = "select", .to_server = true}},
	{PG, "with c as (table a) select * into x from c", {.verb = "with", .to_server = true}},
	{PG,
	 "with c as (table a) insert into x select * from c",
	 {.verb = "with", .to_server = true}},
	{PG, "insert into x select * from a", {.verb = "insert", .to_server = true}},
	{PG, "insert into x table a", {.verb = "insert", .to_server = true}},
	{PG, "insert into x values (1)", {.verb = "insert"}},
	{PG, "create table x as select 1", {.verb = "create", .to_server = true, .ddl = true}},
	{PG, "create table x as table a", {.verb = "create", .to_server = true, .ddl = true}},
	{PG, "create table x (a int)", {.verb = "create", .ddl = true}},
	{PG,
	 "create table x as execute p(1)",
	 {.verb = "create", .ddl = true, .uses_prepared = "p"}},
	{PG, "vacuum full a", {.verb = "vacuum", .ddl = true}},
	{PG,
	 "declare \"C d\" binary cursor with hold for select 1",
	 {.verb = "declare", .declares = "C d"}},
	{PG, "fetch 100 from \"C d\"", {.verb = "fetch", .uses_portal = "C d"}},
	{PG, "FETCH FORWARD ALL IN C", {.verb = "fetch", .uses_portal = "c"}},
	{PG, "fetch c", {.verb = "fetch", .uses_portal = "c"}},
	{PG, "prepare P (int) as select 1", {.verb = "prepare", .prepares = "p"}},
	{PG, "execute P (5)", {.verb = "execute", .uses_prepared = "p"}},
	{PG, "explain analyze execute p", {.verb = "explain", .uses_prepared = "p"}},
	{MY, "prepare P from 'select 1'", {.verb = "prepare", .prepares = "P"}},
	{MY, "execute P using @a", {.verb = "execute", .uses_prepared = "P"}},
	{MY, "execute immediate 'select 1'", {.verb = "execute"}},
	{MY, "use `Mdm`", {.verb = "use", .database = "Mdm"}},
	{MY, "select 1 from a into outfile '/x'", {.verb = "select", .to_server = true}},
	{MY, "(select 1) into outfile '/x'", {.verb = "select", .to_server = true}},
	{MY,
	 "with c as (select 1) select * from c into dumpfile '/x'",
	 {.verb = "with", .to_server = true}},
	{MY, "create table x select * from a", {.verb = "create", .to_server = true, .ddl = true}},
	{MY, "replace into x select * from a", {.verb = "replace", .to_server = true}},
	{MY, "select replace(a, 'x', 'y') from b", {.verb = "select"}},
	{PG,
	 "START_REPLICATION SLOT \"s\" LOGICAL 0/0 (a 'b')",
	 {.verb = "start_replication", .replication = "logical"}},
	{PG,
	 "START_REPLICATION 0/1000000 TIMELINE 1",
	 {.verb = "start_replication", .replication = "physical"}},
	{PG, "BASE_BACKUP ( LABEL 'x' )", {.verb = "base_backup", .replication = "base_backup"}},
};

static void test_what_is_said(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(said); i++) {
		const struct sql_statement *w = &said[i].wanted;
		const char *text = said[i].text;
		size_t len = strlen(text);
		struct sql_statement st;

		assert_true(sql_statement_next(said[i].dialect, &text, &len, &st));
		if (st.where != w->where || st.offset != w->offset ||
		    st.copy_from != w->copy_from || st.to_server != w->to_server ||
		    st.ddl != w->ddl)
			fail_msg("\"%s\"", said[i].text);
		assert_string_equal(st.verb, w->verb);
		assert_string_equal(st.declares, w->declares);
		assert_string_equal(st.prepares, w->prepares);
		assert_string_equal(st.uses_portal, w->uses_portal);
		assert_string_equal(st.uses_prepared, w->uses_prepared);
		assert_string_equal(st.database, w->database);
		assert_string_equal(st.replication, w->replication);
	}
}

static void test_statements(void **state)
{
	static const char *const wanted[] = {" select ';' ", "/* ; */ select \";\" -- ;\n",
					     " do $$a; b;$$", " select 4"};
	const char *text =
		" select ';' ;;/* ; */ select \";\" -- ;\n; do $$a; b;$$; select 4;  ; -- x";
	size_t len = strlen(text);
	struct sql_statement st;

	(void)state;
	for (size_t i = 0; i < COUNT(wanted); i++) {
		assert_true(sql_statement_next(PG, &text, &len, &st));
		assert_int_equal(st.len, strlen(wanted[i]));
		assert_memory_equal(st.text, wanted[i], st.len);
	}
	assert_false(sql_statement_next(PG, &text, &len, &st));
	assert_int_equal(len, 0);
}

static const char *folded(enum sql_dialect dialect, const char *text)
{
	static char out[1024];

	sql_fold(dialect, text, strlen(text), out, sizeof(out));
	return out;
}

static void test_fold(void **state)
{
	static const struct words cases[] = {
		{PG, "select  a.b , f( 'x' ,5 )  from s . t -- c", "select a.b, f (?) from s.t"},
		{PG, "select 'a' , a, 1.5e3, $2::int", "select ?, a, ?::int"},
		{PG, "where x in (1, 2 ,3) and y=E'a\\'secret'", "where x in (?) and y = ?"},
		{PG, "x = E'a'\n'b\\'secret'", "x = ?"},
		{PG, "x = $q$secret$q$ or x = U&'secret' or x = -0x1f",
		 "x = ? or x = ? or x = - ?"},
		{PG, "x = 'secret", "x = ?"},
		{PG, "x = 'a\\\\', y = 'secret", "x = ?, y = ?"},
		{PG, "x = $q$secret", "x = ?"},
		{PG, "x = $$a$b$secret", "x = ?"},
		{PG, "x like '%\\' and y = 'a' and \"Q\" = 1", "x like ? and y = ? and \"Q\" = ?"},
		{MY, "x='O\\'Neill' AND y = \"a\\\"secret\" and z=`q`",
		 "x = ? AND y = ? and z = `q`"},
		{MY, "/*!50000 select */ 0x41, b'1', _utf8'secret', @v, ?", "select ?, _utf8 ?"},
		{MY, "/*!999999 don't */ 'secret'", "?"},
		{MY, "m.2024_staff + 5. + .5", "m.2024_staff + ? + ?"},
		{MY, "m . 5x + . 5x", "m.5x +. 5x"},
		/* standard_conforming_strings = off; NO_BACKSLASH_ESCAPES: not known from here */
		{PG, "a = 'it\\'s secret' and b = 5", "a = ?"},
		{PG, "a = '\\'', 'secret'", "a = ?"},
		{PG, "a = 'x\\'y', b = 'z\\'secret'", "a = ?"},
		{MY, "a = 'C:\\', b = 'secret'", "a = ?"},
		{MY, "a = 'C:\\', b = 'D:\\', c = 'secret', d = 'E:\\'", "a = ?"},
		{PG, "", ""},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_string_equal(folded(cases[i].dialect, cases[i].text), cases[i].wanted);
		assert_null(strstr(folded(cases[i].dialect, cases[i].text), "secret"));
	}
}

static uint64_t hash(const char *text)
{
	char buf[8];

	return sql_fold(PG, text, strlen(text), buf, sizeof(buf));
}

static void test_fold_hash(void **state)
{
	char buf[8] = "zzzzzzz", byte = 'z';

	(void)state;
	assert_true(hash("SELECT a  FROM b WHERE c = 1") ==
		    hash("select A from b /* x */ where c='y'"));
	assert_true(hash("select 1 in (1)") == hash("select 1 in (1, 2, 3)"));
	assert_true(hash("select a from b") != hash("select a from c"));
	/* Cut to fit, the hash is of all of it. */
	assert_true(hash("select a from b where c") != hash("select a from b where d"));
	sql_fold(PG, "select a from b", 15, buf, sizeof(buf));
	assert_string_equal(buf, "select ");
	sql_fold(MY, "`a\0b`", 5, buf, sizeof(buf));
	assert_string_equal(buf, "`a b`");
	sql_fold(PG, "select", 6, &byte, 1);
	assert_int_equal(byte, '\0');
	byte = 'z';
	assert_true(sql_fold(PG, "select", 6, &byte, 0) == hash("select"));
	assert_int_equal(byte, 'z');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tokens),
		cmocka_unit_test(test_identifiers),
		cmocka_unit_test(test_relations),
		cmocka_unit_test(test_hidden_relations),
		cmocka_unit_test(test_strings_are_searched),
		cmocka_unit_test(test_many_relations),
		cmocka_unit_test(test_deep_parentheses),
		cmocka_unit_test(test_long_names),
		cmocka_unit_test(test_what_is_said),
		cmocka_unit_test(test_statements),
		cmocka_unit_test(test_fold),
		cmocka_unit_test(test_fold_hash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
