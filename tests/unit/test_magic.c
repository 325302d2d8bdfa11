// links: user/lib/magic.c
// SPDX-License-Identifier: Apache-2.0
// What real programs write first, cut at every length; and that no byte of it stays.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lib/arena.h"
#include "lib/magic.h"

/* The first 16 bytes of what a command writes. */
static size_t head_of(const char *command, uint8_t head[16])
{
	FILE *f = popen(command, "r");
	size_t n;

	assert_non_null(f);
	n = fread(head, 1, 16, f);
	pclose(f);
	return n;
}

static void test_real(void **state)
{
	static const struct {
		const char *command, *type;
	} cases[] = {
		{"echo staff | gzip -c", "application/gzip"},
		{"tar cz -C /etc passwd 2>/dev/null", "application/gzip"},
		{"echo staff | xz -c", "application/x-xz"},
		{"echo staff | bzip2 -c", "application/x-bzip2"},
		{"cat /bin/true", "application/x-executable"},
		{"printf '#!/bin/sh\\n:\\n'", "text/x-shellscript"},
		{"printf '<%%@ page import=\"java.io.*\" %%>'", "text/x-jsp"},
		{"echo id,name,mobile", ""},
		{"printf ''", ""},
	};
	uint8_t head[16];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t n = head_of(cases[i].command, head);

		assert_string_equal(magic_type(head, n), cases[i].type);
	}
}

/* A shorter head never reads on. */
static void test_cut(void **state)
{
	const char dump[] = "-- MySQL dump 10.19";

	(void)state;
	for (size_t n = 0; n < sizeof(dump) - 1; n++)
		assert_string_equal(magic_type((const uint8_t *)dump, n),
				    n < 13 ? "" : "application/sql");
}

static void test_fill(void **state)
{
	uint8_t head[] = {0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 61};
	Rollcall__FileWrite w;
	struct arena *a;

	(void)state;
	rollcall__file_write__init(&w);
	w.head = (ProtobufCBinaryData){sizeof(head), head};
	a = arena_new(4096);
	assert_int_equal(magic_fill(a, &w), 0);
	assert_string_equal(w.type, "application/java-vm");
	assert_int_equal(w.head.len, 0);
	assert_null(w.head.data);
	arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_real),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_fill),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
