// SPDX-License-Identifier: Apache-2.0
// PostgreSQL under TLS as bpf/pg_tls.h follows it: a model of SSL_write() and of pq_recvbuf() with
// SSL_read() makes the calls, the socket refuses and takes pieces, and what the probe is told must
// be what left and what came (support/pq_twin.h).
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "support/pq_twin.h"
#include "support/wire.h"

#define RECORD	 16384
#define OVERHEAD 22

/* ---- out ---- */

static struct pg_flush flush;
static uint64_t gone; /* bytes that were told to have left */
static unsigned char sent_buffer[200000];

static void sent(long n, uint64_t given)
{
	__u64 ptr = 0, k = pg_flush_sent(&flush, n, given, &ptr);

	if (k)
		assert_int_equal(ptr, (uintptr_t)sent_buffer + gone % sizeof(sent_buffer));
	gone += k;
}

/* SSL_write() of `len` bytes, of which `from` were written before; the socket has room for `room`
 * bytes of ciphertext. True: all was written. */
static bool ssl_write(uint64_t len, uint64_t *from, uint64_t *left, uint64_t record, uint64_t room)
{
	assert_true(pg_flush_begin(&flush, (uintptr_t)sent_buffer, len));
	while (*from < len) {
		uint64_t n = len - *from < record ? len - *from : record;

		if (!*left)
			*left = n + OVERHEAD;
		if (!room) {
			sent(-11, *left);
			return false;
		}
		if (room < *left) {
			sent((long)room, *left);
			*left -= room;
			room = 0;
			continue;
		}
		sent((long)*left, *left);
		room -= *left;
		*left = 0;
		*from += n;
	}
	return true;
}

static void write_all(uint64_t len, uint64_t record, uint64_t room)
{
	uint64_t from = 0, left = 0, before = gone;

	gone = 0;
	while (!ssl_write(len, &from, &left, record, room))
		assert_true(gone <= len);
	assert_int_equal(gone, len);
	gone += before;
}

static void test_flush_whole(void **state)
{
	(void)state;
	memset(&flush, 0, sizeof(flush));
	gone = 0;
	for (unsigned i = 0; i < 100; i++)
		write_all(8192, RECORD, UINT64_MAX);
	assert_int_equal(gone, 819200);
	write_all(1, RECORD, UINT64_MAX);
	write_all(100000, RECORD, UINT64_MAX);
}

/* Refused anywhere, repeated: each byte once. A client may ask for records of 512 bytes. */
static void test_flush_refused(void **state)
{
	static const uint64_t lengths[] = {1, 6, 500, 8192, 16384, 16385, 100000};
	static const uint64_t rooms[] = {1,   5,    21,	  22,	23,    533,  534,
					 535, 8213, 8214, 8215, 16406, 40000};

	(void)state;
	memset(&flush, 0, sizeof(flush));
	for (unsigned i = 0; i < sizeof(lengths) / sizeof(*lengths); i++)
		for (unsigned k = 0; k < sizeof(rooms) / sizeof(*rooms); k++)
			for (unsigned r = 512; r <= RECORD; r *= 32)
				write_all(lengths[i], r, rooms[k]);
}

/* A walsender does not wait: what was refused is repeated with more behind it. */
static void test_flush_grows(void **state)
{
	uint64_t from = 0, left = 0;

	(void)state;
	memset(&flush, 0, sizeof(flush));
	gone = 0;
	assert_false(ssl_write(3000, &from, &left, RECORD, 0));
	assert_false(ssl_write(9000, &from, &left, RECORD, 100));
	assert_int_equal(gone, 0);
	left = 3000 + OVERHEAD - 100;
	from = 0;
	assert_true(pg_flush_begin(&flush, (uintptr_t)sent_buffer, 20000));
	sent((long)left, left);
	assert_int_equal(gone, 0);
	sent(17000 + OVERHEAD, 17000 + OVERHEAD);
	assert_int_equal(gone, 20000);
}

/* What is sent outside of a write, handshakes and alerts, is nobody's. */
static void test_flush_none(void **state)
{
	(void)state;
	memset(&flush, 0, sizeof(flush));
	gone = 0;
	sent(2000, 2000);
	sent(-11, 24);
	assert_int_equal(gone, 0);
	write_all(77, RECORD, UINT64_MAX);
	sent(24, 24);
	assert_int_equal(gone, 77);
	write_all(77, RECORD, UINT64_MAX);
}

/* A write of which a part went by, and then another one: not understood, and said so. */
static void test_flush_unseen(void **state)
{
	(void)state;
	memset(&flush, 0, sizeof(flush));
	assert_true(pg_flush_begin(&flush, 4096, 50000));
	gone = 0;
	sent(RECORD + OVERHEAD, RECORD + OVERHEAD);
	assert_false(pg_flush_begin(&flush, 4096, 8192));
}

/* ---- in ---- */

static void received(const void *bytes, size_t n)
{
	assert_true(pq_recvbuf(bytes, n));
}

static void used(size_t n)
{
	assert_true(n <= pq.length - pq.used);
	pq.used += (uint32_t)n;
}

static void answer(const char *tag)
{
	struct wire out = {};

	wire_pg(&out, 'C', tag, strlen(tag) + 1);
	wire_pg(&out, 'Z', "I", 1);
	pq_answer(out.bytes, out.n);
	free(out.bytes);
}

static void session(void)
{
	static const uint8_t packet[] = {0, 0, 0, 9, 0, 3, 0, 0, 0};

	memset(&pq, 0, sizeof(pq));
	twin_begin(true);
	twin.s.crypt = PG_TLS;
	/* The client's end of the handshake is a record of data, too; PqRecvBuffer still has
	 * SSLRequest. */
	pq.used = pq.length = 8;
	pq_received("\x17\x03\x03\x00\x35", 5, 5);
	pq_received(NULL, 0x35, 0x35);
	received(packet, sizeof(packet));
	used(sizeof(packet));
	answer("SELECT 0");
	assert_int_equal(twin.s.client.phase, PG_MESSAGES);
	assert_int_equal(twin.s.missed, 0);
	assert_int_equal(twin.n_commands, 1);
	/* Since no message preceded it: what was answered was the startup packet. */
	twin.s.server_group = 0;
	twin.n_ends = 0;
}

static void query(const char *text)
{
	struct wire w = {};

	wire_pg(&w, 'Q', text, strlen(text) + 1);
	received(w.bytes, w.n);
	used(w.n);
	answer("SELECT 1");
	free(w.bytes);
}

static void test_fill(void **state)
{
	(void)state;
	session();
	for (unsigned i = 0; i < 50; i++) {
		query(i % 2 ? "select 1" : "select 22");
		assert_string_equal((char *)twin.command.text, i % 2 ? "select 1" : "select 22");
		assert_int_equal(twin.command.group, i + 1);
	}
	assert_int_equal(twin.n_commands, 51);
	assert_int_equal(twin.s.missed, 0);
	assert_int_equal(twin.s.totals.desync, 0);
}

/* A message that goes on in the next record, with an answer between (Flush). */
static void test_fill_rest(void **state)
{
	struct wire w = {};

	(void)state;
	session();
	wire_pg(&w, 'P', "s\0select 5", 11);
	wire_pg(&w, 'H', NULL, 0);
	wire_pg(&w, 'B', "\0s\0", 3);
	wire_pg(&w, 'E', "\0\0\0\0\0", 5);
	wire_pg(&w, 'S', NULL, 0);
	received(w.bytes, 25);
	used(21);
	pq_answer("1\0\0\0\4", 5);
	used(4); /* of the B */
	received(w.bytes + 25, w.n - 25);
	used(w.n - 25);
	answer("SELECT 1");
	assert_int_equal(twin.s.missed, 0);
	assert_int_equal(twin.command.tag, 'E');
	assert_int_equal(twin.command.group, 1);
	assert_int_equal(twin.n_commands, 4);
	assert_int_equal(twin.s.totals.desync, 0);
	free(w.bytes);
}

/* Two records before an answer; a record that the buffer cannot hold: not known, until answered. */
static void test_fill_missed(void **state)
{
	struct wire w = {};

	(void)state;
	session();
	wire_pg(&w, 'P', "s\0select 5", 11);
	received(w.bytes, w.n);
	used(w.n);
	received("S\0\0\0\4", 5);
	used(5);
	answer("SELECT 1");
	assert_int_equal(twin.n_commands, 1);
	assert_int_equal(twin.s.missed, 1);
	query("select 6");
	assert_string_equal((char *)twin.command.text, "select 6");
	assert_int_equal(twin.command.group, 2);

	w.n = 0;
	wire_pg(&w, 'Q', NULL, 9000);
	received(w.bytes, w.n);
	used(PG_RECV_BUFFER);
	received(NULL, 0); /* OpenSSL has the rest: the socket is not asked */
	used(w.n - PG_RECV_BUFFER);
	answer("SELECT 1");
	assert_int_equal(twin.command.group, 2);
	query("select 7");
	assert_string_equal((char *)twin.command.text, "select 7");
	assert_int_equal(twin.command.group, 4);
	assert_int_equal(twin.s.totals.desync, 0);
	free(w.bytes);
}

/* A record that fills the buffer: there may be more of it, so nothing is certain by its end. */
static void test_fill_full(void **state)
{
	struct wire w = {};

	(void)state;
	session();
	wire_pg(&w, 'Q', NULL, PG_RECV_BUFFER - 5);
	wire_pg(&w, 'Q', "select 10", 10);
	received(w.bytes, w.n);
	used(PG_RECV_BUFFER);
	answer("SELECT 1");
	assert_int_equal(twin.s.client.phase, PG_UNSYNCED);
	received(NULL, 0);
	used(w.n - PG_RECV_BUFFER);
	answer("SELECT 1");
	assert_int_equal(twin.s.client.phase, PG_MESSAGES);
	query("select 11");
	assert_string_equal((char *)twin.command.text, "select 11");
	assert_int_equal(twin.command.group, 3);
	free(w.bytes);
}

/* An answer while a record is still coming (a notification): it is not there yet. */
static void test_fill_early(void **state)
{
	struct wire w = {};

	(void)state;
	session();
	query("select 8");
	wire_pg(&w, 'Q', "select 9", 9);
	pq.length = pq.used = 0;
	pq_received("\x17\x03\x03\x00\x1f", 5, 5);
	pq_received(w.bytes, 7, 0x1f);
	assert_int_equal(pg_fill_new(&twin.s, pq.length), pq.length);
	pq_received(w.bytes, 0x1f - 7, 0x1f - 7);
	memcpy(pq.buffer, w.bytes, w.n);
	pq.length = pq.used = (uint32_t)w.n;
	answer("SELECT 1");
	assert_string_equal((char *)twin.command.text, "select 9");
	assert_int_equal(twin.s.missed, 0);
	free(w.bytes);
}

/* ---- whether a session is encrypted ---- */

static void asks(uint32_t code)
{
	struct wire w = {};

	wire_be32(&w, 8);
	wire_be32(&w, code);
	twin_client(w.bytes, w.n);
	free(w.bytes);
}

static void test_answer(void **state)
{
	(void)state;
	twin_begin(true);
	assert_false(pg_encryption_answer(&twin.s, 'S')); /* nobody asked */
	asks(PG_GSSENC_REQUEST);
	assert_true(pg_encryption_answer(&twin.s, 'N'));
	assert_false(pg_encryption_answer(&twin.s, 'N')); /* only once */
	asks(PG_SSL_REQUEST);
	assert_true(pg_encryption_answer(&twin.s, 'S'));
	assert_int_equal(twin.s.crypt, PG_TLS);
	assert_int_equal(twin.s.client.phase, PG_STARTUP);
	twin_begin(true);
	asks(PG_GSSENC_REQUEST);
	assert_true(pg_encryption_answer(&twin.s, 'G'));
	assert_int_equal(twin.s.crypt, PG_GSS);
	twin_begin(true);
	asks(PG_SSL_REQUEST);
	assert_false(pg_encryption_answer(&twin.s, 'E')); /* the first byte of an ErrorResponse */
	assert_int_equal(twin.s.crypt, PG_CLEAR);
}

/* What the first bytes say of a session. */
static void test_begin(void **state)
{
	static const struct {
		__u8 head[2];
		bool adopted;
		__u8 crypt;
	} heads[] = {
		{{0, 0}, false, PG_CLEAR},	     {{'Q', 0}, true, PG_CLEAR},
		{{TLS_HANDSHAKE, 3}, false, PG_TLS}, {{TLS_DATA, 3}, true, PG_TLS},
		{{TLS_DATA, 0}, true, PG_CLEAR},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(heads) / sizeof(*heads); i++) {
		struct pg_session s = {};

		pg_session_begin(&s, heads[i].head);
		assert_int_equal(s.adopted, heads[i].adopted);
		assert_int_equal(s.crypt, heads[i].crypt);
		assert_int_equal(s.client.phase, heads[i].adopted ? PG_UNSYNCED : PG_STARTUP);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flush_whole),  cmocka_unit_test(test_flush_refused),
		cmocka_unit_test(test_flush_grows),  cmocka_unit_test(test_flush_none),
		cmocka_unit_test(test_flush_unseen), cmocka_unit_test(test_fill),
		cmocka_unit_test(test_fill_rest),    cmocka_unit_test(test_fill_missed),
		cmocka_unit_test(test_fill_full),    cmocka_unit_test(test_fill_early),
		cmocka_unit_test(test_answer),	     cmocka_unit_test(test_begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
