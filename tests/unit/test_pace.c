// links: user/sensor/pace.c
// SPDX-License-Identifier: Apache-2.0
// When the rings are looked at again.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "sensor/pace.h"

/* As bpf/emit.h has them: what comes so soon after a wake-up, or a look that found something, wakes
 * nobody. */
#define WAKE_EVERY 10 /* an urgent record */
#define WAKE_IDLE  20
/* Longest that such a record may lie, in milliseconds. */
#define LIES 6

/* Who sleeps is woken for each record: not before the kernel takes him to be asleep. */
static void test_idle(void **state)
{
	uint32_t quiet = 0, looks = 0;
	struct pace p;

	(void)state;
	pace_begin(&p);
	pace_looked(&p, 1, 0);
	while (p.wait_ms != PACE_ASLEEP) {
		assert_in_range(p.wait_ms, 1, PACE_IDLE_MS);
		quiet += p.wait_ms;
		looks++;
		pace_looked(&p, 0, quiet);
	}
	assert_in_range(quiet, WAKE_IDLE + PACE_IDLE_MS, 100);
	assert_in_range(looks, 1, 8);
	pace_looked(&p, 0, 1000); /* the look of each second */
	assert_int_equal(p.wait_ms, PACE_ASLEEP);
}

/* By the look of each second, or by what is done each second: there may be more. */
static void test_found(void **state)
{
	(void)state;
	for (int n = 0; n < 2; n++) {
		struct pace p = {.wait_ms = PACE_ASLEEP};

		pace_looked(&p, n, 0);
		assert_in_range(p.wait_ms, 1, PACE_BUSY_MS);
		pace_looked(&p, 0, p.wait_ms);
		assert_in_range(p.wait_ms, 1, PACE_IDLE_MS);
	}
}

static void test_busy(void **state)
{
	struct pace p;

	(void)state;
	pace_begin(&p);
	for (unsigned i = 0; i < 20; i++)
		pace_looked(&p, 100, 0);
	assert_int_equal(p.wait_ms, PACE_BUSY_MS);
	/* Woken by another: the timer's look comes soon enough. */
	assert_false(pace_woken(&p));
	assert_int_equal(p.wait_ms, PACE_BUSY_MS);
}

/* From whatever pace it is woken: no look within WAKE_EVERY lets a record lie longer than LIES. */
static void woken_check(uint32_t wait)
{
	struct pace p = {.wait_ms = wait};
	uint32_t at, gap;

	pace_woken(&p);
	at = gap = p.wait_ms;
	while (at < WAKE_EVERY) {
		assert_true(gap <= LIES);
		pace_looked(&p, 0, at);
		gap = p.wait_ms;
		at += gap;
	}
	assert_true(gap <= LIES);
}

static void test_woken(void **state)
{
	(void)state;
	for (uint32_t wait = 1; wait <= PACE_IDLE_MS; wait++)
		woken_check(wait);
	woken_check(PACE_ASLEEP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_idle),
		cmocka_unit_test(test_found),
		cmocka_unit_test(test_busy),
		cmocka_unit_test(test_woken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
