// links: user/cli/client.c
// SPDX-License-Identifier: Apache-2.0
// Rows as the database clients print them, and real children: answer, error, missing program.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/client.h"

static void test_rows(void **state)
{
	char text[] = "a\tb\\tc\t\\\\n\n\nview\t\t`x`\\n`y`\n";
	char wide[] = "1\t2\t3\t4\t5\t6\t7\t8\t9\n";
	struct client_result r = {};

	(void)state;
	assert_int_equal(0, client_rows(text, &r));
	assert_int_equal(2, r.n);
	assert_string_equal(r.rows[0].field[1], "b\tc");
	assert_string_equal(r.rows[0].field[2], "\\n");
	assert_string_equal(r.rows[0].field[7], "");
	assert_string_equal(r.rows[1].field[1], "");
	assert_string_equal(r.rows[1].field[2], "`x`\n`y`");
	client_result_fini(&r);
	assert_int_equal(-EBADMSG, client_rows(wide, &r));
	client_result_fini(&r);
}

static int run(const char *const *argv, const char *sql, struct client_result *r)
{
	return client_run(
		&(struct client){.argv = argv, .sql = sql, .uid = getuid(), .gid = getgid()}, r);
}

static void test_run(void **state)
{
	const char *const cat[] = {"cat", NULL};
	const char *const fail[] = {"sh", "-c", "echo no >&2; exit 3", NULL};
	const char *const env[] = {"sh", "-c", "echo x${PGOPTIONS}x", NULL};
	const char *const none[] = {"no-such-program", NULL};
	struct client_result r;

	(void)state;
	assert_int_equal(0, run(cat, "1\t2\n", &r));
	assert_string_equal(r.rows[0].field[1], "2");
	client_result_fini(&r);
	assert_int_equal(-EACCES, run(fail, "", &r));
	assert_string_equal(r.error, "no\n");
	client_result_fini(&r);
	assert_int_equal(-EACCES, run(none, "", &r));
	assert_non_null(strstr(r.error, "not installed"));
	client_result_fini(&r);
	setenv("PGOPTIONS", "evil", 1);
	assert_int_equal(0, run(env, "", &r));
	assert_string_equal(r.rows[0].field[0], "xx");
	client_result_fini(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_run)};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	printf("%zu passed, %d failed\n", sizeof(tests) / sizeof(*tests) - (size_t)failed, failed);
	return failed != 0;
}
