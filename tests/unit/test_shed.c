// links: user/sensor/shed.c
// SPDX-License-Identifier: Apache-2.0
// What is given up, in which order, and when: by what was used at each look.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "event.pb-c.h"
#include "lib/record.h"
#include "sensor/shed.h"

/* Looks of which each uses so much; how many of them changed the step. */
static unsigned looks(struct shed *s, unsigned n, double cpu, double events)
{
	unsigned changes = 0;

	while (n--)
		changes += shed_look(s, cpu, events);
	return changes;
}

static void test_rises(void **state)
{
	struct shed s = {.limits = {.cpu = 50}};

	(void)state;
	assert_int_equal(looks(&s, SHED_RISE - 1, 60, 0), 0);
	assert_int_equal(looks(&s, 1, 40, 0), 0); /* not in a row */
	assert_int_equal(looks(&s, SHED_RISE - 1, 60, 0), 0);
	assert_int_equal(s.step, 0);
	assert_int_equal(looks(&s, 1, 60, 0), 1);
	assert_int_equal(s.step, 1);
	assert_string_equal(s.resource, "cpu");
	assert_int_equal(s.limit, 50);
	assert_int_equal(looks(&s, 100, 60, 0), SHED_STEPS - 1);
	assert_int_equal(s.step, SHED_STEPS);
}

static void test_recovers(void **state)
{
	struct shed s = {.limits = {.cpu = 50, .events = 1000}};

	(void)state;
	assert_int_equal(looks(&s, 2 * SHED_RISE, 10, 2000), 2);
	assert_string_equal(s.resource, "events");
	/* Just below what is allowed would be above again at once. */
	assert_int_equal(looks(&s, 100, 10, 990), 0);
	assert_int_equal(looks(&s, SHED_RECOVER - 1, 10, 100), 0);
	assert_int_equal(looks(&s, 1, 49, 100), 0); /* the other one is not calm */
	assert_int_equal(looks(&s, SHED_RECOVER, 10, 100), 1);
	assert_int_equal(s.step, 1);
	assert_int_equal(looks(&s, 100, 10, 100), 1);
	assert_int_equal(s.step, 0);
}

static void test_no_limit(void **state)
{
	struct shed s = {};

	(void)state;
	assert_int_equal(looks(&s, 100, 100, 1e9), 0);
}

/* Every name of the lists is an event, each event of lane bulk goes at some step, none of crit. */
static void test_kinds(void **state)
{
	char name[64];
	unsigned named = 0, found = 0, last = 0;

	(void)state;
	for (unsigned step = 1; step <= SHED_STEPS; step++) {
		for (const char *at = shed_kinds(step); *at; at += strspn(at, " ")) {
			size_t len = strcspn(at, " ");
			const ProtobufCFieldDescriptor *f;

			memcpy(name, at, len);
			name[len] = '\0';
			f = protobuf_c_message_descriptor_get_field_by_name(
				&rollcall__event__descriptor, name);
			assert_non_null(f);
			assert_int_equal(shed_step_of(f->id), step);
			named++;
			at += len;
		}
	}
	for (uint32_t kind = 1; kind < RECORD_KIND_MAX; kind++) {
		found += shed_step_of(kind) > 0;
		last = shed_step_of(kind) ? kind : last;
	}
	assert_int_equal(found, named);
	assert_true(last < ROLLCALL__EVENT__KIND_SIGNAL);
	assert_int_equal(shed_step_of(ROLLCALL__EVENT__KIND_EXEC), 0);
	assert_int_equal(shed_step_of(ROLLCALL__EVENT__KIND_DB_END), 0);
	assert_int_equal(shed_step_of(ROLLCALL__EVENT__KIND_THROTTLE), 0);
	assert_int_equal(shed_step_of(0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rises),
		cmocka_unit_test(test_recovers),
		cmocka_unit_test(test_no_limit),
		cmocka_unit_test(test_kinds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
