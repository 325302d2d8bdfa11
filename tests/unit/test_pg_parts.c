// SPDX-License-Identifier: Apache-2.0
// Which messages of a client bpf/pg_parts.h takes for one statement in parts, and by which name.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/pg_twin.h"
#include "support/wire.h"

/* Which messages, received at once, are one statement that may be counted only. */
static void test_parts(void **state)
{
	static const struct {
		const char *tags; /* and the body of each */
		struct {
			const char *bytes;
			size_t n;
		} body[6];
		bool is;
	} each[] = {
#define PARSE {"\0select $1\0\0\0", 13}
#define BIND(name)                                                                                 \
	{                                                                                          \
		"\0" name "\0\0\0\0\0\0\0", sizeof(name) + 7                                       \
	}
#define EXECUTE                                                                                    \
	{                                                                                          \
		"\0\0\0\0\0", 5                                                                    \
	}
#define SYNC                                                                                       \
	{                                                                                          \
		"", 0                                                                              \
	}
		{"PBES", {PARSE, BIND(""), EXECUTE, SYNC}, true},
		{"PBDES", {PARSE, BIND(""), {"P\0", 2}, EXECUTE, SYNC}, true},
		{"BES", {BIND("S_1"), EXECUTE, SYNC}, true},
		{"BDES", {BIND("S_12345"), {"P\0", 2}, EXECUTE, SYNC}, true},
		{"BES", {BIND(""), EXECUTE, SYNC}, true},
		{"BES", {BIND("S_123456"), EXECUTE, SYNC}, false}, /* too long a name */
		{"BE", {BIND("S_1"), EXECUTE}, false},
		{"BS", {BIND("S_1"), SYNC}, false},
		{"ES", {EXECUTE, SYNC}, false},
		{"S", {SYNC}, false},
		{"PBES", {PARSE, BIND("S_1"), EXECUTE, SYNC}, false},
		{"PBES", {{"S_1\0select\0\0\0", 13}, BIND("S_1"), EXECUTE, SYNC}, false},
		{"BES", {{"C_1\0S_1\0\0\0\0\0\0\0", 14}, EXECUTE, SYNC}, false},
		{"BES", {BIND("S_1"), {"C_1\0\0\0\0\0", 8}, SYNC}, false},
		{"BES", {{"\0", 1}, EXECUTE, SYNC}, false},
		{"BES", {{"", 0}, EXECUTE, SYNC}, false},
		{"BEBES", {BIND("S_1"), EXECUTE, BIND("S_2"), EXECUTE, SYNC}, false},
		{"BESS", {BIND("S_1"), EXECUTE, SYNC, SYNC}, false},
		{"CBES", {{"SS_1\0", 5}, BIND("S_1"), EXECUTE, SYNC}, false},
		{"Q", {{"select 1\0", 9}}, false},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(each) / sizeof(each[0]); i++) {
		struct wire w = {};

		for (unsigned k = 0; each[i].tags[k]; k++)
			wire_pg(&w, (uint8_t)each[i].tags[k], each[i].body[k].bytes,
				each[i].body[k].n);
		/* Cut short it is none. */
		for (size_t n = each[i].is ? 1 : w.n; n <= w.n; n++) {
			twin_begin(true);
			twin.s.client.phase = PG_MESSAGES;
			twin_client(w.bytes, n);
			assert_int_equal(twin.in_parts, each[i].is && n == w.n);
		}
		free(w.bytes);
	}
}

static void test_part_names(void **state)
{
	__u64 name;

	(void)state;
	assert_true(pg_name((const __u8 *)"\0S_1\0xxx", &name));
	assert_int_equal(name, 0);
	assert_true(pg_name((const __u8 *)"S_1\0xx\0x", &name));
	assert_int_equal(name, 0x315f53);
	assert_true(pg_name((const __u8 *)"\xff\x80\x01xxxx\0", &name));
	assert_int_equal(name, 0x787878780180ff);
	assert_false(pg_name((const __u8 *)"S_123456\0", &name));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_part_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
