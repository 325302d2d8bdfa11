// links: user/sensor/pace.c
// SPDX-License-Identifier: Apache-2.0
// When the rings are looked at again.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "sensor/pace.h"

/* As bpf/emit.h has it: an urgent record that comes so soon after a wake-up wakes nobody. */
#define WAKE_EVERY 10
/* Longest that such a record may lie, in milliseconds. */
#define LIES 6

static void test_idle(void **state)
{
	struct pace p;

	(void)state;
	pace_begin(&p);
	for (unsigned i = 0; i < 20; i++)
		pace_looked(&p, 0);
	assert_int_equal(p.wait_ms, PACE_IDLE_MS);
	/* The first that is found may be the first of many. */
	pace_looked(&p, 1);
	assert_int_equal(p.wait_ms, 1);
}

static void test_busy(void **state)
{
	struct pace p;

	(void)state;
	pace_begin(&p);
	for (unsigned i = 0; i < 20; i++)
		pace_looked(&p, 100);
	assert_int_equal(p.wait_ms, PACE_BUSY_MS);
	/* Woken by another: the timer's look comes soon enough. */
	assert_int_equal(pace_woken(&p), 0);
	assert_int_equal(p.wait_ms, PACE_BUSY_MS);
}

/* From whatever pace it is woken: no look within WAKE_EVERY lets a record lie longer than LIES. */
static void test_woken(void **state)
{
	(void)state;
	for (uint32_t wait = 1; wait <= PACE_IDLE_MS; wait++) {
		struct pace p = {.wait_ms = wait};
		uint32_t due = pace_woken(&p), at = due ? due : wait, gap = at;

		while (at < WAKE_EVERY) {
			assert_true(gap <= LIES);
			pace_looked(&p, 0);
			gap = p.wait_ms;
			at += gap;
		}
		assert_true(gap <= LIES);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_idle),
		cmocka_unit_test(test_busy),
		cmocka_unit_test(test_woken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
