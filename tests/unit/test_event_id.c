// SPDX-License-Identifier: Apache-2.0
// An id is the same whether or not it is made of the one before.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "lib/arena.h"
#include "lib/event_id.h"

#define BOOT "1f0c73b9-0000-1111-2222-333333333333"

static void is(struct event_id_lane *l, struct arena *a, uint64_t seq)
{
	char want[EVENT_ID_MAX];

	snprintf(want, sizeof(want), "1f0c73b9-bulk-%llu", (unsigned long long)seq);
	assert_string_equal(event_id(a, BOOT, "bulk", seq), want);
	assert_string_equal(event_id_next(l, a, seq), want);
}

static void test_ids(void **state)
{
	static const uint64_t begins[] = {0, 95, 99989, 1999999999989, UINT64_MAX - 40, 7};
	struct arena *a = arena_new(4096);
	struct event_id_lane l = {.boot_id = BOOT, .class = "bulk"};

	(void)state;
	for (unsigned i = 0; i < sizeof(begins) / sizeof(begins[0]); i++) {
		for (uint64_t n = 0; n < 25; n++)
			is(&l, a, begins[i] + n);
		is(&l, a, begins[i] + 24); /* the number was not used */
		is(&l, a, begins[i] + 30); /* some were lost */
		arena_reset(a);
	}
	assert_string_equal(event_id(a, "", "bulk", 1), "-bulk-1");
	assert_string_equal(event_id(a, "1f0c", "crit", UINT64_MAX),
			    "1f0c-crit-18446744073709551615");
	arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ids),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
