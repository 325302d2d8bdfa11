// links: user/sensor/derive/class.c
// SPDX-License-Identifier: Apache-2.0
// Which events the spool keeps longest.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sensor/derive/class.h"
#include "sensor/derive/finding.h"
#include "transport.pb-c.h"

static uint32_t result(uint64_t threshold, uint64_t rows, const char *replication, bool server_side)
{
	struct finding_thresholds t = {.result_rows = threshold};
	Rollcall__Event ev;
	Rollcall__DbResult r;
	Rollcall__Db db;

	rollcall__event__init(&ev);
	rollcall__db_result__init(&r);
	rollcall__db__init(&db);
	db.rows = rows;
	db.replication = (char *)(uintptr_t)replication;
	db.server_side = server_side;
	r.db = &db;
	ev.kind_case = ROLLCALL__EVENT__KIND_DB_RESULT;
	ev.db_result = &r;
	return class_of(&t, &ev);
}

static void results(void **state)
{
	(void)state;
	assert_int_equal(result(200, 199, "", false), ROLLCALL__CLASS__bulk);
	assert_int_equal(result(200, 200, "", false), ROLLCALL__CLASS__crit);
	assert_int_equal(result(200, 0, "physical", false), ROLLCALL__CLASS__crit);
	assert_int_equal(result(200, 0, "", true), ROLLCALL__CLASS__crit);
}

static void no_threshold(void **state)
{
	(void)state;
	assert_int_equal(result(0, 0, "", false), ROLLCALL__CLASS__bulk);
	assert_int_equal(result(0, 1, "", false), ROLLCALL__CLASS__bulk);
	assert_int_equal(result(0, 1 << 20, "", false), ROLLCALL__CLASS__bulk);
	assert_int_equal(result(0, 0, "physical", false), ROLLCALL__CLASS__crit);
	assert_int_equal(result(0, 0, "", true), ROLLCALL__CLASS__crit);
}

static void others(void **state)
{
	struct finding_thresholds t = {.result_rows = 1};
	Rollcall__Event ev;

	(void)state;
	rollcall__event__init(&ev);
	ev.kind_case = ROLLCALL__EVENT__KIND_DB_SESSION;
	assert_int_equal(class_of(&t, &ev), ROLLCALL__CLASS__bulk);
	ev.kind_case = ROLLCALL__EVENT__KIND_DB_SUMMARY;
	assert_int_equal(class_of(&t, &ev), ROLLCALL__CLASS__bulk);
	ev.kind_case = ROLLCALL__EVENT__KIND_GAP;
	assert_int_equal(class_of(&t, &ev), ROLLCALL__CLASS__crit);
	ev.kind_case = ROLLCALL__EVENT__KIND_FINDING;
	assert_int_equal(class_of(&t, &ev), ROLLCALL__CLASS__crit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(results),
		cmocka_unit_test(no_threshold),
		cmocka_unit_test(others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
