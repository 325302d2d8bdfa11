// SPDX-License-Identifier: Apache-2.0
// Addresses of peers: what is taken apart, and what is refused.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/hostport.h"

static void taken(void **state)
{
	static const struct {
		const char *text, *host;
		uint16_t port;
	} cases[] = {
		{"soc.example.org:4750", "soc.example.org", 4750},
		{"192.0.2.1:1", "192.0.2.1", 1},
		{"[2001:db8::1]:65535", "2001:db8::1", 65535},
		{"[::ffff:192.0.2.1]:4750", "::ffff:192.0.2.1", 4750},
		{"localhost:04750", "localhost", 4750},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct hostport h;

		assert_int_equal(hostport_parse(cases[i].text, &h), 0);
		assert_string_equal(h.host, cases[i].host);
		assert_int_equal(h.port, cases[i].port);
	}
}

static void refused(void **state)
{
	static const char *const cases[] = {
		"",
		"soc",
		":4750",
		"soc:",
		"soc:0",
		"soc:65536",
		"soc:-1",
		"soc: 4750",
		"soc:+4750",
		"soc:4750 ",
		"soc:4750x",
		"soc:0x10",
		"soc:http",
		"2001:db8::1",
		"2001:db8::1:4750",
		"[2001:db8::1]",
		"[2001:db8::1]4",
		"[]:4750",
		"[soc]:4750",
		"[192.0.2.1]:4750",
		"[::1:4750",
		"::1]:4750",
		"https://soc:4750",
		"soc example:4750",
		"soc/x:4750",
		"soc:99999999999999999999",
		"[[::1]]:4750",
		"s\xc3\xb6:4750",
	};
	char name[300];
	struct hostport h = {.port = 7};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (hostport_parse(cases[i], &h) != -EINVAL)
			fail_msg("'%s' was taken", cases[i]);
	memset(name, 'a', sizeof(name));
	strcpy(name + 254, ":1");
	assert_int_equal(hostport_parse(name, &h), -EINVAL);
	assert_int_equal(h.port, 7);
	strcpy(name + 253, ":1");
	assert_int_equal(hostport_parse(name, &h), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(taken),
		cmocka_unit_test(refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
