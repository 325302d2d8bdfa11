// SPDX-License-Identifier: Apache-2.0
// The PostgreSQL walker against streams made by hand, whole and cut at every byte. The messages
// are those of the manual, "Frontend/Backend Protocol: Message Formats".
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "support/pg_twin.h"
#include "support/wire.h"

static const struct walk_end *end(unsigned i)
{
	assert_true(i < twin.n_ends);
	return &twin.ends[i];
}

static void ready(struct wire *w)
{
	wire_pg(w, 'Z', "I", 1);
}

static void columns(struct wire *w)
{
	wire_pg(w, 'T', NULL, 60);
}

static void rows(struct wire *w, unsigned n, size_t size)
{
	while (n--)
		wire_pg(w, 'D', NULL, size);
}

static void complete(struct wire *w, const char *tag)
{
	wire_pg(w, 'C', tag, strlen(tag) + 1);
}

/* A startup packet of protocol 3.0, so that the session is known from its beginning. */
static void startup(void)
{
	struct wire w = {};

	wire_be32(&w, 8 + 10);
	wire_be32(&w, PG_PROTOCOL_MAJOR << 16);
	wire_put(&w, "user\0app\0", 10);
	twin_client(w.bytes, w.n);
	free(w.bytes);
}

/* The same stream in one chunk and cut into two at every byte: `verify` is asked each time. */
static void whole_and_cut(const struct wire *w, void (*verify)(void))
{
	for (size_t cut = 0; cut <= w->n; cut++) {
		twin_begin(true);
		startup();
		twin_server(w->bytes, cut);
		twin_server(w->bytes + cut, w->n - cut);
		assert_int_equal(twin.s.totals.desync, 0);
		verify();
	}
}

/* And byte by byte, as a server that writes single bytes does. */
static void byte_by_byte(const struct wire *w, void (*verify)(void))
{
	twin_begin(true);
	startup();
	for (size_t i = 0; i < w->n; i++)
		twin_server(w->bytes + i, 1);
	verify();
}

static void verify_simple(void)
{
	assert_int_equal(twin.n_ends, 1);
	assert_int_equal(end(0)->end, End_complete);
	assert_int_equal(end(0)->rows, 3);
	assert_int_equal(end(0)->copy_rows, 0);
	assert_int_equal(end(0)->bytes, 65 + 3 * 25 + 5 + 9);
	assert_int_equal(end(0)->max_row, 20);
	assert_int_equal(end(0)->group, 1);
	assert_int_equal(end(0)->index, 0);
	assert_int_equal(end(0)->doubt, 0);
	assert_string_equal(end(0)->tag, "SELECT 3");
	assert_int_equal(twin.column_bytes, 60);
	assert_int_equal(twin.s.server_group, 1);
	assert_int_equal(twin.s.server_index, 0);
	assert_int_equal(twin.s.totals.rows, 3);
}

static void test_simple(void **state)
{
	struct wire w = {};

	(void)state;
	columns(&w);
	rows(&w, 3, 20);
	complete(&w, "SELECT 3");
	ready(&w);
	whole_and_cut(&w, verify_simple);
	byte_by_byte(&w, verify_simple);
	free(w.bytes);
}

static void verify_parameters(void)
{
	static const char told[] = "application_name\0HR portal";

	assert_int_equal(twin.n_parameters, 1);
	assert_int_equal(twin.parameter.have, sizeof(told));
	assert_memory_equal(twin.parameter.body, told, sizeof(told));
	assert_int_equal(twin.n_ends, 1);
	assert_int_equal(end(0)->rows, 0);
}

/* Of all that a server reports, what the client calls itself is handed out. */
static void test_parameters(void **state)
{
	static const char set[] = "application_name\0HR portal", longer[200] = "application_name";
	struct wire w = {};

	(void)state;
	wire_pg(&w, 'S', "DateStyle\0ISO, DMY", 19);
	wire_pg(&w, 'S', longer, sizeof(longer));
	wire_pg(&w, 'S', "b\0b", 4);
	wire_pg(&w, 'S', NULL, 0);
	complete(&w, "SET");
	wire_pg(&w, 'S', set, sizeof(set));
	ready(&w);
	whole_and_cut(&w, verify_parameters);
	byte_by_byte(&w, verify_parameters);
	free(w.bytes);
}

static void verify_extended(void)
{
	assert_int_equal(twin.n_ends, 5);
	assert_int_equal(end(0)->end, End_suspended);
	assert_int_equal(end(0)->rows, 2);
	assert_int_equal(end(1)->end, End_complete);
	assert_int_equal(end(1)->rows, 1);
	assert_int_equal(end(1)->index, 1);
	assert_int_equal(end(1)->group, 1);
	assert_int_equal(end(2)->rows, 0); /* EmptyQueryResponse */
	assert_int_equal(end(3)->end, End_failed);
	assert_int_equal(end(3)->rows, 4);
	assert_int_equal(end(3)->group, 2);
	assert_int_equal(end(3)->index, 0);
	assert_int_equal(end(4)->end, End_complete);
	assert_int_equal(end(4)->rows, 0);
	assert_string_equal(end(4)->tag, "INSERT 0 5");
	assert_int_equal(end(4)->group, 3);
	assert_int_equal(twin.s.totals.rows, 7);
}

/* Portals in slices, pipelined groups, an error in the middle of rows. */
static void test_extended(void **state)
{
	struct wire w = {};

	(void)state;
	wire_pg(&w, '1', NULL, 0);
	wire_pg(&w, '2', NULL, 0);
	columns(&w);
	rows(&w, 2, 8);
	wire_pg(&w, 's', NULL, 0);
	rows(&w, 1, 8);
	complete(&w, "SELECT 1");
	wire_pg(&w, '3', NULL, 0);
	wire_pg(&w, 'I', NULL, 0);
	ready(&w);
	wire_pg(&w, '1', NULL, 0);
	wire_pg(&w, 't', NULL, 6);
	columns(&w);
	wire_pg(&w, '2', NULL, 0);
	rows(&w, 4, 0);
	wire_pg(&w, 'E', NULL, 70);
	ready(&w);
	wire_pg(&w, 'n', NULL, 0);
	complete(&w, "INSERT 0 5");
	ready(&w);
	whole_and_cut(&w, verify_extended);
	byte_by_byte(&w, verify_extended);
	free(w.bytes);
}

static void verify_copy(void)
{
	assert_int_equal(twin.n_ends, 1);
	assert_int_equal(end(0)->rows, 0);
	assert_int_equal(end(0)->copy_rows, 5);
	assert_int_equal(end(0)->max_row, 33);
	assert_string_equal(end(0)->tag, "COPY 5");
}

static void test_copy(void **state)
{
	struct wire w = {};

	(void)state;
	wire_pg(&w, 'H', NULL, 7);
	for (unsigned i = 0; i < 5; i++)
		wire_pg(&w, 'd', NULL, 29 + i);
	wire_pg(&w, 'c', NULL, 0);
	complete(&w, "COPY 5");
	ready(&w);
	whole_and_cut(&w, verify_copy);
	byte_by_byte(&w, verify_copy);
	free(w.bytes);
}

static void verify_side(void)
{
	assert_int_equal(twin.s.totals.side_bytes, 500 + 30 + 80 + 44);
	assert_int_equal(twin.n_ends, 2);
	assert_int_equal(end(0)->rows, 1);
	assert_int_equal(end(1)->end, End_failed);
}

/* Notices, notifications, errors and function results can carry data: counted apart. */
static void test_side(void **state)
{
	struct wire w = {};

	(void)state;
	wire_pg(&w, 'N', NULL, 500);
	columns(&w);
	wire_pg(&w, 'A', NULL, 30);
	rows(&w, 1, 4);
	wire_pg(&w, 'S', NULL, 12);
	complete(&w, "SELECT 1");
	wire_pg(&w, 'E', NULL, 80 + 44);
	ready(&w);
	whole_and_cut(&w, verify_side);
	free(w.bytes);
}

/* One row of 20 MiB, in chunks of a socket buffer: its body is skipped without being read. */
static void test_large_row(void **state)
{
	struct wire w = {};

	(void)state;
	columns(&w);
	rows(&w, 1, 20 << 20);
	rows(&w, 1, 7);
	complete(&w, "SELECT 2");
	ready(&w);
	twin_begin(true);
	startup();
	for (size_t at = 0; at < w.n; at += 8192)
		twin_server(w.bytes + at, w.n - at < 8192 ? w.n - at : 8192);
	assert_int_equal(end(0)->rows, 2);
	assert_int_equal(end(0)->max_row, 20 << 20);
	assert_int_equal(end(0)->bytes, w.n - 6);
	free(w.bytes);
}

/* Many messages in one chunk of many windows. */
static void test_many(void **state)
{
	struct wire w = {};

	(void)state;
	columns(&w);
	rows(&w, 200000, 0);
	complete(&w, "SELECT 200000");
	ready(&w);
	twin_begin(true);
	startup();
	twin_server(w.bytes, w.n);
	assert_int_equal(twin.n_ends, 1);
	assert_int_equal(end(0)->rows, 200000);
	free(w.bytes);
}

/* The backend is killed while a row is half written: that row did not leave. */
static void test_abort(void **state)
{
	struct wire w = {};

	(void)state;
	columns(&w);
	rows(&w, 3, 100);
	twin_begin(true);
	startup();
	twin_server(w.bytes, w.n - 1);
	assert_int_equal(twin.s.result.rows, 3);
	pg_result_abort(&twin.s);
	assert_int_equal(twin.s.result.rows, 2);
	w.n = 0;
	wire_pg(&w, 'H', NULL, 7);
	wire_pg(&w, 'd', NULL, 50);
	wire_pg(&w, 'd', NULL, 50);
	twin_begin(true);
	startup();
	twin_server(w.bytes, w.n - 1);
	pg_result_abort(&twin.s);
	assert_int_equal(twin.s.result.copy_rows, 1);
	free(w.bytes);
}

/* What is no message ends the certainty, not the count of bytes; ReadyForQuery at the end of a
 * chunk brings it back, in the same chunk too. */
static void test_lost(void **state)
{
	struct wire w = {};
	size_t first;

	(void)state;
	columns(&w);
	rows(&w, 2, 9);
	wire_put(&w, "\xff\xff\xff\xff\xff\xff", 6);
	first = w.n;
	rows(&w, 5, 9);
	ready(&w);
	for (size_t cut = first; cut <= w.n; cut += w.n - first) {
		twin_begin(true);
		startup();
		twin_server(w.bytes, cut);
		twin_server(w.bytes + cut, w.n - cut);
		assert_int_equal(twin.s.totals.desync, 1);
		assert_int_equal(twin.n_ends, 1);
		assert_int_equal(end(0)->doubt, 1);
		assert_int_equal(end(0)->bytes, w.n);
	}
	w.n = 0;
	columns(&w);
	rows(&w, 4, 9);
	complete(&w, "SELECT 4");
	ready(&w);
	twin_server(w.bytes, w.n);
	assert_int_equal(end(1)->doubt, 0);
	assert_int_equal(end(1)->rows, 4);
	free(w.bytes);
}

/* Joined between two columns of five digits: the length of the first begins like a ParseComplete.
 */
static void test_lost_in_digits(void **state)
{
	struct wire w = {};

	(void)state;
	for (unsigned i = 0; i < 10; i++)
		wire_pg(&w, 'D',
			"\0\2\0\0\0\5"
			"12311\0\0\0\5"
			"23123",
			20);
	complete(&w, "SELECT 10");
	ready(&w);
	twin_begin(false);
	twin_server(w.bytes + 5 + 10, w.n - 15);
	assert_int_equal(end(0)->doubt, 1);
	w.n = 0;
	columns(&w);
	rows(&w, 7, 10);
	complete(&w, "SELECT 7");
	ready(&w);
	twin_server(w.bytes, w.n);
	assert_int_equal(end(1)->doubt, 0);
	assert_int_equal(end(1)->rows, 7);
	free(w.bytes);
}

/* Lengths that a message of that kind cannot have, and kinds that a server does not send. */
static void test_impossible(void **state)
{
	static const struct {
		char tag;
		uint32_t length;
	} bad[] = {{'D', 3},	{'D', 0}, {'D', 0xffffffff}, {'B', 4}, {'X', 4},   {0, 4},
		   {'\xff', 4}, {'Z', 4}, {'Z', 6},	     {'1', 5}, {'2', 3},   {'3', 1u << 20},
		   {'I', 8},	{'n', 5}, {'s', 6},	     {'c', 9}, {'C', 4000}};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct wire w = {};

		wire_byte(&w, (unsigned char)bad[i].tag);
		wire_be32(&w, bad[i].length);
		twin_begin(true);
		startup();
		twin_server(w.bytes, w.n);
		assert_int_equal(twin.s.totals.desync, 1);
		assert_int_equal(twin.s.server.phase, PG_UNSYNCED);
		free(w.bytes);
	}
}

/* A chunk that cannot be read: rows are not known any more, bytes are. */
static void test_unreadable(void **state)
{
	struct wire w = {};
	size_t first;

	(void)state;
	columns(&w);
	rows(&w, 10, 100);
	first = w.n;
	rows(&w, 300, 100);
	complete(&w, "SELECT 310");
	ready(&w);
	twin_begin(true);
	startup();
	twin_server(w.bytes, first);
	walk_reads = 1; /* the first window of three, not the second */
	twin_server(w.bytes + first, w.n - first - 20);
	walk_reads = -1u;
	assert_int_equal(walk_misses, 1);
	twin_server(w.bytes + w.n - 20, 20);
	assert_int_equal(twin.n_ends, 1);
	assert_int_equal(end(0)->doubt, 1);
	assert_int_equal(end(0)->bytes, w.n);
	free(w.bytes);
}

/* A session older than the sensor, seen first when it writes. */
static void test_adopted(void **state)
{
	struct wire w = {};

	(void)state;
	columns(&w);
	rows(&w, 4, 9);
	complete(&w, "SELECT 4");
	ready(&w);
	twin_begin(false);
	twin_server(w.bytes, w.n); /* begins with RowDescription: a boundary */
	assert_int_equal(end(0)->rows, 4);
	assert_int_equal(end(0)->doubt, 0);
	twin_begin(false);
	twin_server(w.bytes + 65, w.n - 65); /* begins with a row: in the middle of a result */
	assert_int_equal(end(0)->doubt, 1);
	assert_int_equal(end(0)->bytes, w.n - 65);
	twin_server(w.bytes, w.n);
	assert_int_equal(end(1)->rows, 4);
	assert_int_equal(end(1)->doubt, 0);
	free(w.bytes);
}

static void client_messages(struct wire *w)
{
	wire_be32(w, 8); /* answered by one raw byte */
	wire_be32(w, PG_SSL_REQUEST);
	wire_be32(w, 8 + 10);
	wire_be32(w, PG_PROTOCOL_MAJOR << 16);
	wire_put(w, "user\0app\0", 10);
	wire_pg(w, 'p', "secret", 7);
	wire_pg(w, 'Q', "select 1", 9);
	wire_pg(w, 'P', "s\0select $1", 12);
	wire_pg(w, 'B', NULL, 20);
	wire_pg(w, 'E', "\0\0\0\0", 5);
	wire_pg(w, 'E', "\0\0\0\0", 5);
	wire_pg(w, 'S', NULL, 0);
	wire_pg(w, 'Q', NULL, 3 * DB_TEXT_MAX);
}

/* The client's half: which group and index a message belongs to, and its text, at most 4 KiB. */
static void test_client(void **state)
{
	struct wire w = {};

	(void)state;
	client_messages(&w);
	for (size_t cut = 0; cut <= w.n; cut += cut < 130 ? 1 : 97) {
		twin_begin(true);
		twin_client(w.bytes, cut);
		/* A startup packet is no message: nothing is paired with it. */
		assert_int_equal(twin.s.adopted, 0);
		twin_client(w.bytes + cut, w.n - cut);
		assert_int_equal(twin.s.totals.desync, 0);
		assert_int_equal(twin.n_commands, 1 + 6); /* the password's is not among them */
		assert_int_equal(twin.command.tag, 'Q');
		assert_int_equal(twin.command.length, 3 * DB_TEXT_MAX);
		assert_int_equal(twin.command.have, DB_TEXT_MAX);
	}
	twin_begin(true);
	twin_client(w.bytes, w.n - 3 * DB_TEXT_MAX - 5);
	assert_int_equal(twin.command.tag, 'E');
	assert_int_equal(twin.command.group, 2);
	assert_int_equal(twin.command.index, 1);
	assert_int_equal(twin.s.client_group, 2);
	free(w.bytes);
}

/* First bytes that are no startup packet: the session is older than the sensor. */
static void test_client_adopted(void **state)
{
	struct wire w = {};

	(void)state;
	wire_pg(&w, 'Q', "select 1", 9);
	twin_begin(true);
	twin_client(w.bytes, w.n);
	assert_int_equal(twin.s.adopted, 1);
	assert_int_equal(twin.s.client.phase, PG_UNSYNCED);
	/* Idle: it reads again, and what it gets then begins a message. */
	twin_client(w.bytes, w.n);
	assert_int_equal(twin.n_commands, 1);
	assert_int_equal(twin.command.have, 9);
	free(w.bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_simple),	       cmocka_unit_test(test_extended),
		cmocka_unit_test(test_parameters),     cmocka_unit_test(test_copy),
		cmocka_unit_test(test_side),	       cmocka_unit_test(test_large_row),
		cmocka_unit_test(test_many),	       cmocka_unit_test(test_abort),
		cmocka_unit_test(test_lost),	       cmocka_unit_test(test_lost_in_digits),
		cmocka_unit_test(test_impossible),     cmocka_unit_test(test_unreadable),
		cmocka_unit_test(test_adopted),	       cmocka_unit_test(test_client),
		cmocka_unit_test(test_client_adopted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
