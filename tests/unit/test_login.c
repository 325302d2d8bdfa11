// links: user/sensor/derive/login.c
// SPDX-License-Identifier: Apache-2.0
// Logins of MariaDB clients, whole and cut at every byte. The packets are those of the manual,
// "Handshake response packet" and "COM_CHANGE_USER".
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sensor/derive/login.h"
#include "sensor/derive/session.h"
#include "support/wire.h"

/* Capabilities and what follows them up to the user's name. */
static struct wire response(uint32_t capabilities)
{
	struct wire w = {};

	for (unsigned shift = 0; shift < 32; shift += 8)
		wire_byte(&w, capabilities >> shift);
	wire_put(&w, NULL, 28);
	return w;
}

static void text(struct wire *w, const char *s)
{
	wire_put(w, s, strlen(s) + 1);
}

static void lenenc(struct wire *w, const char *s)
{
	wire_byte(w, (unsigned)strlen(s));
	wire_put(w, s, strlen(s));
}

/* No cut of it is read past its end, which ASan and valgrind would see. */
static void all_cuts(const struct wire *w)
{
	for (size_t n = 0; n < w->n; n++) {
		char *body = malloc(n + 1);
		struct login l = {}, change = {};

		assert_non_null(body);
		memcpy(body, w->bytes, n);
		body = realloc(body, n ? n : 1);
		login_response(body, n, &l);
		login_change(body, n, &change);
		free(body);
	}
}

static void test_response(void **state)
{
	struct wire w = response(1 << 3 | 1 << 9 | 1 << 15 | 1 << 19 | 1 << 20 | 1 << 21);
	struct login l;

	(void)state;
	text(&w, "app");
	lenenc(&w, "12345678901234567890");
	text(&w, "mdm");
	text(&w, "mysql_native_password");
	wire_byte(&w, 4 + 4 + 13 + 6);
	lenenc(&w, "_os");
	lenenc(&w, "foo");
	lenenc(&w, "program_name");
	lenenc(&w, "mysql");
	assert_int_equal(login_response((char *)w.bytes, w.n, &l), 0);
	assert_string_equal(l.user, "app");
	assert_string_equal(l.database, "mdm");
	assert_string_equal(l.program, "mysql");
	all_cuts(&w);
	free(w.bytes);
}

static void test_no_database(void **state)
{
	struct wire w = response(1 << 9 | 1 << 15 | 1 << 19);
	struct login l;

	(void)state;
	text(&w, "app");
	lenenc(&w, "");
	text(&w, "mysql_native_password");
	assert_int_equal(login_response((char *)w.bytes, w.n, &l), 0);
	assert_string_equal(l.user, "app");
	assert_string_equal(l.database, "");
	assert_string_equal(l.program, "");
	all_cuts(&w);
	free(w.bytes);
}

/* Only a request for TLS; what follows has the login. */
static void test_tls(void **state)
{
	struct wire w = response(1 << 9 | 1 << 11);
	struct login l;

	(void)state;
	assert_int_equal(w.n, 32);
	assert_int_equal(login_response((char *)w.bytes, w.n, &l), -EAGAIN);
	text(&w, "app");
	assert_int_equal(login_response((char *)w.bytes, w.n, &l), 0);
	assert_string_equal(l.user, "app");
	free(w.bytes);
}

/* Before PROTOCOL_41, and a name that is too long for us. */
static void test_odd(void **state)
{
	struct wire w = {};
	struct login l;

	(void)state;
	wire_put(&w, "\1\0\0\0\0", 5);
	wire_put(&w, NULL, 80);
	wire_byte(&w, 0);
	assert_int_equal(login_response((char *)w.bytes, w.n, &l), 0);
	assert_int_equal(strlen(l.user), sizeof(l.user) - 1);
	assert_int_equal(login_response("", 0, &l), -EBADMSG);
	all_cuts(&w);
	free(w.bytes);
}

static void test_change(void **state)
{
	struct wire w = {};
	struct principal who = {.user = "app", .database = "mdm", .program = "mysql"};
	struct login l = {.capabilities = 1 << 15 | 1 << 21, .user = "app", .program = "mysql"};

	(void)state;
	text(&w, "other");
	lenenc(&w, "12345678901234567890");
	text(&w, "");
	assert_int_equal(login_change((char *)w.bytes, w.n, &l), 0);
	login_apply(&l, &who);
	assert_string_equal(who.user, "other");
	assert_string_equal(who.database, "");
	assert_string_equal(who.program, "mysql");
	assert_int_equal(login_change("other\0\x40", 7, &l), -EBADMSG);
	all_cuts(&w);
	free(w.bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_response), cmocka_unit_test(test_no_database),
		cmocka_unit_test(test_tls),	 cmocka_unit_test(test_odd),
		cmocka_unit_test(test_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
