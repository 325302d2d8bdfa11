// SPDX-License-Identifier: Apache-2.0
// DNS messages: what the wire says is what the event says; damaged ones end, and say so.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lib/arena.h"
#include "lib/dns.h"

static struct arena *a;

static int setup(void **state)
{
	(void)state;
	a = arena_new(4096);
	return !a;
}

static int teardown(void **state)
{
	(void)state;
	arena_free(a);
	return 0;
}

/* `length` of the whole message, of which `size` bytes are there. */
static Rollcall__Dns parse(const void *bytes, size_t size, size_t length)
{
	Rollcall__Dns dns;
	/* As large as the message: a sanitizer sees every byte too many. */
	uint8_t *copy = arena_copy(a, bytes, size);

	rollcall__dns__init(&dns);
	dns.message = (ProtobufCBinaryData){size, copy};
	dns.length = (uint32_t)length;
	assert_int_equal(dns_fill(a, &dns), 0);
	assert_int_equal(dns.message.len, 0);
	return dns;
}

#define PARSE(s)     parse(s, sizeof(s) - 1, sizeof(s) - 1)
#define HEADER(n)    "\x12\x34\x81\x80\0\1\0" n "\0\0\0\0" /* of an answer with n records */
#define ASKED	     "\3www\7example\3org\0\0\1\0\1"
#define RECORD(t, n) "\xc0\x0c\0" t "\0\1\0\0\0\x3c\0" n /* for the name asked: type, length */

static void question(void **state)
{
	Rollcall__Dns d = PARSE("\xab\xcd\1\0\0\1\0\0\0\0\0\0" ASKED);

	(void)state;
	assert_string_equal(d.name, "www.example.org");
	assert_string_equal(d.type, "A");
	assert_int_equal(d.query_id, 0xabcd);
	assert_false(d.response || d.malformed || d.truncated);
	assert_int_equal(d.rcode, 0);
	assert_string_equal(d.addresses, "");
	/* With an OPT record behind, as most resolvers send. */
	d = PARSE("\xab\xcd\1\0\0\1\0\0\0\0\0\1" ASKED "\0\0\x29\4\xd0\0\0\0\0\0\0");
	assert_string_equal(d.name, "www.example.org");
	assert_false(d.malformed || d.truncated);
}

static void addresses(void **state)
{
	static const char message[] = HEADER("\4")
		ASKED RECORD("\5", "\4") "\1x\xc0\x10" RECORD("\1", "\4") "\x0a\1\2\3" RECORD(
			"\x1c",
			"\x10") "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\7" RECORD("\x10",
										"\4") "\3abc";
	Rollcall__Dns d = PARSE(message);

	(void)state;
	assert_true(d.response);
	assert_false(d.malformed || d.truncated);
	assert_int_equal(d.answers, 4);
	assert_string_equal(d.addresses, "10.1.2.3 [2001:db8::7]");
	assert_string_equal(d.names, "x.example.org");
}

static void names(void **state)
{
	static const char message[] = HEADER("\3") ASKED RECORD("\x0f", "\4") "\0\5\xc0\x0c" RECORD(
		"\x21", "\x09") "\0\1\0\2\0\x35\1s\0" RECORD("\x0c", "\1") "\0";
	Rollcall__Dns d = PARSE(message);

	(void)state;
	assert_string_equal(d.names, "www.example.org s .");
	assert_string_equal(d.addresses, "");
	assert_false(d.malformed);
}

static void no_such_name(void **state)
{
	Rollcall__Dns d = PARSE("\x12\x34\x81\x83\0\1\0\0\0\0\0\0" ASKED);

	(void)state;
	assert_int_equal(d.rcode, 3);
	assert_string_equal(d.name, "www.example.org");
	assert_false(d.malformed);
	d = PARSE("\x12\x34\x81\x81\0\0\0\0\0\0\0\0"); /* FORMERR may leave the question out */
	assert_int_equal(d.rcode, 1);
	assert_false(d.malformed);
}

static void odd_names(void **state)
{
	Rollcall__Dns d = PARSE("\0\1\1\0\0\1\0\0\0\0\0\0\4a.\0\xff\3ORG\0\xff\0\0\1");

	(void)state;
	assert_string_equal(d.name, "a\\046\\000\\255.ORG");
	assert_string_equal(d.type, "TYPE65280");
	assert_false(d.malformed);
	d = PARSE("\0\1\1\0\0\1\0\0\0\0\0\0\0\0\2\0\1");
	assert_string_equal(d.name, ".");
	assert_string_equal(d.type, "NS");
}

/* Four labels of that length each, and the root: 255 bytes are allowed. */
static Rollcall__Dns long_name(uint8_t last)
{
	uint8_t m[512] = {0, 1, 1, 0, 0, 1};
	size_t n = 12;

	for (unsigned i = 0; i < 4; i++) {
		uint8_t len = i < 3 ? 63 : last;

		m[n++] = len;
		memset(m + n, 0xff, len);
		n += len;
	}
	m[n++] = 0;
	memcpy(m + n, "\0\1\0\1", 4);
	return parse(m, n + 4, n + 4);
}

static void longest_name(void **state)
{
	Rollcall__Dns d = long_name(61);

	(void)state;
	assert_false(d.malformed);
	assert_int_equal(strlen(d.name), 4 * (63 * 3 + 61) + 3);
	assert_true(long_name(62).malformed);
}

static void malformed(void **state)
{
#define CASE(s)                                                                                    \
	{                                                                                          \
		s, sizeof(s) - 1                                                                   \
	}
	static const struct {
		const char *bytes;
		size_t size;
	} cases[] = {
		CASE(""),
		CASE("\0\1\1\0\0\1\0\0\0\0\0"),
		CASE("\0\1\1\0\0\0\0\0\0\0\0\0"),			  /* no question */
		CASE("\0\1\1\0\0\2\0\0\0\0\0\0" ASKED ASKED),		  /* two */
		CASE("\0\1\1\0\0\1\0\0\0\0\0\0"),			  /* none there */
		CASE("\0\1\1\0\0\1\0\0\0\0\0\0\3ww"),			  /* ends in a label */
		CASE("\0\1\1\0\0\1\0\0\0\0\0\0\3www\0\0\1\0"),		  /* ends in the class */
		CASE("\0\1\1\0\0\1\0\0\0\0\0\0\x40ww\0\0\1\0\1"),	  /* a label of no kind */
		CASE("\0\1\1\0\0\1\0\0\0\0\0\0\xc0\x0c\0\1\0\1"),	  /* points to itself */
		CASE("\0\1\1\0\0\1\0\0\0\0\0\0\xc0\x0e\1a\0\0\1\0\1"),	  /* forwards */
		CASE("\0\1\1\0\0\1\0\0\0\0\0\0\xc0\0\0\1\0\1"),		  /* into the header */
		CASE("\0\1\1\0\0\1\0\0\0\0\0\0\1a\xc0\x0c\0\1\0\1"),	  /* a loop */
		CASE(HEADER("\1") ASKED),				  /* no answer there */
		CASE(HEADER("\1") ASKED RECORD("\1", "\5") "\1\2\3\4\5"), /* A of five bytes */
		CASE(HEADER("\1") ASKED RECORD("\1", "\4") "\1\2\3"),	  /* longer than it is */
		CASE(HEADER("\1") ASKED RECORD("\5", "\4") "\1x\0y"),	  /* more than a name */
		CASE(HEADER("\1") ASKED RECORD("\5", "\2") "\1x\0\0"),	  /* less than a name */
		CASE(HEADER("\1") ASKED RECORD("\x0f", "\1") "\1"),	  /* MX without one */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (!parse(cases[i].bytes, cases[i].size, cases[i].size).malformed)
			fail_msg("case %zu is taken for well-formed", i);
}

/* At every place where the kernel program may have cut it. */
static void cut(void **state)
{
	static const char message[] =
		HEADER("\2") ASKED RECORD("\1", "\4") "\x0a\1\2\3" RECORD("\5", "\4") "\1x\xc0\x10";
	size_t size = sizeof(message) - 1;
	Rollcall__Dns d;

	(void)state;
	for (size_t n = 0; n < size; n++) {
		d = parse(message, n, size);
		assert_true(d.truncated);
		assert_false(d.malformed);
	}
	d = parse(message, size - 1, size);
	assert_string_equal(d.addresses, "10.1.2.3");
	assert_string_equal(d.names, "");
	d = PARSE("\x12\x34\x83\x80\0\1\0\0\0\0\0\0" ASKED); /* by the server */
	assert_true(d.truncated && !d.malformed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(question, setup, teardown),
		cmocka_unit_test_setup_teardown(addresses, setup, teardown),
		cmocka_unit_test_setup_teardown(names, setup, teardown),
		cmocka_unit_test_setup_teardown(no_such_name, setup, teardown),
		cmocka_unit_test_setup_teardown(odd_names, setup, teardown),
		cmocka_unit_test_setup_teardown(longest_name, setup, teardown),
		cmocka_unit_test_setup_teardown(malformed, setup, teardown),
		cmocka_unit_test_setup_teardown(cut, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
