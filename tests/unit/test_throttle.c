// links: user/sensor/throttle.c
// SPDX-License-Identifier: Apache-2.0
// When a throttled session is throttled no more, from what the kernel's counters say at each look.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sensor/throttle.h"

static uint64_t counters[8]; /* of sessions 0 to 7; 0: the kernel has forgotten it */

static int rate(void *ctx, uint32_t session, struct session_rate *ret)
{
	(void)ctx;
	if (session >= 8 || !counters[session])
		return -ENOENT;
	ret->throttled = counters[session];
	return 0;
}

/* Sessions that ended at this look, as a number in base ten. */
static unsigned look(struct throttles *t)
{
	struct throttle gone;
	unsigned at = 0, ended = 0;

	while (throttle_ended(t, &at, rate, NULL, &gone))
		ended = ended * 10 + gone.session;
	return ended;
}

static void test_end(void **state)
{
	struct throttles t = {};

	(void)state;
	memset(counters, 0, sizeof(counters));
	counters[1] = 100;
	counters[2] = 5;
	throttle_began(&t, 1, 1000);
	throttle_began(&t, 2, 1000);
	throttle_began(&t, 1, 1000); /* known already */
	assert_int_equal(look(&t), 0);
	counters[1] = 200;
	assert_int_equal(look(&t), 2);
	assert_int_equal(look(&t), 1);
	assert_int_equal(look(&t), 0);
	assert_int_equal(t.n, 0);
}

/* What the kernel's table had no more room for has ended, too. */
static void test_forgotten(void **state)
{
	struct throttles t = {};
	struct throttle gone;
	unsigned at = 0;

	(void)state;
	memset(counters, 0, sizeof(counters));
	counters[3] = 7;
	throttle_began(&t, 3, 50);
	assert_int_equal(look(&t), 0);
	counters[3] = 0;
	assert_int_equal(throttle_ended(&t, &at, rate, NULL, &gone), 1);
	assert_int_equal(gone.session, 3);
	assert_int_equal(gone.limit, 50);
	assert_int_equal(gone.throttled, 7);
}

static void test_full(void **state)
{
	struct throttles t = {};

	(void)state;
	for (uint32_t i = 0; i < THROTTLES_MAX + 10; i++)
		throttle_began(&t, 100 + i, 1);
	assert_int_equal(t.n, THROTTLES_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_end),
		cmocka_unit_test(test_forgotten),
		cmocka_unit_test(test_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
