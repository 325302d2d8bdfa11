// links: user/cli/policy_install.c
// SPDX-License-Identifier: Apache-2.0
// Rules onto the disk: all of them or none, back again when they are refused, and the ones before
// kept once.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/policy_install.h"
#include "lib/sigma/fileset.h"

static char dir[32];
static char target[64];

static int begin(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/rollcall.XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(target, sizeof(target), "%s/rules", dir);
	return 0;
}

static int end(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

/* Every file below the directory with its text. */
static const char *there(void)
{
	static char text[512];
	char command[256];
	FILE *f;
	size_t n;

	snprintf(command, sizeof(command),
		 "cd %s && find . -type f -printf '%%P=' -exec cat {} \\; -printf ';' | tr ';' "
		 "'\\n' | "
		 "LC_ALL=C sort | tr -d '\\n'",
		 dir);
	f = popen(command, "re");
	assert_non_null(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	pclose(f);
	return text;
}

static struct fileset *files(const char *name, const char *text)
{
	struct fileset *s = fileset_new();

	assert_int_equal(fileset_add(s, name, name, text, strlen(text)), 0);
	return s;
}

static int install(const char *name, const char *text, bool single, struct policy_install *i)
{
	struct fileset *s = files(name, text);
	int r = policy_install(s, target, single, i);

	fileset_free(s);
	return r;
}

static void directory(void **state)
{
	struct policy_install i, other;

	(void)state;
	assert_int_equal(install("a.yml", "1 ", false, &i), 0);
	assert_string_equal(there(), "rules/a.yml=1 ");
	assert_int_equal(policy_install_undo(&i), 0);
	close(i.lock);
	assert_string_equal(there(), "");
	assert_int_equal(install("a.yml", "1 ", false, &i), 0);
	assert_int_equal(policy_install_keep(&i), 0);
	close(i.lock);
	assert_int_equal(install("sub/dir/b.yml", "2 ", false, &i), 0);
	assert_string_equal(there(), "rules.new/a.yml=1 rules/sub/dir/b.yml=2 ");
	assert_int_equal(policy_install_undo(&i), 0);
	close(i.lock);
	assert_string_equal(there(), "rules/a.yml=1 ");
	assert_int_equal(install("sub/dir/b.yml", "2 ", false, &i), 0);
	assert_int_equal(policy_install_keep(&i), 0);
	close(i.lock);
	assert_string_equal(there(), "rules.before/a.yml=1 rules/sub/dir/b.yml=2 ");
	assert_int_equal(install("c.yml", "3 ", false, &i), 0);
	assert_int_equal(policy_install_keep(&i), 0);
	assert_string_equal(there(), "rules.before/sub/dir/b.yml=2 rules/c.yml=3 ");
	/* Another command, while this one has not ended. */
	assert_int_equal(install("d.yml", "4 ", false, &other), -EAGAIN);
	close(other.lock);
	close(i.lock);
	assert_int_equal(install("d.yml", "4 ", true, &i), -EISDIR);
	close(i.lock);
	assert_string_equal(there(), "rules.before/sub/dir/b.yml=2 rules/c.yml=3 ");
}

static void file(void **state)
{
	struct policy_install i;

	(void)state;
	snprintf(target, sizeof(target), "%s/one.yml", dir);
	assert_int_equal(install("x.yml", "1 ", true, &i), 0);
	assert_int_equal(policy_install_keep(&i), 0);
	close(i.lock);
	assert_int_equal(install("y.yml", "2 ", true, &i), 0);
	assert_int_equal(policy_install_undo(&i), 0);
	close(i.lock);
	assert_string_equal(there(), "one.yml=1 ");
	assert_int_equal(install("y.yml", "2 ", true, &i), 0);
	assert_int_equal(policy_install_keep(&i), 0);
	close(i.lock);
	assert_string_equal(there(), "one.yml.before=1 one.yml=2 ");
	assert_int_equal(install("d.yml", "4 ", false, &i), -ENOTDIR);
	close(i.lock);
}

/* A name that is too long on the way: what was in force stays, nothing is left over. */
static void nothing_half(void **state)
{
	struct policy_install i;
	char name[400];

	(void)state;
	assert_int_equal(install("a.yml", "1 ", false, &i), 0);
	policy_install_keep(&i);
	close(i.lock);
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(install(name, "2 ", false, &i), -ENAMETOOLONG);
	close(i.lock);
	assert_string_equal(there(), "rules/a.yml=1 ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(directory, begin, end),
		cmocka_unit_test_setup_teardown(file, begin, end),
		cmocka_unit_test_setup_teardown(nothing_half, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
