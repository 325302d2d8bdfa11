// SPDX-License-Identifier: Apache-2.0
// The client's half of the MySQL protocol, as the server reads it and cut at every byte: login,
// commands, files, authentication in the middle; joined midway; compressed. The packets are those
// of the MariaDB manual, "Client/Server Protocol".
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "support/mysql_twin.h"
#include "support/wire.h"

#define LOGIN_SIZE 80

static const struct twin_command *command(unsigned i)
{
	assert_true(i < twin.n_commands);
	return &twin.commands[i];
}

static struct wire packet(const char *bytes, size_t n, uint8_t seq)
{
	struct wire w = {.seq = seq};

	wire_my(&w, bytes, n, n);
	return w;
}

/* As sql/net_serv.cc reads a packet: its header, then its body. */
static void client_reads(const char *bytes, size_t n, uint8_t seq)
{
	struct wire w = packet(bytes, n, seq);

	twin_client(w.bytes, MY_HEADER, MY_HEADER);
	if (n)
		twin_client(w.bytes + MY_HEADER, n, n);
	free(w.bytes);
}

static void client_command(const char *bytes, size_t n)
{
	client_reads(bytes, n, 0);
}

static void server_ok(void)
{
	struct wire w = {.seq = 1};

	wire_my_ok(&w, 0, 0, 0);
	twin_server(w.bytes, w.n);
	free(w.bytes);
}

static void greeted(void)
{
	twin_begin();
	twin.s.phase = MY_AUTH;
	twin.s.client.phase = MY_CLIENT_LOGIN;
}

static void test_login(void **state)
{
	static const char login[LOGIN_SIZE] = "caps", switched[] = "\xfemysql_native_password";
	struct wire w = packet(switched, sizeof(switched), 2);

	(void)state;
	greeted();
	client_reads(login, LOGIN_SIZE, 1);
	assert_int_equal(twin.n_commands, 1);
	assert_int_equal(command(0)->code, COM_LOGIN);
	assert_int_equal(command(0)->group, 0);
	assert_int_equal(command(0)->told, LOGIN_SIZE);
	assert_int_equal(command(0)->length, LOGIN_SIZE);
	/* Another plugin; what the client answers is nobody's business. */
	twin_server(w.bytes, w.n);
	client_reads("12345678901234567890", 20, 3);
	assert_int_equal(twin.n_commands, 1);
	server_ok();
	assert_int_equal(twin.n_ends, 0);
	client_command("\3select 1", 9);
	assert_int_equal(command(1)->code, COM_QUERY);
	assert_int_equal(command(1)->group, 1);
	assert_string_equal(command(1)->head, "select 1");
	assert_int_equal(twin.s.phase, MY_FIRST);
	free(w.bytes);
}

/* What a proxy puts in front of a login: a line that is read by the byte, or a binary header. */
static void test_proxy(void **state)
{
	static const char line[] = "PROXY TCP4 192.0.2.1 192.0.2.2 4711 3306\r\n";

	(void)state;
	greeted();
	twin_client("\r\n\r\n", 4, 4);
	twin_client("\0\r\nQUIT\n\x21\x11\0\x0c", 12, 12);
	twin_client("123412341212", 12, 12);
	client_reads("caps", 4, 1);
	assert_string_equal(command(0)->head, "caps");
	greeted();
	twin_client(line, 4, 4);
	for (unsigned i = 4; i < sizeof(line) - 1; i++)
		twin_client(line + i, 1, 1);
	client_reads("caps", 4, 1);
	assert_int_equal(twin.n_commands, 1);
	assert_string_equal(command(0)->head, "caps");
	server_ok();
	client_command("\3select 2", 9);
	assert_string_equal(command(twin.n_commands - 1)->head, "select 2");
	assert_int_equal(twin.s.group, 1);
}

static void answered(void)
{
	twin_begin();
	twin_command(COM_QUERY);
	server_ok();
}

/* Every byte its own read, as a slow client makes the server do. */
static void test_bytewise(void **state)
{
	struct wire w = packet("\3select name", 12, 0);

	(void)state;
	for (size_t cut = 1; cut < w.n; cut++) {
		answered();
		twin_client(w.bytes, w.n, cut);
		twin_client(w.bytes + cut, w.n - cut, w.n - cut);
		assert_int_equal(twin.n_commands, 1);
		assert_int_equal(command(0)->told, 11);
		assert_string_equal(command(0)->head, "select name");
	}
	answered();
	for (size_t i = 0; i < w.n; i++)
		twin_client(w.bytes + i, w.n - i, 1);
	assert_int_equal(twin.n_commands, 1);
	assert_string_equal(command(0)->head, "select name");
	assert_int_equal(twin.s.group, 2);
	free(w.bytes);
}

/* Long texts are told up to a bound, in pieces; parameters are not told. */
static void test_bounds(void **state)
{
	static const size_t sizes[] = {1, 4095, 4096, 4097, 65535, 65536, 65537, 100000, 0x1000001};
	struct wire w = {};

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		size_t told = sizes[i] < MY_TEXT_MAX ? sizes[i] : MY_TEXT_MAX;

		w.n = w.seq = 0;
		wire_my(&w, "\3select", 7, 1 + sizes[i]);
		w.seq = 0;
		wire_my(&w, "\1", 1, 1); /* quit */
		answered();
		twin_client(w.bytes, 0, w.n);
		assert_int_equal(twin.n_commands, 2);
		assert_int_equal(command(0)->told, told);
		assert_int_equal(command(0)->length, told);
		assert_int_equal(command(1)->code, COM_QUIT);
		assert_int_equal(command(1)->told, 0);
	}
	w.n = w.seq = 0;
	wire_my(&w, "\x17\1\2\3\4parameters", 15, 15);
	answered();
	twin_client(w.bytes, 0, w.n);
	assert_int_equal(command(0)->code, COM_STMT_EXECUTE);
	assert_memory_equal(command(0)->head, "\1\2\3\4\0", 5);
	free(w.bytes);
}

/* LOAD DATA LOCAL: packets of a file, also with the number 0, are no commands. */
static void test_file(void **state)
{
	struct wire w = packet("\xfb/tmp/x", 7, 1), full = {};

	(void)state;
	answered();
	client_command("\3load data", 10);
	twin_server(w.bytes, w.n);
	for (unsigned i = 0; i < 300; i++)
		client_reads("\1\2\3\4\5", 5, (uint8_t)(i + 2));
	/* One that is just full, which an empty one ends. */
	full.seq = 42;
	wire_my(&full, "x", 1, MY_PACKET_MAX);
	twin_client(full.bytes, 0, full.n);
	client_reads("\3\3\3\3", 4, 0);
	client_reads("", 0, 46);
	server_ok();
	client_command("\3select 3", 9);
	assert_int_equal(twin.n_commands, 2);
	assert_string_equal(command(1)->head, "select 3");
	assert_int_equal(twin.n_ends, 2);
	free(full.bytes);
	free(w.bytes);
}

/* COM_CHANGE_USER may ask back. */
static void test_change_user(void **state)
{
	struct wire w = packet("\xfeplugin", 7, 1);

	(void)state;
	answered();
	client_command("\x11other\0\0mysql\0", 14);
	twin_server(w.bytes, w.n);
	client_reads("12345678901234567890", 20, 2);
	server_ok();
	assert_int_equal(twin.n_commands, 1);
	assert_int_equal(twin.ends[1].end, End_complete);
	assert_int_equal(twin.s.phase, MY_DONE);
	free(w.bytes);
}

/* A command that comes before the answer to the one before is complete: that was killed. */
static void test_unanswered(void **state)
{
	(void)state;
	answered();
	client_command("\3select 1", 9);
	db_result_begin(&twin.s.result);
	client_command("\3select 2", 9);
	assert_int_equal(twin.ends[1].end, End_aborted);
	assert_int_equal(twin.ends[1].group, 2);
	assert_int_equal(twin.s.group, 3);
}

static void joined(void)
{
	twin_begin();
	twin.s.phase = MY_LOST;
	twin.s.client.phase = MY_CLIENT_LOST;
	twin.s.adopted = 1;
}

/* Joined midway: only a header that was asked for alone, and just its body, begin a command. */
static void test_joined(void **state)
{
	(void)state;
	joined();
	twin_server("xxxx", 4);
	assert_int_equal(twin.s.result.bytes, 4);
	assert_int_equal(twin.s.result.doubt, 1);
	twin_client("ct name from staff", 18, 18); /* the rest of a body */
	twin_client("mmit", 4, 4);
	twin_client("\3a\0\0", 4, 4); /* a body that looks like a header */
	client_reads("12345", 5, 3);  /* of an authentication */
	assert_int_equal(twin.n_commands, 0);
	client_command("\3select 1", 9);
	assert_int_equal(twin.n_commands, 1);
	assert_string_equal(command(0)->head, "select 1");
	assert_int_equal(twin.n_ends, 1);
	assert_int_equal(twin.ends[0].doubt, 1);
	assert_int_equal(twin.ends[0].bytes, 4);
	server_ok();
	assert_int_equal(twin.n_ends, 2);
	assert_int_equal(twin.ends[1].doubt, 0);
}

/* Joined while the server waited for a header: that is found where the body is read to. */
static void test_peek(void **state)
{
	char buffer[] = "\x9\0\0\0old text";

	(void)state;
	joined();
	my_client_peek(&twin.s, (uintptr_t)buffer, 9);
	twin_client("\3select 1", 9, 9);
	assert_string_equal(command(0)->head, "select 1");
	/* Of another length, or number: it is none. */
	joined();
	my_client_peek(&twin.s, (uintptr_t)buffer, 8);
	twin_client("\3select ", 8, 8);
	buffer[3] = 1;
	my_client_peek(&twin.s, (uintptr_t)buffer, 9);
	twin_client("\3select 1", 9, 9);
	assert_int_equal(twin.n_commands, 0);
}

/* The header of a compressed packet has seven bytes; what is in it, the server unpacks. */
static void test_compressed(void **state)
{
	struct wire w = packet("\3select 1", 9, 0);

	(void)state;
	answered();
	twin_client("\x0d\0\0\0\0\0\0", 7, 7);
	assert_int_equal(twin.s.compressed, 1);
	twin_client(w.bytes, 0, w.n);
	assert_string_equal(command(0)->head, "select 1");
	/* Joined midway, as the server's own list has it. */
	joined();
	twin.s.compressed = 1;
	twin_client("name from staff", 0, 15);
	assert_int_equal(twin.n_commands, 0);
	twin_client(w.bytes, 0, w.n);
	assert_string_equal(command(0)->head, "select 1");
	/* In the middle of a packet seven bytes are seven bytes. */
	answered();
	twin_client("\7\0\0\0", 4, 4);
	twin_client("\3commit", 7, 7);
	assert_int_equal(twin.s.compressed, 0);
	assert_string_equal(command(0)->head, "commit");
	free(w.bytes);
}

/* What cannot be read: its answer counts in bytes, and the next command is found again. */
static void test_unreadable(void **state)
{
	(void)state;
	answered();
	walk_reads = 0;
	twin_client("\1\0\0\0", 4, 4);
	walk_reads = -1u;
	twin_client("\1", 1, 1);
	server_ok();
	assert_int_equal(walk_misses, 1);
	assert_int_equal(twin.n_ends, 1);
	assert_int_equal(twin.s.result.doubt, 2);
	client_command("\3select 1", 9);
	assert_int_equal(twin.n_ends, 2);
	assert_string_equal(command(0)->head, "select 1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_login),	   cmocka_unit_test(test_proxy),
		cmocka_unit_test(test_bytewise),   cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_file),	   cmocka_unit_test(test_change_user),
		cmocka_unit_test(test_unanswered), cmocka_unit_test(test_joined),
		cmocka_unit_test(test_peek),	   cmocka_unit_test(test_compressed),
		cmocka_unit_test(test_unreadable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
