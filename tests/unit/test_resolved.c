// SPDX-License-Identifier: Apache-2.0
// The resolved file: what is written is read back equal, what is not such a file is refused with
// its place, and lookups keep databases and systems apart.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/clean.h"
#include "lib/resolved.h"

static struct resolved *sample(void)
{
	struct resolved *r = resolved_new();

	assert_non_null(r);
	r->time = strdup("2026-01-02T03:04:05Z");
	assert_int_equal(0, resolved_add_server(r, &(struct resolved_server){
							   .system = ROLLCALL__SYSTEM__postgresql,
							   .version = (char[]){"15.18"},
							   .datadir = NULL,
							   .exe_dev = 8 << 20 | 1,
							   .exe_ino = 42}));
	assert_int_equal(0, resolved_add_table(r, "postgresql:hr.public.staff", 0));
	struct resolved_table *t = &r->tables[0];

	t->database_oid = 16384;
	t->rows = 50000;
	assert_int_equal(0, resolved_add_relation(
				    t, &(struct resolved_relation){.oid = 16385,
								   .kind = (char[]){"table"},
								   .schema = (char[]){"public"},
								   .name = (char[]){"staff"}}));
	assert_int_equal(0, resolved_add_relation(
				    t, &(struct resolved_relation){.oid = 4294967295U,
								   .kind = (char[]){"view"},
								   .schema = (char[]){"public"},
								   .name = (char[]){"we\"ird\n"}}));
	assert_int_equal(0, resolved_add_column(t, 2, "mobile"));
	assert_int_equal(
		0, resolved_add_file(t, &(struct resolved_file){.path = (char[]){"/d/base/1/2"},
								.kind = (char[]){"heap"},
								.dev = 7,
								.ino = 9}));
	return r;
}

static void test_round_trip(void **state)
{
	_cleanup_(resolved_freep) struct resolved *a = sample();
	_cleanup_(resolved_freep) struct resolved *b = NULL;
	_cleanup_(freep) char *text = resolved_text(a);
	_cleanup_(freep) char *again = NULL;
	char why[200];

	(void)state;
	assert_non_null(text);
	assert_int_equal(0, resolved_parse(text, strlen(text), &b, why, sizeof(why)));
	again = resolved_text(b);
	assert_string_equal(text, again);
	assert_int_equal(b->tables[0].rows, 50000);
	assert_int_equal(b->tables[0].relations[1].oid, 4294967295U);
	assert_string_equal(b->tables[0].relations[1].name, "we\"ird\n");
	assert_int_equal(b->tables[0].files[0].ino, 9);
	assert_int_equal(b->servers[0].exe_ino, 42);
}

static void test_write(void **state)
{
	_cleanup_(resolved_freep) struct resolved *a = sample();
	_cleanup_(resolved_freep) struct resolved *b = NULL;
	char dir[] = "/tmp/resolved.XXXXXX", path[64], why[200];
	struct stat st;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/database.json", dir);
	assert_int_equal(0, resolved_write(a, path));
	assert_int_equal(0, resolved_write(a, path));
	assert_int_equal(0, stat(path, &st));
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(0, resolved_read(path, &b, why, sizeof(why)));
	assert_int_equal(b->n_tables, 1);
	unlink(path);
	assert_int_equal(0, rmdir(dir));
	assert_int_equal(-ENOENT, resolved_read(path, &b, why, sizeof(why)));
}

static void test_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"[]",
		"{}",
		"null",
		"{\"format\":2,\"time\":\"\",\"servers\":[],\"tables\":[]}",
		"{\"format\":1,\"time\":\"\",\"servers\":{},\"tables\":[]}",
		"{\"format\":1,\"time\":\"\",\"servers\":[],\"tables\":[],\"more\":1}",
		"{\"format\":1,\"format\":1,\"time\":\"\",\"servers\":[],\"tables\":[]}",
		"{\"format\":1,\"time\":7,\"servers\":[],\"tables\":[]}",
		"{\"format\":1,\"time\":\"\",\"servers\":[7],\"tables\":[]}",
		/* a table of a server that is not listed */
		"{\"format\":1,\"time\":\"\",\"servers\":[],\"tables\":[{\"watch\":"
		"\"mariadb:a.b\",\"server\":0,\"database_oid\":0,\"rows\":0,\"pages\":0,"
		"\"relations\":[],\"columns\":[],\"files\":[]}]}",
		"{\"format\":1,\"time\":\"\",\"servers\":[{\"system\":\"oracle\",\"version\":\"\","
		"\"datadir\":\"\",\"exe\":\"\",\"socket\":\"\",\"exe_dev\":0,\"exe_ino\":0}],"
		"\"tables\":[]}",
		"{\"format\":1,\"time\":\"\",\"servers\":[{\"system\":\"mysql\",\"version\":\"\","
		"\"datadir\":\"\",\"exe\":\"\",\"socket\":\"\",\"exe_dev\":4294967296,"
		"\"exe_ino\":0}],\"tables\":[]}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct resolved *r = NULL;
		char why[200] = "";

		assert_int_equal(-EBADMSG,
				 resolved_parse(bad[i], strlen(bad[i]), &r, why, sizeof(why)));
		assert_null(r);
		assert_true(*why);
	}
}

static void test_lookup(void **state)
{
	_cleanup_(resolved_freep) struct resolved *r = sample();
	Rollcall__System pg = ROLLCALL__SYSTEM__postgresql;
	size_t pos = 0;

	(void)state;
	assert_ptr_equal(resolved_by_oid(r, "hr", 16385, &pos), &r->tables[0]);
	assert_null(resolved_by_oid(r, "hr", 16385, &pos));
	pos = 0;
	assert_null(resolved_by_oid(r, "other", 16385, &pos));
	pos = 0;
	assert_null(resolved_by_oid(r, "hr", 0, &pos));
	pos = 0;
	assert_non_null(resolved_by_name(r, pg, "hr", "public", "we\"ird\n", &pos));
	pos = 0;
	assert_non_null(resolved_by_name(r, pg, "hr", "", "staff", &pos));
	pos = 0;
	assert_null(resolved_by_name(r, pg, "hr", "archive", "staff", &pos));
	pos = 0;
	assert_null(resolved_by_name(r, ROLLCALL__SYSTEM__mariadb, "hr", "public", "staff", &pos));
}

static void test_watchname(void **state)
{
	static const struct {
		const char *text, *database, *schema, *table;
	} good[] = {
		{"postgresql:hr.public.staff", "hr", "public", "staff"},
		{"postgresql:hr.staff", "hr", "", "staff"},
		{"mariadb:mdm.staff", "mdm", "", "staff"},
		{"mysql:`a.b`.\"c\"\"d\"", "a.b", "", "c\"d"},
		{"mysql:a b.` c `", "a b", "", " c "},
	};
	static const char *const bad[] = {
		"",	      "staff",	      "oracle:a.b",    "mariadb:a",
		"mariadb:.a", "mariadb:a.",   "mariadb:a.b.c", "postgresql:a.b.c.d",
		"mysql:`a.b", "mysql:a.`b`c", "mysql:a.b ",    "mysql: a.b"};
	struct watchname n;
	const char *why;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		assert_int_equal(0, watchname_parse(good[i].text, &n, &why));
		assert_string_equal(n.database, good[i].database);
		assert_string_equal(n.schema, good[i].schema);
		assert_string_equal(n.table, good[i].table);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (watchname_parse(bad[i], &n, &why) != -EINVAL)
			fail_msg("accepted: %s", bad[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip), cmocka_unit_test(test_write),
		cmocka_unit_test(test_refused),	   cmocka_unit_test(test_lookup),
		cmocka_unit_test(test_watchname),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	printf("%zu passed, %d failed\n", sizeof(tests) / sizeof(*tests) - (size_t)failed, failed);
	return failed != 0;
}
