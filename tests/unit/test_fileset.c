// SPDX-License-Identifier: Apache-2.0
// Files of a policy: which are read, in which order, how they are called, and their digest, which
// sha256sum must give too.
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

#include "lib/sigma/fileset.h"

static char dir[] = "/tmp/rollcall.XXXXXX";

static int begin(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int end(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

static void put(const char *name, const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "we");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void names(const struct fileset *s, char *text, size_t size)
{
	size_t n = 0;

	text[0] = '\0';
	for (const struct fileset_file *f = fileset_files(s); f; f = f->next)
		n += (size_t)snprintf(text + n, size - n, "%s=%.*s;", f->name, (int)f->size,
				      f->text);
}

static void directory(void **state)
{
	struct fileset *s = fileset_new();
	char text[256], path[128], hex[DIGEST_HEX], command[256], want[DIGEST_HEX] = "";
	FILE *f;

	(void)state;
	snprintf(path, sizeof(path), "%s/sub", dir);
	assert_int_equal(mkdir(path, 0700), 0);
	put("b.yml", "two");
	put("a.yaml", "one");
	put("sub/c.yml", "three");
	put(".hidden.yml", "no");
	put("readme.txt", "no");
	assert_int_equal(fileset_read(s, dir), 0);
	assert_null(fileset_bad(s));
	names(s, text, sizeof(text));
	assert_string_equal(text, "a.yaml=one;b.yml=two;sub/c.yml=three;");
	snprintf(path, sizeof(path), "%s/sub/c.yml", dir);
	assert_string_equal(fileset_files(s)->next->next->path, path);
	assert_int_equal(fileset_digest(s, hex), 0);
	snprintf(command, sizeof(command),
		 "cd %s && sha256sum a.yaml b.yml sub/c.yml | sha256sum | cut -c1-64", dir);
	f = popen(command, "re");
	assert_non_null(f);
	assert_non_null(fgets(want, sizeof(want), f));
	pclose(f);
	assert_string_equal(hex, want);
	fileset_free(s);
}

/* Nothing is left out: the file that cannot be read is named. */
static void unreadable(void **state)
{
	struct fileset *s = fileset_new();
	char path[128];

	(void)state;
	snprintf(path, sizeof(path), "%s/sub/a-link.yml", dir);
	assert_int_equal(symlink("/none/such", path), 0);
	assert_int_equal(fileset_read(s, dir), -ENOENT);
	assert_string_equal(fileset_bad(s), path);
	unlink(path);
	fileset_free(s);
}

static void one_file(void **state)
{
	struct fileset *s = fileset_new();
	char path[128], text[64];

	(void)state;
	put("readme.txt", "named");
	snprintf(path, sizeof(path), "%s/readme.txt", dir);
	assert_int_equal(fileset_read(s, path), 0);
	names(s, text, sizeof(text));
	assert_string_equal(text, "readme.txt=named;");
	assert_int_equal(fileset_read(s, "/dev/null"), -EINVAL);
	snprintf(path, sizeof(path), "%s/none", dir);
	assert_int_equal(fileset_read(s, path), -ENOENT);
	fileset_free(s);
}

static void limits(void **state)
{
	struct fileset *s = fileset_new();
	char *text = calloc(1, FILESET_FILE_MAX + 1);

	(void)state;
	assert_int_equal(fileset_add(s, "n", "p", text, FILESET_FILE_MAX + 1), -EFBIG);
	for (unsigned i = 0; i < FILESET_BYTES_MAX / FILESET_FILE_MAX; i++)
		assert_int_equal(fileset_add(s, "n", "p", text, FILESET_FILE_MAX), 0);
	assert_int_equal(fileset_add(s, "n", "p", text, 1), -EFBIG);
	free(text);
	fileset_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(directory),
		cmocka_unit_test(unreadable),
		cmocka_unit_test(one_file),
		cmocka_unit_test(limits),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
