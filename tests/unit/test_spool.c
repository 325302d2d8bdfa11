// SPDX-License-Identifier: Apache-2.0
// The spool: what is appended is read, after crashes and damage too; bounds.
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

#include "lib/arena.h"
#include "lib/block.h"
#include "event.pb-c.h"
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
static struct arena *a;
static uint8_t old_chain[CHAIN_SIZE];

static int setup(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/rollcall.spool.XXXXXX");
	assert_non_null(mkdtemp(dir));
	dirfd_ = open(dir, O_RDONLY | O_DIRECTORY);
	a = arena_new(65536);
	return !a;
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	arena_free(a);
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

static void append_of(struct spool *s, uint32_t class, const char *text, struct spool_process *p)
{
	uint8_t *room = NULL;

	assert_int_equal(spool_claim(s, class, strlen(text), p, &room), 0);
	memcpy(room, text, strlen(text));
}

static void append(struct spool *s, uint32_t class, const char *text)
{
	append_of(s, class, text, NULL);
}

static struct spool_lane *lane_begin(uint32_t class, uint64_t after)
{
	struct spool_lane_name name = {BOOT, class, 0};
	struct spool_lane *l;

	assert_int_equal(spool_lane_open(dirfd_, &name, after, &l), 0);
	return l;
}

/* A block of these events, with NULL after the last. */
static void expect_block(struct spool_lane *l, uint64_t seq, const char *const *texts)
{
	struct spool_block b;
	Rollcall__Block *m;
	size_t n = 0;

	assert_int_equal(spool_lane_next(l, &b), 0);
	assert_int_equal(b.seq, seq);
	m = block_open(a, b.layout, b.data, b.size);
	assert_non_null(m);
	for (; texts[n]; n++) {
		assert_true(n < m->n_event);
		assert_int_equal(m->event[n].len, strlen(texts[n]));
		assert_memory_equal(m->event[n].data, texts[n], m->event[n].len);
	}
	assert_int_equal(m->n_event, n);
	assert_int_equal(b.count, n);
}

static void expect(struct spool_lane *l, uint64_t seq, const char *text)
{
	expect_block(l, seq, (const char *const[]){text, NULL});
}

static void expect_end(struct spool_lane *l)
{
	struct spool_block b;

	assert_int_equal(spool_lane_next(l, &b), -EAGAIN);
}

/* Events up to the end. */
static uint64_t count_events(struct spool_lane *l)
{
	struct spool_block b;
	uint64_t n = 0;

	while (spool_lane_next(l, &b) == 0)
		n += b.count;
	return n;
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
	expect_block(l, first, (const char *const[]){"one", "", NULL});
	expect_end(l);
	append(s, CRIT, "three");
	assert_int_equal(spool_sync(s), 0);
	expect(l, first + 2, "three");
	spool_lane_free(l);
	l = lane_begin(CRIT, first + 1);
	expect(l, first + 2, "three");
	expect_end(l);
	spool_lane_free(l);
	l = lane_begin(CRIT, first); /* the whole block that the next is in */
	expect_block(l, first, (const char *const[]){"one", "", NULL});
	spool_lane_free(l);
	spool_free(s);
}

static void goes_on_after_a_restart(void **state)
{
	struct spool *s = spool_begin(1 << 20);
	struct spool_lane *l;
	struct spool_block r;
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

static void torn_block_is_cut(void **state)
{
	struct spool *s = spool_begin(1 << 20);
	struct spool_lane *l = lane_begin(CRIT, 0);
	char path[256];
	struct stat st;

	(void)state;
	append(s, CRIT, "whole");
	spool_flush(s);
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

static void damage_at(size_t damage)
{
	struct spool *s = spool_begin(1 << 20);
	struct spool_lane *l;
	char path[256];
	struct stat st;
	int fd;

	append(s, CRIT, "good");
	spool_flush(s);
	path_of(CRIT, 5001, path);
	assert_int_equal(stat(path, &st), 0);
	append(s, CRIT, "flipped");
	spool_flush(s);
	append(s, CRIT, "behind it");
	spool_free(s);
	fd = open(path, O_WRONLY);
	assert_int_equal(pwrite(fd, "X", 1, st.st_size + (off_t)damage), 1);
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

/* Each number before a block, and in it. */
static void damage_is_skipped_and_counted(void **state)
{
	static const size_t places[] = {
		offsetof(struct segment_block, size) + 3, offsetof(struct segment_block, crc),
		offsetof(struct segment_block, seq),	  offsetof(struct segment_block, count),
		offsetof(struct segment_block, whole),	  sizeof(struct segment_block) + 5,
	};

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		damage_at(places[i]);
		assert_int_equal(teardown(state), 0);
		assert_int_equal(setup(state), 0);
	}
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
	uint8_t *room;

	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(spool_claim(s, class, 1000, NULL, &room), 0);
		memset(room, 'x', 1000);
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
	assert_int_equal(count_events(l), 600 - t.n[BULK]); /* what is not there was told */
	spool_lane_free(l);
	fill(s, CRIT, 1200);
	assert_int_equal(spool_trim(s, count_trimmed, &t), 0);
	spool_status(s, &st);
	assert_true(st.bytes <= st.max_bytes);
	assert_true(t.n[CRIT] > 0);
	l = lane_begin(CRIT, 0);
	assert_int_equal(count_events(l), 1800 - t.n[CRIT]);
	spool_lane_free(l);
	spool_free(s);
}

static void reader_keeps_up_with_new_files(void **state)
{
	struct spool *s = spool_begin(1 << 20);
	struct spool_lane *l = lane_begin(CRIT, 0);
	struct spool_block r;
	uint64_t n = 0, first = spool_next(s, CRIT);

	(void)state;
	for (unsigned i = 0; i < 300; i++) {
		fill(s, CRIT, 1 + i % 3);
		while (spool_lane_next(l, &r) == 0) {
			assert_int_equal(r.seq, first + n);
			n += r.count;
		}
	}
	assert_int_equal(first + n, spool_next(s, CRIT));
	assert_true(files() > 4);
	spool_lane_free(l);
	spool_free(s);
}

static void too_large_uses_no_number(void **state)
{
	struct spool *s = spool_begin(1 << 20);
	struct spool_process large = {.size = 512 * 1024};
	uint8_t *room = NULL;

	(void)state;
	assert_int_equal(spool_claim(s, CRIT, 512 * 1024, NULL, &room), -EMSGSIZE);
	assert_int_equal(spool_claim(s, CRIT, 1, &large, &room), -EMSGSIZE);
	assert_null(room);
	assert_int_equal(spool_next(s, CRIT), 5001);
	spool_free(s);
}

/* In each block a process is told once, whatever was in those before and in the other class. */
static void processes_are_told_once_a_block(void **state)
{
	struct spool *s = spool_begin(64 << 20);
	struct spool_process p[3] = {};
	uint64_t n = 0, processes = 0, blocks = 0;
	struct spool_lane *l;
	struct spool_block b;
	uint8_t bytes[3][200];

	(void)state;
	for (uint32_t i = 0; i < 3; i++) {
		Rollcall__Process m;

		rollcall__process__init(&m);
		m.pid = i + 1;
		m.exe = arena_printf(a, "/usr/lib/service/program-%u", i);
		p[i].data = bytes[i];
		p[i].size = rollcall__process__pack(&m, bytes[i]);
	}
	for (unsigned i = 0; i < 10000; i++) {
		append_of(s, i % 7 ? CRIT : BULK, "12345678901234567890", &p[i % 3]);
		if (i % 100 == 0)
			assert_int_equal(spool_flush(s), 0);
	}
	spool_free(s);
	for (uint32_t class = CRIT; class <= BULK; class ++) {
		l = lane_begin(class, 0);
		for (; spool_lane_next(l, &b) == 0; blocks++) {
			Rollcall__Block *m = block_open(a, b.layout, b.data, b.size);

			assert_non_null(m);
			assert_true(m->n_process <= 3);
			assert_int_equal(b.whole, block_whole_size(m));
			processes += m->n_process;
			for (size_t i = 0; i < m->n_event; i++, n++)
				assert_true(m->process_of[i] > 0);
		}
		spool_lane_free(l);
	}
	assert_int_equal(n, 10000);
	assert_true(blocks > 100 && processes > 2 * blocks && processes <= 3 * blocks);
}

/* However many come at once: no block is too large for a batch. */
static void blocks_are_bounded(void **state)
{
	struct spool *s = spool_begin(64 << 20);
	struct spool_lane *l = lane_begin(BULK, 0);
	struct spool_process large = {.data = arena_alloc(a, 20000), .size = 20000};
	struct spool_block b;
	uint64_t n = 0;

	(void)state;
	for (unsigned i = 0; i < 5000; i++)
		append(s, BULK, "");
	fill(s, BULK, 2000);
	for (unsigned i = 0; i < 1000; i++)
		append_of(s, BULK, "", &large);
	spool_flush(s);
	for (; spool_lane_next(l, &b) == 0; n += b.count)
		assert_true(b.count <= SEGMENT_BLOCK_EVENTS && b.size <= 32 * 1024 &&
			    b.whole <= SEGMENT_BLOCK_WHOLE);
	assert_int_equal(n, 8000);
	spool_lane_free(l);
	spool_free(s);
}

/* As the version before wrote it: a header of version 1, one event in each record. */
static void old_file(const char *const *texts)
{
	struct segment_header h = {.class = CRIT, .first_seq = 5001, .created = 1};
	struct chain *chain = chain_new();
	uint64_t seq = h.first_seq;
	char path[256];
	FILE *f;

	path_of(CRIT, h.first_seq, path);
	f = fopen(path, "w");
	memcpy(h.boot_id, BOOT, sizeof(h.boot_id));
	segment_header_seal(&h);
	h.version = 1;
	h.crc = segment_crc(NULL, 0, &h, offsetof(struct segment_header, crc));
	fwrite(&h, sizeof(h), 1, f);
	for (; *texts; texts++, seq++) {
		struct segment_block b = {.size = (uint32_t)strlen(*texts), .seq = seq};

		b.crc = segment_crc(&seq, sizeof(seq), *texts, b.size);
		fwrite(&b, 16, 1, f);
		fwrite(*texts, b.size, 1, f);
		chain_next(chain, h.chain, CRIT, seq, *texts, b.size);
	}
	fclose(f);
	chain_free(chain);
	memcpy(old_chain, h.chain, CHAIN_SIZE);
}

/* After an upgrade within a boot: delivered, and gone on with in another file. */
static void what_an_older_version_left(void **state)
{
	struct spool *s;
	struct spool_lane *l = lane_begin(CRIT, 0);
	struct spool_block b;

	(void)state;
	old_file((const char *const[]){"old", "older", NULL});
	s = spool_begin(1 << 20);
	assert_int_equal(spool_next(s, CRIT), 5003);
	append(s, CRIT, "new");
	append(s, CRIT, "newer");
	spool_flush(s);
	assert_int_equal(files(), 2);
	assert_int_equal(spool_lane_next(l, &b), 0);
	assert_int_equal(b.layout, ROLLCALL__LAYOUT__events);
	assert_int_equal(b.count, 1);
	assert_memory_equal(b.data, "old", 3);
	expect(l, 5002, "older");
	assert_int_equal(spool_lane_next(l, &b), 0);
	assert_int_equal(b.layout, ROLLCALL__LAYOUT__blocks);
	assert_int_equal(b.seq, 5003);
	assert_memory_equal(b.before, old_chain, CHAIN_SIZE);
	assert_int_equal(spool_lane_damaged(l), 0);
	spool_lane_free(l);
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

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(reads_what_was_written),
		T(goes_on_after_a_restart),
		T(one_writer),
		T(torn_block_is_cut),
		T(damage_is_skipped_and_counted),
		T(headers_that_are_not),
		T(trims_what_was_delivered_first),
		T(full_means_bulk_goes_first),
		T(reader_keeps_up_with_new_files),
		T(too_large_uses_no_number),
		T(processes_are_told_once_a_block),
		T(blocks_are_bounded),
		T(what_an_older_version_left),
		T(lanes_are_listed_by_age),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
