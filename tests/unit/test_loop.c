// links: user/lib/loop.c
// SPDX-License-Identifier: Apache-2.0
// The event loop's timers: none fires early, and each is slept for once.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sys/resource.h>
#include <time.h>

#include "lib/loop.h"

#define TIMERS	 40
#define TIMER_MS 5

static struct {
	struct loop *loop;
	struct loop_watch *timer;
	uint64_t set;
	unsigned fired, early;
} t;

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static void timer_set(void)
{
	t.set = now();
	loop_timer_set(t.timer, TIMER_MS);
}

static void on_timer(void *ctx)
{
	(void)ctx;
	/* libevent counts in microseconds. */
	t.early += now() - t.set + 1000 < TIMER_MS * 1000000;
	if (++t.fired == TIMERS)
		loop_stop(t.loop);
	else
		timer_set();
}

static long slept(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return u.ru_nvcsw;
}

static void test_timers(void **state)
{
	long before;

	(void)state;
	t.loop = loop_new();
	assert_non_null(t.loop);
	t.timer = loop_timer(t.loop, on_timer, NULL);
	assert_non_null(t.timer);
	timer_set();
	before = slept();
	assert_int_equal(loop_run(t.loop), 0);
	assert_int_equal(t.fired, TIMERS);
	assert_int_equal(t.early, 0);
	/* A page that is not there yet may be waited for, too. */
	assert_in_range(slept() - before, 1, TIMERS + TIMERS / 4);
	loop_watch_free(t.timer);
	loop_free(t.loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_timers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
