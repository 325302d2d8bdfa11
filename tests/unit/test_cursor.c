// SPDX-License-Identifier: Apache-2.0
// What was acknowledged is remembered; a file that is not ours is refused.
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/cursor.h"

#define BOOT "01234567-89ab-cdef-0123-456789abcdef"
#define CRIT 1
#define BULK 2

static char path[64];
static int dir;

static int setup(void **state)
{
	(void)state;
	snprintf(path, sizeof(path), "/tmp/rollcall.cursor.XXXXXX");
	if (!mkdtemp(path))
		return -1;
	dir = open(path, O_RDONLY | O_DIRECTORY);
	return dir < 0;
}

static int teardown(void **state)
{
	(void)state;
	unlinkat(dir, "cursor", 0);
	close(dir);
	return rmdir(path);
}

static void cursor_survives_and_refuses(void **state)
{
	struct cursor c = {}, d;
	int fd;

	(void)state;
	cursor_set(&c, BOOT, CRIT, 7);
	cursor_set(&c, BOOT, BULK, 9);
	cursor_set(&c, BOOT, CRIT, 8);
	assert_int_equal(cursor_write(dir, &c), 0);
	assert_int_equal(cursor_read(dir, &d), 0);
	assert_int_equal(cursor_get(&d, BOOT, CRIT), 8);
	assert_int_equal(cursor_get(&d, BOOT, BULK), 9);
	assert_int_equal(cursor_get(&d, "other", BULK), 0);
	for (unsigned i = 0; i < 2 * CURSOR_MAX; i++) {
		char boot[37];

		snprintf(boot, sizeof(boot), "%08x-89ab-cdef-0123-456789abcdef", i);
		cursor_set(&c, boot, CRIT, i + 1);
	}
	assert_int_equal(c.n, CURSOR_MAX);
	assert_int_equal(cursor_get(&c, BOOT, CRIT), 0); /* the oldest is forgotten */
	fd = openat(dir, "cursor", O_WRONLY | O_TRUNC);
	assert_int_equal(write(fd, "nonsense\n", 9), 9);
	close(fd);
	assert_int_equal(cursor_read(dir, &d), -EBADMSG);
	unlinkat(dir, "cursor", 0);
	assert_int_equal(symlinkat("/etc/passwd", dir, "cursor"), 0);
	assert_true(cursor_read(dir, &d) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(cursor_survives_and_refuses, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
