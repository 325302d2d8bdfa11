// links: user/sensor/derive/pieces.c
// SPDX-License-Identifier: Apache-2.0
// A body in pieces: whole when all has come that is sent, short when a piece was lost.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sensor/derive/pieces.h"

#define MOST 65536

static bool add(struct pieces *p, const char *text, uint32_t offset, uint32_t length)
{
	char *bytes = strdup(text);
	ProtobufCBinaryData piece = {strlen(text), (uint8_t *)bytes};
	bool whole = pieces_add(p, &piece, offset, length, MOST);

	free(bytes);
	return whole;
}

static void test_whole(void **state)
{
	struct pieces p = {};

	(void)state;
	assert_true(add(&p, "select 1", 0, 8));
	assert_string_equal(p.data, "select 1");
	assert_false(add(&p, "sel", 0, 8));
	assert_false(add(&p, "ect", 3, 8));
	assert_true(add(&p, " 2", 6, 8));
	assert_string_equal(p.data, "select 2");
	assert_true(add(&p, "", 0, 0));
	assert_string_equal(p.data, "");
	pieces_free(&p);
	assert_null(p.data);
}

static void test_lost(void **state)
{
	struct pieces p = {};

	(void)state;
	assert_false(add(&p, "sel", 0, 8));
	assert_false(add(&p, " 2", 6, 8));
	assert_string_equal(p.data, "sel");
	assert_false(add(&p, "x", 4, 5));
	pieces_free(&p);
}

/* Grows as it comes; of a longer body only the bound is waited for, and no more is kept. */
static void test_bound(void **state)
{
	static char part[4097];
	struct pieces p = {};

	(void)state;
	memset(part, 'x', 4096);
	for (uint32_t at = 0; at < MOST; at += 4096)
		assert_int_equal(add(&p, part, at, 2 * MOST), at == MOST - 4096);
	assert_int_equal(p.len, MOST);
	assert_true(add(&p, part, MOST, 2 * MOST));
	assert_int_equal(p.len, MOST);
	assert_int_equal(p.data[MOST], '\0');
	pieces_free(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_lost),
		cmocka_unit_test(test_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
