// links: user/sensor/{treewatch,filewatch,watch}.c
// SPDX-License-Identifier: Apache-2.0
// Watched paths over a map that is an array here: directories that come, go and are replaced, two
// paths of one inode, lists that do not exist.
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "sensor/treewatch.h"

static struct {
	struct {
		const char *map;
		struct filewatch_key key;
		uint32_t marks;
	} has[16];
	struct {
		uint32_t bits;
		char bytes[248];
		uint32_t marks;
	} names[16]; /* of the map "watched_name" */
	unsigned n, n_names, calls;
	int fail;
	char dir[64];
} m;

static int name_set(const void *key, const void *value)
{
	unsigned i = 0;

	while (i < m.n_names && memcmp(&m.names[i], key, sizeof(uint32_t) + 248) != 0)
		i++;
	assert_non_null(value);
	m.n_names += i == m.n_names;
	memcpy(&m.names[i], key, sizeof(uint32_t) + 248);
	memcpy(&m.names[i].marks, value, sizeof(uint32_t));
	return 0;
}

static int map_set(void *ctx, const char *map, const void *key, const void *value)
{
	unsigned i = 0;

	(void)ctx;
	m.calls++;
	if (m.fail)
		return m.fail;
	if (strcmp(map, "watched_name") == 0)
		return name_set(key, value);
	while (i < m.n && (strcmp(m.has[i].map, map) != 0 ||
			   memcmp(&m.has[i].key, key, sizeof(m.has[i].key)) != 0))
		i++;
	if (!value) {
		assert_true(i < m.n);
		m.has[i] = m.has[--m.n];
		return 0;
	}
	m.n += i == m.n;
	m.has[i].map = map;
	memcpy(&m.has[i].key, key, sizeof(m.has[i].key));
	memcpy(&m.has[i].marks, value, sizeof(m.has[i].marks));
	return 0;
}

static const char *at(const char *name)
{
	static char path[4][128];
	static unsigned i;

	i = (i + 1) % 4;
	snprintf(path[i], sizeof(path[i]), "%s/%s", m.dir, name);
	return path[i];
}

static uint32_t marks_of(const char *map, const char *name)
{
	struct stat st;

	assert_int_equal(stat(at(name), &st), 0);
	for (unsigned i = 0; i < m.n; i++)
		if (strcmp(m.has[i].map, map) == 0 && m.has[i].key.ino == st.st_ino)
			return m.has[i].marks;
	return 0;
}

static uint32_t marks_of_name(const char *text, size_t len)
{
	for (unsigned i = 0; i < m.n_names; i++)
		if (m.names[i].bits == 8 * len && memcmp(m.names[i].bytes, text, len) == 0)
			return m.names[i].marks;
	return 0;
}

static bool look(struct treewatch *t, int want)
{
	bool exes = false;

	assert_int_equal(treewatch_sync(t, map_set, NULL, &exes), want);
	return exes;
}

static int setup(void **state)
{
	memset(&m, 0, sizeof(m));
	strcpy(m.dir, "/tmp/test_treewatch.XXXXXX");
	*state = treewatch_new();
	return !*state || !mkdtemp(m.dir) || mkdir(at("a"), 0755);
}

static int teardown(void **state)
{
	treewatch_free(*state);
	rmdir(at("b"));
	rmdir(at("a"));
	return rmdir(m.dir);
}

static void test_add(void **state)
{
	assert_int_equal(treewatch_add(*state, "files.web_roots", "www"), -EINVAL);
	assert_int_equal(treewatch_add(*state, "files.none", "/www"), -ENOENT);
	assert_true(treewatch_empty(*state));
	for (unsigned i = 0; i < TREEWATCH_PATHS_MAX; i++)
		assert_int_equal(treewatch_add(*state, "files.logs", "/none"), 0);
	assert_int_equal(treewatch_add(*state, "files.logs", "/none"), -ENOSPC);
	assert_false(look(*state, 0));
	assert_int_equal(treewatch_missing(*state), TREEWATCH_PATHS_MAX);
	/* They may come: what would tell of them must be there. */
	assert_false(treewatch_empty(*state));
}

/* One inode in two lists has both marks; nothing is written twice. */
static void test_marks(void **state)
{
	assert_int_equal(treewatch_add(*state, "files.web_roots", at("a")), 0);
	assert_int_equal(treewatch_add(*state, "files.config", at("a/.")), 0);
	assert_false(look(*state, 0));
	assert_int_equal(marks_of("watched_tree", "a"), 1 | 8);
	m.calls = 0;
	look(*state, 0);
	assert_int_equal(m.calls, 0);
}

/* By text: a directory's ends with a slash, a file's with its NUL; a link's own and its target's.
 */
static void test_names(void **state)
{
	char text[128];
	int fd;

	assert_int_equal(symlink(at("a"), at("b")), 0);
	fd = open(at("c"), O_WRONLY | O_CREAT, 0600);
	assert_true(fd >= 0 && close(fd) == 0);
	assert_int_equal(treewatch_add(*state, "files.web_roots", at("b")), 0);
	assert_int_equal(treewatch_add(*state, "files.secrets", at("c")), 0);
	assert_int_equal(treewatch_add(*state, "files.config", at("c")), 0);
	look(*state, 0);
	assert_int_equal(m.n_names, 3);
	snprintf(text, sizeof(text), "%s/", at("b"));
	assert_int_equal(marks_of_name(text, strlen(text)), 1);
	snprintf(text, sizeof(text), "%s/", at("a"));
	assert_int_equal(marks_of_name(text, strlen(text)), 1);
	assert_int_equal(marks_of_name(at("c"), strlen(at("c")) + 1), 2 | 8);
	assert_int_equal(unlink(at("b")) || unlink(at("c")), 0);
}

static void test_come_and_go(void **state)
{
	assert_int_equal(treewatch_add(*state, "files.secrets", at("b")), 0);
	look(*state, 0);
	assert_int_equal(m.n, 0);
	assert_int_equal(mkdir(at("b"), 0755), 0);
	look(*state, 0);
	assert_int_equal(marks_of("watched_tree", "b"), 2);
	/* Replaced: the old inode must not stay. */
	assert_int_equal(rmdir(at("b")) || rename(at("a"), at("b")), 0);
	look(*state, 0);
	assert_int_equal(m.n, 1);
	assert_int_equal(marks_of("watched_tree", "b"), 2);
	assert_int_equal(rmdir(at("b")), 0);
	look(*state, 0);
	assert_int_equal(m.n, 0);
}

static void test_executable(void **state)
{
	assert_int_equal(treewatch_add(*state, "processes.watch", at("a")), 0);
	assert_true(look(*state, 0));
	assert_int_equal(marks_of("watched_exe", "a"), 1);
	assert_int_equal(marks_of("watched_tree", "a"), 0);
	assert_false(look(*state, 0));
}

/* What the kernel refused is tried again. */
static void test_refused(void **state)
{
	assert_int_equal(treewatch_add(*state, "files.logs", at("a")), 0);
	m.fail = -E2BIG;
	look(*state, -E2BIG);
	m.fail = 0;
	look(*state, 0);
	assert_int_equal(marks_of("watched_tree", "a"), 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_add, setup, teardown),
		cmocka_unit_test_setup_teardown(test_marks, setup, teardown),
		cmocka_unit_test_setup_teardown(test_names, setup, teardown),
		cmocka_unit_test_setup_teardown(test_come_and_go, setup, teardown),
		cmocka_unit_test_setup_teardown(test_executable, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
