// SPDX-License-Identifier: Apache-2.0
// The spool: what is appended is read, after crashes and damage too; bounds; the cursor.
#include <dirent.h>
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

#include "lib/clean.h"
#include "lib/cursor.h"
#include "lib/segment.h"
#include "lib/spool.h"
#include "lib/spool_read.h"

#define BOOT "01234567-89ab-cdef-0123-456789abcdef"
#define CRIT 1
#define BULK 2

static char dir[64];
static int dirfd_;

static int setup(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/rollcall.spool.XXXXXX");
	assert_non_null(mkdtemp(dir));
	dirfd_ = open(dir, O_RDONLY | O_DIRECTORY);
	return 0;
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	close(dirfd_);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

static struct spool *spool_begin(uint64_t max)
{
	const struct spool_opts opts = {
		.directory = dir, .boot_id = BOOT, .max_bytes = max, .boottime = 5000000};
	struct spool *s;

	assert_int_equal(spool_prepare(dir, getgid()), 0);
	assert_int_equal(spool_open(&opts, &s), 0);
	return s;
}

static void append(struct spool *s, uint32_t class, const char *text)
{
	assert_int_equal(spool_append(s, class, text, strlen(text)), 0);
}

static struct spool_lane *lane_begin(uint32_t class, uint64_t after)
{
	struct spool_lane_name name = {BOOT, class, 0};
	struct spool_lane *l;

	assert_int_equal(spool_lane_open(dirfd_, &name, after, &l), 0);
	return l;
}

static void expect(struct spool_lane *l, uint64_t seq, const char *text)
{
	struct spool_record r;

	assert_int_equal(spool_lane_next(l, &r), 0);
	assert_int_equal(r.seq, seq);
	assert_int_equal(r.size, strlen(text));
	assert_memory_equal(r.event, text, r.size);
}

static void expect_end(struct spool_lane *l)
{
	struct spool_record r;

	assert_int_equal(spool_lane_next(l, &r), -EAGAIN);
}

static void path_of(uint32_t class, uint64_t first, char path[256])
{
	struct segment_name n = {BOOT, class, first};
	char name[SEGMENT_NAME_MAX];

	segment_name_format(&n, name);
	snprintf(path, 256, "%s/%s", dir, name);
}

static void reads_what_was_written(void **state)
{
	struct spool *s = spool_begin(1 << 20);
	struct spool_lane *l = lane_begin(CRIT, 0);
	uint64_t first = spool_next(s, CRIT);

	(void)state;
	assert_int_equal(first, 5001); /* microseconds since boot, plus one */
	expect_end(l);
	append(s, CRIT, "one");
	append(s, BULK, "other");
	append(s, CRIT, "");
	expect_end(l); /* not flushed */
	assert_int_equal(spool_flush(s), 0);
	expect(l, first, "one");
	expect(l, first + 1, "");
	expect_end(l);
	append(s, CRIT, "three");
	assert_int_equal(spool_sync(s), 0);
	expect(l, first + 2, "three");
	spool_lane_free(l);
	l = lane_begin(CRIT, first + 1);
	expect(l, first + 2, "three");
	expect_end(l);
	spool_lane_free(l);
	spool_free(s);
}

static void goes_on_after_a_restart(void **state)
{
	struct spool *s = spool_begin(1 << 20);
	struct spool_lane *l;
	struct spool_record r;
	uint8_t chain[CHAIN_SIZE];

	(void)state;
	append(s, CRIT, "one");
	spool_free(s);
	s = spool_begin(1 << 20);
	assert_int_equal(spool_next(s, CRIT), 5002);
	append(s, CRIT, "two");
	spool_free(s);
	l = lane_begin(CRIT, 0);
	assert_int_equal(spool_lane_next(l, &r), 0);
	memcpy(chain, r.after, sizeof(chain));
	assert_int_equal(spool_lane_next(l, &r), 0);
	assert_memory_equal(chain, r.before, sizeof(chain));
	spool_lane_free(l);
}

static void one_writer(void **state)
{
	struct spool *s = spool_begin(1 << 20), *other;
	const struct spool_opts opts = {.directory = dir, .boot_id = BOOT, .max_bytes = 1 << 20};

	(void)state;
	assert_int_equal(spool_open(&opts, &other), -EAGAIN);
	spool_free(s);
}

static void torn_record_is_cut(void **state)
{
	struct spool *s = spool_begin(1 << 20);
	struct spool_lane *l = lane_begin(CRIT, 0);
	char path[256];
	struct stat st;

	(void)state;
	append(s, CRIT, "whole");
	append(s, CRIT, "cut short");
	spool_free(s);
	path_of(CRIT, 5001, path);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(truncate(path, st.st_size - 3), 0);
	expect(l, 5001, "whole");
	expect_end(l);
	s = spool_begin(1 << 20);
	assert_int_equal(spool_next(s, CRIT), 5002);
	append(s, CRIT, "again");
	spool_flush(s);
	expect(l, 5002, "again");
	assert_int_equal(spool_lane_damaged(l), 0);
	spool_lane_free(l);
	spool_free(s);
}

static void damage_is_skipped_and_counted(void **state)
{
	struct spool *s = spool_begin(1 << 20);
	struct spool_lane *l;
	char path[256];
	int fd;

	(void)state;
	append(s, CRIT, "good");
	append(s, CRIT, "flipped");
	append(s, CRIT, "behind it");
	spool_free(s);
	path_of(CRIT, 5001, path);
	fd = open(path, O_WRONLY);
	assert_int_equal(
		pwrite(fd, "X", 1,
		       sizeof(struct segment_header) + 2 * sizeof(struct segment_record) + 4 + 1),
		1);
	close(fd);
	s = spool_begin(1 << 20);
	/* Nobody knows how many were behind it: a number that cannot have been given. */
	assert_true(spool_next(s, CRIT) > 5001);
	append(s, CRIT, "fresh file");
	spool_flush(s);
	l = lane_begin(CRIT, 0);
	expect(l, 5001, "good");
	expect(l, spool_next(s, CRIT) - 1, "fresh file");
	assert_int_equal(spool_lane_damaged(l), 1);
	spool_lane_free(l);
	spool_free(s);
}

static void headers_that_are_not(void **state)
{
	struct spool *s;
	struct spool_lane *l;
	char path[256];
	int fd;

	(void)state;
	path_of(CRIT, 17, path);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	assert_int_equal(write(fd, "RCSPOOL", 7), 7);
	close(fd);
	path_of(CRIT, 18, path);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	for (int i = 0; i < 200; i++)
		assert_int_equal(write(fd, "x", 1), 1);
	close(fd);
	s = spool_begin(1 << 20);
	append(s, CRIT, "after");
	spool_flush(s);
	l = lane_begin(CRIT, 0);
	expect(l, spool_next(s, CRIT) - 1, "after");
	expect_end(l);
	spool_lane_free(l);
	spool_free(s);
}

static unsigned files(void)
{
	struct segment_name n;
	struct dirent *e;
	DIR *d = opendir(dir);
	unsigned count = 0;

	while ((e = readdir(d)))
		count += segment_name_parse(e->d_name, &n);
	closedir(d);
	return count;
}

static void fill(struct spool *s, uint32_t class, unsigned n)
{
	char text[1000];

	memset(text, 'x', sizeof(text));
	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(spool_append(s, class, text, sizeof(text)), 0);
		if (i % 8 == 7)
			assert_int_equal(spool_flush(s), 0);
	}
	assert_int_equal(spool_flush(s), 0);
}

static void trims_what_was_delivered_first(void **state)
{
	struct spool *s = spool_begin(1 << 20); /* files of 32 KiB */
	struct cursor c = {};
	struct spool_status st;
	int stream;

	(void)state;
	fill(s, CRIT, 200);
	assert_true(files() > 4);
	assert_int_equal(mkdirat(dirfd_, "stream", 0700), 0);
	stream = openat(dirfd_, "stream", O_RDONLY | O_DIRECTORY);
	cursor_set(&c, BOOT, CRIT, spool_next(s, CRIT) - 1);
	assert_int_equal(cursor_write(stream, &c), 0);
	close(stream);
	assert_int_equal(spool_trim(s, NULL, NULL), 0);
	assert_int_equal(files(), 1); /* the one being written */
	spool_status(s, &st);
	assert_int_equal(st.lanes[CRIT].trimmed, 0);
	assert_int_equal(st.lanes[CRIT].acked_seq, st.lanes[CRIT].last_seq);
	spool_free(s);
}

struct trimmed {
	uint64_t n[SEGMENT_CLASSES];
};

static void count_trimmed(void *ctx, const struct spool_trimmed *t)
{
	((struct trimmed *)ctx)->n[t->class] += t->last_seq - t->first_seq + 1;
}

static void full_means_bulk_goes_first(void **state)
{
	struct spool *s = spool_begin(1 << 20);
	struct trimmed t = {};
	struct spool_lane *l;
	struct spool_status st;
	struct spool_record r;
	uint64_t n = 0;

	(void)state;
	fill(s, CRIT, 600);
	fill(s, BULK, 600);
	assert_int_equal(spool_trim(s, count_trimmed, &t), 0);
	spool_status(s, &st);
	assert_true(st.bytes <= st.max_bytes);
	assert_true(t.n[BULK] > 100);
	assert_int_equal(t.n[CRIT], 0);
	assert_int_equal(st.lanes[BULK].trimmed, t.n[BULK]);
	l = lane_begin(BULK, 0);
	while (spool_lane_next(l, &r) == 0)
		n++;
	assert_int_equal(n, 600 - t.n[BULK]); /* what is not there was told */
	spool_lane_free(l);
	fill(s, CRIT, 1200);
	assert_int_equal(spool_trim(s, count_trimmed, &t), 0);
	spool_status(s, &st);
	assert_true(st.bytes <= st.max_bytes);
	assert_true(t.n[CRIT] > 0);
	l = lane_begin(CRIT, 0);
	for (n = 0; spool_lane_next(l, &r) == 0;)
		n++;
	assert_int_equal(n, 1800 - t.n[CRIT]);
	spool_lane_free(l);
	spool_free(s);
}

static void reader_keeps_up_with_new_files(void **state)
{
	struct spool *s = spool_begin(1 << 20);
	struct spool_lane *l = lane_begin(CRIT, 0);
	struct spool_record r;
	uint64_t n = 0, first = spool_next(s, CRIT);

	(void)state;
	for (unsigned i = 0; i < 300; i++) {
		fill(s, CRIT, 1 + i % 3);
		while (spool_lane_next(l, &r) == 0)
			assert_int_equal(r.seq, first + n++);
	}
	assert_int_equal(first + n, spool_next(s, CRIT));
	assert_true(files() > 4);
	spool_lane_free(l);
	spool_free(s);
}

static void too_large_uses_no_number(void **state)
{
	struct spool *s = spool_begin(1 << 20);
	static char text[512 * 1024];

	(void)state;
	assert_int_equal(spool_append(s, CRIT, text, sizeof(text)), -EMSGSIZE);
	assert_int_equal(spool_next(s, CRIT), 5001);
	spool_free(s);
}

static void lanes_are_listed_by_age(void **state)
{
	struct spool_opts old = {.directory = dir,
				 .boot_id = "ffffffff-89ab-cdef-0123-456789abcdef",
				 .max_bytes = 1 << 20,
				 .boottime = 1000};
	struct spool_lane_name names[8];
	struct spool *s;

	(void)state;
	assert_int_equal(spool_open(&old, &s), 0);
	append(s, BULK, "old");
	spool_free(s);
	s = spool_begin(1 << 20);
	append(s, BULK, "new");
	append(s, CRIT, "new");
	spool_free(s);
	assert_int_equal(spool_lanes(dirfd_, names, 8), 3);
	assert_string_equal(names[0].boot_id, old.boot_id);
	assert_string_equal(names[1].boot_id, BOOT);
	assert_int_equal(names[1].class, CRIT);
	assert_int_equal(names[2].class, BULK);
}

static void cursor_survives_and_refuses(void **state)
{
	struct cursor c = {}, d;
	int fd;

	(void)state;
	cursor_set(&c, BOOT, CRIT, 7);
	cursor_set(&c, BOOT, BULK, 9);
	cursor_set(&c, BOOT, CRIT, 8);
	assert_int_equal(cursor_write(dirfd_, &c), 0);
	assert_int_equal(cursor_read(dirfd_, &d), 0);
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
	fd = openat(dirfd_, "cursor", O_WRONLY | O_TRUNC);
	assert_int_equal(write(fd, "nonsense\n", 9), 9);
	close(fd);
	assert_int_equal(cursor_read(dirfd_, &d), -EBADMSG);
	unlinkat(dirfd_, "cursor", 0);
	assert_int_equal(symlinkat("/etc/passwd", dirfd_, "cursor"), 0);
	assert_true(cursor_read(dirfd_, &d) < 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(reads_what_was_written),
		T(goes_on_after_a_restart),
		T(one_writer),
		T(torn_record_is_cut),
		T(damage_is_skipped_and_counted),
		T(headers_that_are_not),
		T(trims_what_was_delivered_first),
		T(full_means_bulk_goes_first),
		T(reader_keeps_up_with_new_files),
		T(too_large_uses_no_number),
		T(lanes_are_listed_by_age),
		T(cursor_survives_and_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
