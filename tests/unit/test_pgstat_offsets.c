// links: user/sensor/elf.c user/sensor/postgresql_offsets.c user/sensor/pgstat_offsets.c
// SPDX-License-Identifier: Apache-2.0
// Where a server's binary keeps its counts: found in Debian's, and not in one whose structures, or
// whose code, are others.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/clean.h"
#include "sensor/elf.h"
#include "sensor/postgresql_offsets.h"

#define CODE 320

static char server[256];
static unsigned char *image;
static size_t size;

static int image_read(void **state)
{
	_cleanup_(closep) int fd = -1;
	glob_t found = {};
	struct stat st;

	(void)state;
	if (glob("/usr/lib/postgresql/15/bin/postgres", 0, NULL, &found) != 0)
		return -1;
	snprintf(server, sizeof(server), "%s", found.gl_pathv[0]);
	globfree(&found);
	fd = open(server, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -1;
	size = (size_t)st.st_size;
	image = malloc(size);
	return image && read(fd, image, size) == (ssize_t)size ? 0 : -1;
}

static int image_free(void **state)
{
	(void)state;
	free(image);
	return 0;
}

static int read_offsets(const char *path, struct postgresql_offsets *ret)
{
	struct elf *elf = NULL;
	int r = elf_open(path, &elf);

	if (r == 0)
		r = postgresql_offsets_read(elf, ret);
	elf_close(elf);
	return r;
}

static void offsets_of(const void *bytes, size_t n, struct postgresql_offsets *ret)
{
	char path[] = "/tmp/rollcall.XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0 && write(fd, bytes, n) == (ssize_t)n);
	close(fd);
	memset(ret, 0, sizeof(*ret));
	read_offsets(path, ret);
	unlink(path);
}

static void test_debian(void **state)
{
	struct postgresql_offsets o = {};

	(void)state;
	assert_int_equal(read_offsets(server, &o), 0);
	assert_true(o.stat_pending && o.track_counts && o.start_code);
	assert_int_equal(o.entry_pending, 0x18);
	/* Code is loaded below, data above it; the list is of two pointers. */
	assert_true(o.start_code < 0 && o.stat_pending > 0 && o.track_counts > 0);
	assert_int_equal((o.stat_pending - o.debug_query_string) % 8, 0);
}

/* One byte of an instruction that tells of a structure or of the list. */
static void test_other_code(void **state)
{
	static const struct {
		const char *symbol;
		unsigned char bytes[4];
		unsigned n;
	} cases[] = {
		{"pgstat_relation_delete_pending_cb", {0x48, 0x8b, 0x47, 0x18}, 4},
		{"pgstat_relation_delete_pending_cb", {0x48, 0x8b, 0x40, 0x78}, 4},
		{"pgstat_relation_flush_cb", {0xba, 0x68}, 2},
		{"pgstat_relation_flush_cb", {0x8d, 0x7c, 0x24, 0x10}, 4},
		{"RelationGetDummyIndexExpressions", {0x48, 0x8b, 0xbf, 0x38}, 4},
		{"pgstat_prep_pending_entry", {0x48, 0x8d, 0x0d}, 3},
		{"pgstat_report_stat", {0x4c, 0x8d, 0x2d}, 3},
	};
	unsigned char code[CODE];
	struct postgresql_offsets o;
	struct elf *elf = NULL;

	(void)state;
	assert_int_equal(elf_open(server, &elf), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		unsigned char *function, *at;

		assert_int_equal(elf_symbol_code(elf, cases[i].symbol, code, sizeof(code)), 0);
		function = memmem(image, size, code, sizeof(code));
		assert_non_null(function);
		at = memmem(function, CODE, cases[i].bytes, cases[i].n);
		assert_non_null(at);
		at[cases[i].n - 1] ^= 0x04;
		offsets_of(image, size, &o);
		at[cases[i].n - 1] ^= 0x04;
		assert_int_equal(o.stat_pending, 0);
		assert_true(o.debug_query_string != 0);
	}
	elf_close(elf);
	offsets_of(image, size, &o);
	assert_true(o.stat_pending != 0);
}

static void test_cut(void **state)
{
	struct postgresql_offsets o;

	(void)state;
	for (size_t n = 0; n < size; n += size / 40) {
		offsets_of(image, n, &o);
		assert_int_equal(o.stat_pending, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_debian),
		cmocka_unit_test(test_other_code),
		cmocka_unit_test(test_cut),
	};

	return cmocka_run_group_tests(tests, image_read, image_free);
}
