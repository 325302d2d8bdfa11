// SPDX-License-Identifier: Apache-2.0
// The MySQL walker against answers made by hand, whole and cut at every byte. The packets are
// those of the MariaDB manual, "Client/Server Protocol".
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "support/mysql_twin.h"
#include "support/wire.h"

static const struct walk_end *end(unsigned i)
{
	assert_true(i < twin.n_ends);
	return &twin.ends[i];
}

/* Number and definitions of n columns; EOF behind them unless the client has DEPRECATE_EOF. */
static void columns(struct wire *w, unsigned n, bool eof, unsigned status)
{
	uint8_t count = (uint8_t)n;

	wire_my(w, &count, 1, 1);
	while (n--)
		wire_my(w, "\3def", 4, 40);
	if (eof)
		wire_my_eof(w, status);
}

/* A row whose first column is a text of 3 bytes. */
static void rows(struct wire *w, unsigned n, size_t size)
{
	while (n--)
		wire_my(w, "\3abc", 4, size);
}

static void whole_and_cut(enum my_command command, const struct wire *w, void (*verify)(void))
{
	for (size_t cut = 0; cut <= w->n; cut++) {
		twin_begin();
		twin_command(command);
		twin_server(w->bytes, cut);
		twin_server(w->bytes + cut, w->n - cut);
		verify();
	}
	twin_begin();
	twin_command(command);
	for (size_t i = 0; i < w->n; i++)
		twin_server(w->bytes + i, 1);
	verify();
}

static void verify_text(void)
{
	assert_int_equal(twin.n_ends, 1);
	assert_int_equal(end(0)->end, End_complete);
	assert_int_equal(end(0)->rows, 3);
	assert_int_equal(end(0)->max_row, 20);
	assert_int_equal(end(0)->group, 1);
	assert_int_equal(end(0)->index, 0);
	assert_int_equal(end(0)->doubt, 0);
	assert_int_equal(twin.column_bytes, 2 * 44);
	assert_memory_equal(twin.columns + 4, "\3def", 4);
	assert_int_equal(twin.s.phase, MY_DONE);
	assert_int_equal(twin.s.totals.rows, 3);
}

/* A text result, with EOF packets and (DEPRECATE_EOF) with an OK packet at its end. */
static void test_text(void **state)
{
	struct wire w = {.seq = 1};

	(void)state;
	columns(&w, 2, true, 0);
	rows(&w, 3, 20);
	wire_my_eof(&w, 0);
	whole_and_cut(COM_QUERY, &w, verify_text);
	assert_int_equal(end(0)->bytes, w.n);
	w.n = 0;
	columns(&w, 2, false, 0);
	rows(&w, 3, 20);
	wire_my_ok(&w, 0xfe, 0, 0);
	whole_and_cut(COM_QUERY, &w, verify_text);
	assert_int_equal(end(0)->bytes, w.n);
	free(w.bytes);
}

static void verify_empty(void)
{
	assert_int_equal(twin.n_ends, 1);
	assert_int_equal(end(0)->rows, 0);
	assert_int_equal(end(0)->end, End_complete);
}

static void test_empty(void **state)
{
	struct wire w = {.seq = 1};

	(void)state;
	columns(&w, 1, true, 0);
	wire_my_eof(&w, 0);
	whole_and_cut(COM_QUERY, &w, verify_empty);
	w.n = 0;
	columns(&w, 1, false, 0);
	wire_my_ok(&w, 0xfe, 0, 0);
	whole_and_cut(COM_QUERY, &w, verify_empty);
	free(w.bytes);
}

static void verify_ok(void)
{
	assert_int_equal(twin.n_ends, 1);
	assert_int_equal(end(0)->affected, 1000);
	assert_int_equal(end(0)->rows, 0);
}

static void test_ok(void **state)
{
	struct wire w = {.seq = 1};

	(void)state;
	wire_my_ok(&w, 0, 1000, 2);
	whole_and_cut(COM_QUERY, &w, verify_ok);
	free(w.bytes);
}

static void verify_multi(void)
{
	assert_int_equal(twin.n_ends, 4);
	assert_int_equal(end(0)->affected, 5);
	assert_int_equal(end(1)->rows, 2);
	assert_int_equal(end(1)->index, 1);
	assert_int_equal(end(2)->rows, 0);
	assert_int_equal(end(3)->end, End_failed);
	assert_int_equal(end(3)->rows, 7);
	assert_int_equal(end(3)->index, 3);
	assert_int_equal(twin.s.phase, MY_DONE);
}

/* Several results of one command; the last breaks off in the middle of its rows. */
static void test_multi(void **state)
{
	struct wire w = {.seq = 1};

	(void)state;
	wire_my_ok(&w, 0, 5, MY_STATUS_MORE_RESULTS);
	columns(&w, 1, true, MY_STATUS_MORE_RESULTS);
	rows(&w, 2, 4);
	wire_my_eof(&w, MY_STATUS_MORE_RESULTS);
	columns(&w, 3, true, 0);
	wire_my_eof(&w, MY_STATUS_MORE_RESULTS);
	columns(&w, 1, true, 0);
	rows(&w, 7, 9);
	wire_my_error(&w);
	whole_and_cut(COM_QUERY, &w, verify_multi);
	free(w.bytes);
}

static void verify_binary(void)
{
	assert_int_equal(twin.n_ends, 1);
	assert_int_equal(end(0)->rows, 5);
	assert_int_equal(end(0)->end, End_complete);
}

/* Binary rows begin with 00, as an OK packet does; NULL and long first columns with fb, fc, fd. */
static void test_rows(void **state)
{
	static const char *const firsts[] = {"\0\0", "\xfb\xfb", "\xfc\xff\x0f", "\xfd\xff\xff",
					     "\xfa"};
	struct wire w = {.seq = 1};

	(void)state;
	columns(&w, 1, true, 0);
	for (unsigned i = 0; i < 5; i++)
		wire_my(&w, firsts[i], 2, 30 + i);
	wire_my_eof(&w, 0);
	whole_and_cut(COM_STMT_EXECUTE, &w, verify_binary);
	free(w.bytes);
}

static void verify_cursor(void)
{
	assert_int_equal(twin.n_ends, 1);
	assert_int_equal(end(0)->end, End_suspended);
	assert_int_equal(end(0)->rows, 0);
}

static void verify_fetch(void)
{
	assert_int_equal(twin.n_ends, 1);
	assert_int_equal(end(0)->end, End_suspended);
	assert_int_equal(end(0)->rows, 10);
}

static void verify_fetch_last(void)
{
	assert_int_equal(twin.n_ends, 1);
	assert_int_equal(end(0)->end, End_complete);
	assert_int_equal(end(0)->rows, 4);
}

static void test_cursor(void **state)
{
	struct wire w = {.seq = 1};

	(void)state;
	columns(&w, 2, true, MY_STATUS_CURSOR);
	whole_and_cut(COM_STMT_EXECUTE, &w, verify_cursor);
	w.n = 0;
	rows(&w, 10, 30);
	wire_my_eof(&w, MY_STATUS_CURSOR);
	whole_and_cut(COM_STMT_FETCH, &w, verify_fetch);
	w.n = 0;
	rows(&w, 4, 30);
	wire_my_eof(&w, MY_STATUS_CURSOR | MY_STATUS_LAST_ROW);
	whole_and_cut(COM_STMT_FETCH, &w, verify_fetch_last);
	free(w.bytes);
}

static void verify_prepare(void)
{
	assert_int_equal(twin.n_prepared, 1);
	assert_int_equal(twin.prepared, 0x01020304);
	assert_int_equal(twin.n_ends, 0);
}

static void test_prepare(void **state)
{
	static const uint8_t answer[] = {0, 4, 3, 2, 1, 2, 0, 1, 0, 0, 0, 0};
	struct wire w = {.seq = 1};

	(void)state;
	wire_my(&w, answer, sizeof(answer), sizeof(answer));
	columns(&w, 2, true, 0); /* no rows: what follows is of no interest */
	whole_and_cut(COM_STMT_PREPARE, &w, verify_prepare);
	free(w.bytes);
}

static void verify_infile(void)
{
	assert_int_equal(twin.n_ends, 1);
	assert_int_equal(end(0)->affected, 77);
}

static void verify_progress(void)
{
	assert_int_equal(twin.n_ends, 1);
	assert_int_equal(end(0)->end, End_complete);
	assert_int_equal(end(0)->affected, 9);
}

/* LOAD DATA LOCAL asks for a file; a long ALTER TABLE reports its progress as errors 0xffff. */
static void test_interlude(void **state)
{
	struct wire w = {.seq = 1};

	(void)state;
	wire_my(&w, "\xfb/tmp/x", 7, 7);
	wire_my_ok(&w, 0, 77, 0);
	whole_and_cut(COM_QUERY, &w, verify_infile);
	w.n = 0;
	for (unsigned i = 0; i < 3; i++)
		wire_my(&w, "\xff\xff\xff\1\1\2", 6, 20);
	wire_my_ok(&w, 0, 9, 0);
	whole_and_cut(COM_QUERY, &w, verify_progress);
	free(w.bytes);
}

/* CACHE_METADATA: one byte more in the count says that no definitions follow. */
static void test_cached_metadata(void **state)
{
	struct wire w = {.seq = 1};

	(void)state;
	wire_my(&w, "\2\0", 2, 2);
	wire_my_eof(&w, 0);
	rows(&w, 3, 20);
	wire_my_eof(&w, 0);
	twin_begin();
	twin_command(COM_STMT_EXECUTE);
	twin_server(w.bytes, w.n);
	assert_int_equal(end(0)->rows, 3);
	assert_int_equal(twin.column_bytes, 0);
	free(w.bytes);
}

/* Rows of 16 MiB and more take several packets; one of a whole number of them ends with an empty
 * packet. Each is one row. A first column of that size has FE in front, as the end of rows has. */
static void test_large_rows(void **state)
{
	static const size_t sizes[] = {20 << 20, 0xffffff, 2 * 0xffffff, 0xfffffe, 5};
	struct wire w = {.seq = 1};

	(void)state;
	columns(&w, 1, true, 0);
	for (unsigned i = 0; i < 5; i++)
		wire_my(&w, sizes[i] < 0xffffff ? "\xfd\0\x10\0" : "\xfe\xff\xff\xff\1", 4,
			sizes[i]);
	wire_my_eof(&w, 0);
	twin_begin();
	twin_command(COM_QUERY);
	for (size_t at = 0; at < w.n; at += 16384)
		twin_server(w.bytes + at, w.n - at < 16384 ? w.n - at : 16384);
	assert_int_equal(twin.n_ends, 1);
	assert_int_equal(end(0)->max_row, 2 * 0xffffff);
	assert_int_equal(end(0)->bytes, w.n);
	assert_int_equal(end(0)->rows, 5);
	free(w.bytes);
}

/* Nothing is taken for an answer before there is a command, nor behind a complete answer. */
static void test_outside(void **state)
{
	struct wire w = {.seq = 1};

	(void)state;
	columns(&w, 1, true, 0);
	rows(&w, 3, 4);
	wire_my_eof(&w, 0);
	twin_begin();
	twin_server(w.bytes, w.n);
	assert_int_equal(twin.n_ends, 0);
	twin_command(COM_STMT_CLOSE); /* has no answer */
	twin_server(w.bytes, w.n);
	assert_int_equal(twin.n_ends, 0);
	twin_command(COM_QUERY);
	twin_server(w.bytes, w.n);
	twin_server(w.bytes, w.n);
	assert_int_equal(twin.n_ends, 1);
	free(w.bytes);
}

/*
 * The connection ends in the middle of an answer. A function is called with what is to be sent: of
 * the last chunk nothing is sure. A socket tells what it took: all but a row that it took in part.
 */
static void test_broken_off(void **state)
{
	static const struct {
		enum rec_tap tap;
		size_t cut;
		uint64_t rows;
	} cases[] = {
		{Tap_uprobe, 0, 6},   {Tap_uprobe, 1, 6},    {Tap_syscall, 0, 10},
		{Tap_syscall, 1, 9},  {Tap_syscall, 49, 9},  {Tap_syscall, 50, 9},
		{Tap_syscall, 54, 9}, {Tap_syscall, 108, 8}, {Tap_fexit, 55, 8},
	};
	struct wire w = {.seq = 1};

	(void)state;
	columns(&w, 1, true, 0);
	rows(&w, 10, 50);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		twin_begin();
		twin.s.tap = cases[i].tap;
		twin_command(COM_QUERY);
		twin_server(w.bytes, w.n - 54 * 4);
		twin_server(w.bytes + w.n - 54 * 4, 54 * 4 - cases[i].cut);
		my_result_abort(&twin.s);
		assert_int_equal(twin.s.result.rows, cases[i].rows);
	}
	free(w.bytes);
}

/* After a chunk that could not be read nothing is at its place until the next command: bytes only.
 */
static void test_unreadable(void **state)
{
	struct wire w = {.seq = 1};
	size_t first;

	(void)state;
	columns(&w, 1, true, 0);
	rows(&w, 10, 50);
	first = w.n;
	rows(&w, 10, 50);
	wire_my_eof(&w, 0);
	twin_begin();
	twin_command(COM_QUERY);
	twin_server(w.bytes, first);
	walk_reads = 0;
	twin_server(w.bytes + first, 54 * 5);
	walk_reads = -1u;
	twin_server(w.bytes + first + 54 * 5, w.n - first - 54 * 5);
	assert_int_equal(walk_misses, 1);
	assert_int_equal(twin.n_ends, 0);
	assert_int_equal(twin.s.result.bytes, w.n);
	assert_int_equal(twin.s.result.rows, 10); /* these did leave */
	assert_int_equal(twin.s.result.doubt, 2);
	assert_int_equal(my_end_unseen(&twin.s), End_complete);
	my_result_close(&twin.s);
	twin_command(COM_QUERY);
	twin_server(w.bytes, w.n);
	assert_int_equal(end(0)->rows, 20);
	assert_int_equal(end(0)->doubt, 0);
	/* The answer to COM_STMT_PREPARE has no rows to lose. */
	twin_command(COM_STMT_PREPARE);
	walk_reads = 0;
	twin_server(w.bytes, first);
	assert_int_equal(twin.s.phase, MY_DONE);
	free(w.bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),	   cmocka_unit_test(test_empty),
		cmocka_unit_test(test_ok),	   cmocka_unit_test(test_multi),
		cmocka_unit_test(test_rows),	   cmocka_unit_test(test_cursor),
		cmocka_unit_test(test_prepare),	   cmocka_unit_test(test_interlude),
		cmocka_unit_test(test_large_rows), cmocka_unit_test(test_cached_metadata),
		cmocka_unit_test(test_outside),	   cmocka_unit_test(test_broken_off),
		cmocka_unit_test(test_unreadable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
