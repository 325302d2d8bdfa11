// links: user/lib/mask.c
// SPDX-License-Identifier: Apache-2.0
// Command lines with a password in every place where programs take one; and what looks like one
// and must stay readable.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lib/mask.h"

/* Written with | for the NUL behind each argument. */
static void masked(const char *args, const char *want)
{
	char buf[256];
	size_t n = strlen(args);

	snprintf(buf, sizeof(buf), "%s", args);
	for (size_t i = 0; i < n; i++)
		buf[i] = buf[i] == '|' ? '\0' : buf[i];
	mask_args(buf, n);
	for (size_t i = 0; i < n; i++)
		buf[i] = buf[i] == '\0' ? '|' : buf[i];
	assert_string_equal(buf, want);
}

static void test_options(void **state)
{
	(void)state;
	masked("mysqldump|-u|mi|-ps3cret|mifs|mi_user|", "mysqldump|-u|mi|-p******|mifs|mi_user|");
	masked("/usr/bin/mariadb-dump|-ps3cret|", "/usr/bin/mariadb-dump|-p******|");
	masked("mysql|-p|mifs|", "mysql|-p|mifs|"); /* asks for it; mifs is the database */
	masked("mysql|--password=s3cret|", "mysql|--password=******|");
	masked("sshpass|-p|s3cret|ssh|-p|22|", "sshpass|-p|******|ssh|-p|22|");
	masked("curl|-u|app:s3cret|http://h/|", "curl|-u|app:******|http://h/|");
	masked("curl|--user=app:s3cret|", "curl|--user=app:******|");
	masked("ldapsearch|-D|cn=x|-w|s3cret|", "ldapsearch|-D|cn=x|-w|******|");
	masked("zip|-P|s3cret|a.zip|b|", "zip|-P|******|a.zip|b|");
}

static void test_commands(void **state)
{
	(void)state;
	masked("sh|-c|mysqldump -umi -ps3cret mifs >x.css|",
	       "sh|-c|mysqldump -umi -p****** mifs >x.css|");
	masked("env|sh|-p|-c|\"mysql\" '-ps3cret'|", "env|sh|-p|-c|\"mysql\" '-p******'|");
	masked("sh|-c|PGPASSWORD=s3cret psql -p 5432 hr|",
	       "sh|-c|PGPASSWORD=****** psql -p 5432 hr|");
}

static void test_values(void **state)
{
	(void)state;
	masked("java|-Ddb.password=s3cret|-jar|x.jar|", "java|-Ddb.password=******|-jar|x.jar|");
	masked("psql|postgresql://app:s3cret@db:5432/hr|",
	       "psql|postgresql://app:******@db:5432/hr|");
	masked("curl|http://h/?user=a&token=s3cret&x=1|",
	       "curl|http://h/?user=a&token=******&x=1|");
	masked("x|--api-key=s3cret|", "x|--api-key=******|");
}

static void test_readable(void **state)
{
	static const char *const lines[] = {
		"sh|-p|-c|id|",
		"mkdir|-p|/var/www/x|",
		"mkdir|-p/var|",
		"psql|-p5432|-U|app|",
		"ssh|-p22|host|",
		"curl|http://h:80/a@b|",
		"cat|/etc/password|",
		"token|",
		"",
		"|||",
		"mysql|",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		masked(lines[i], lines[i]);
}

/* Cut anywhere, as the kernel may cut: what is there of the secret is covered. */
static void test_cut(void **state)
{
	const char line[] = "mysqldump\0-us\0-ps3cret";

	(void)state;
	for (size_t n = 0; n < sizeof(line); n++) {
		char buf[sizeof(line)];

		memcpy(buf, line, n);
		mask_args(buf, n);
		assert_null(memmem(buf, n, "s3", 2));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_options), cmocka_unit_test(test_commands),
		cmocka_unit_test(test_values),	cmocka_unit_test(test_readable),
		cmocka_unit_test(test_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
