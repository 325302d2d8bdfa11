// SPDX-License-Identifier: Apache-2.0
// What is put together by hand is what protobuf-c packs; what it unpacks, is walked to its end.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "event.pb-c.h"
#include "lib/protowire.h"

static void put(void **state)
{
	static const size_t sizes[] = {1, 127, 128, 16383, 16384};
	uint8_t *ours = malloc(20000), *theirs = malloc(20000);
	char *text = calloc(1, 20000);

	(void)state;
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		Rollcall__Process p;
		size_t n;

		memset(text, 'x', sizes[i]);
		rollcall__process__init(&p);
		p.exe = text;
		n = rollcall__process__pack(&p, theirs);
		assert_int_equal(protowire_bytes(NULL, 3, text, sizes[i]), n);
		assert_int_equal(protowire_bytes(ours, 3, text, sizes[i]), n);
		assert_memory_equal(ours, theirs, n);
	}
	assert_int_equal(protowire_varint(NULL, UINT64_MAX), PROTOWIRE_VARINT_MAX);
	free(ours);
	free(theirs);
	free(text);
}

static void fields(void **state)
{
	static const uint8_t bytes[] = {
		1 << 3 | 1, 1,	  2,   3,   4,	 5, 6, 7, 8, /* 64 bits */
		2 << 3 | 2, 2,	  'h', 'i',		     /* length and bytes */
		3 << 3,	    0xff, 1,			     /* varint */
		4 << 3 | 5, 1,	  2,   3,   4,		     /* 32 bits */
		5 << 3 | 2, 0,				     /* nothing */
		6 << 3 | 2, 5,	  'c', 'u', 't',	     /* the rest is missing */
	};
	struct protowire w = {.at = bytes, .end = bytes + sizeof(bytes)};

	(void)state;
	for (uint32_t field = 1; field <= 5; field++) {
		assert_true(protowire_next(&w));
		assert_int_equal(w.field, field);
		assert_int_equal(w.data != NULL, field == 2 || field == 5);
		if (field == 2)
			assert_true(w.size == 2 && memcmp(w.data, "hi", 2) == 0);
	}
	assert_false(protowire_next(&w));
}

/* Who looks ahead must not stop before protobuf-c would. */
static void no_stricter(void **state)
{
	unsigned taken = 0;

	(void)state;
	srand(1);
	for (unsigned i = 0; i < 300000; i++) {
		uint8_t bytes[12];
		size_t n = (size_t)rand() % (sizeof(bytes) + 1);
		struct protowire w = {.at = bytes, .end = bytes + n};
		Rollcall__FileChange *m;

		for (size_t j = 0; j < n; j++)
			bytes[j] = (uint8_t)(rand() % 3 ? rand() % 128 : rand());
		m = rollcall__file_change__unpack(NULL, n, bytes);
		while (protowire_next(&w))
			;
		if (!m)
			continue;
		taken++;
		assert_ptr_equal(w.at, w.end);
		rollcall__file_change__free_unpacked(m, NULL);
	}
	assert_true(taken > 10000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(put),
		cmocka_unit_test(fields),
		cmocka_unit_test(no_stricter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
