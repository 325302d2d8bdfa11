// links: user/sensor/derive/sum.c
// SPDX-License-Identifier: Apache-2.0
// Sliding sums: what they hold at every edge of their span, what is taken out, odd clocks.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "sensor/derive/sum.h"

#define SECOND 1000000000ull
#define MINUTE (60 * SECOND)
#define SPAN   (10 * MINUTE)
#define WIDTH  (SPAN / SUM_BUCKETS)
#define START  (1000 * SPAN)

static const uint64_t spans[] = {10 * MINUTE, 60 * MINUTE, 1440 * MINUTE, 10080 * MINUTE};

static void test_every_span(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		uint64_t span = spans[i], t = 1000 * span;
		struct sum s;

		sum_init(&s, span);
		assert_int_equal(sum_total(&s, t), 0);
		sum_add(&s, t, 5);
		assert_int_equal(sum_total(&s, t), 5);
		/* All of the span but one bucket holds for sure; after the span nothing does. */
		assert_int_equal(sum_total(&s, t + span - 1), 5);
		assert_int_equal(sum_total(&s, t + span), 0);
		sum_add(&s, t + span / 60 - 1, 7);
		assert_int_equal(sum_total(&s, t + span - 1), 12);
		assert_int_equal(sum_total(&s, t + span), 0);
		assert_int_equal(sum_total(&s, t + 1000 * span), 0);
	}
}

/* Against the plain definition: the sum of what the last 60 buckets got. */
static void test_as_defined(void **state)
{
	uint64_t added[5000] = {0}, t = START;
	struct sum s;

	(void)state;
	srandom(1);
	sum_init(&s, SPAN);
	while (t < START + 4000 * WIDTH) {
		uint64_t number = (t - START) / WIDTH, n = (uint64_t)random() % 100, wanted = 0;

		sum_add(&s, t, n);
		added[number] += n;
		for (uint64_t i = 0; i < SUM_BUCKETS && i <= number; i++)
			wanted += added[number - i];
		assert_int_equal(sum_total(&s, t), wanted);
		/* Mostly little steps, now and then longer than the span. */
		t += (uint64_t)random() % (random() % 50 ? 2 * WIDTH : 90 * WIDTH);
	}
}

static void test_begins_at_zero(void **state)
{
	struct sum s;

	(void)state;
	sum_init(&s, SPAN);
	sum_add(&s, 0, 3);
	sum_add(&s, WIDTH, 4);
	assert_int_equal(sum_total(&s, WIDTH), 7);
	sum_take(&s, WIDTH, 5);
	assert_int_equal(sum_total(&s, WIDTH), 2);
	assert_int_equal(sum_total(&s, SPAN), 2);
	assert_int_equal(sum_total(&s, SPAN + WIDTH), 0);
}

/* 600 + 400 rows cross 500 twice: the remainder is carried over. */
static void test_carry_over(void **state)
{
	unsigned crossed = 0;
	struct sum s;

	(void)state;
	sum_init(&s, SPAN);
	for (unsigned i = 0; i < 2; i++) {
		uint64_t t = START + i * MINUTE, total;

		sum_add(&s, t, i ? 400 : 600);
		total = sum_total(&s, t);
		for (; total >= 500; total -= 500) {
			sum_take(&s, t, 500);
			crossed++;
		}
		assert_int_equal(sum_total(&s, t), i ? 0 : 100);
	}
	assert_int_equal(crossed, 2);
}

static void test_oldest_is_taken_first(void **state)
{
	struct sum s;

	(void)state;
	sum_init(&s, SPAN);
	sum_add(&s, START, 10);
	sum_add(&s, START + 30 * WIDTH, 20);
	sum_add(&s, START + 59 * WIDTH, 40);
	sum_take(&s, START + 59 * WIDTH, 15);
	assert_int_equal(sum_total(&s, START + 59 * WIDTH), 55);
	assert_int_equal(sum_total(&s, START + 60 * WIDTH), 55); /* the oldest was empty */
	assert_int_equal(sum_total(&s, START + 90 * WIDTH), 40);
	/* What is not there cannot be taken. */
	sum_take(&s, START + 90 * WIDTH, 1000);
	assert_int_equal(sum_total(&s, START + 90 * WIDTH), 0);
	sum_add(&s, START + 90 * WIDTH, 1);
	assert_int_equal(sum_total(&s, START + 90 * WIDTH), 1);
}

/* Events of two CPUs come out of order by a little: nothing is forgotten. */
static void test_a_little_back(void **state)
{
	uint64_t t = START + WIDTH;
	struct sum s;

	(void)state;
	sum_init(&s, SPAN);
	sum_add(&s, t, 499);
	sum_add(&s, t - 1, 1);
	assert_int_equal(sum_total(&s, t - 1), 500);
	assert_int_equal(sum_total(&s, t), 500);
	sum_take(&s, t - 1, 500);
	assert_int_equal(sum_total(&s, t), 0);
	/* Late by half the span it is still in it. */
	sum_add(&s, t - 30 * WIDTH, 5);
	assert_int_equal(sum_total(&s, t), 5);
}

/* The host's clock was set back: what it says now is now, and nothing is blind until then. */
static void test_set_back(void **state)
{
	uint64_t now = START - 1000 * SPAN / 3;
	struct sum s;

	(void)state;
	sum_init(&s, SPAN);
	for (unsigned i = 0; i < SUM_BUCKETS; i++)
		sum_add(&s, START + i * WIDTH, 100);
	assert_int_equal(sum_total(&s, now), 0);
	sum_add(&s, now, 400);
	sum_add(&s, now + WIDTH, 100);
	assert_int_equal(sum_total(&s, now + WIDTH), 500);
	sum_take(&s, now + WIDTH, 450);
	assert_int_equal(sum_total(&s, now + WIDTH), 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_span),
		cmocka_unit_test(test_as_defined),
		cmocka_unit_test(test_begins_at_zero),
		cmocka_unit_test(test_carry_over),
		cmocka_unit_test(test_oldest_is_taken_first),
		cmocka_unit_test(test_a_little_back),
		cmocka_unit_test(test_set_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
