// SPDX-License-Identifier: Apache-2.0
// Every member of Event.kind is known by its number, and nothing else is.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/kind.h"

static void test_all(void **state)
{
	const ProtobufCMessageDescriptor *d = &rollcall__event__descriptor;
	unsigned n = 0;

	(void)state;
	for (unsigned i = 0; i < d->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &d->fields[i];

		if (!(f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)) {
			assert_null(kind_of(f->id));
			continue;
		}
		assert_non_null(kind_of(f->id));
		assert_ptr_equal(kind_of(f->id)->field, f);
		n++;
	}
	for (uint32_t number = 0; number < 1000; number++)
		n -= kind_of(number) != NULL;
	assert_int_equal(n, 0);
	assert_null(kind_of(UINT32_MAX));
}

static void test_facts(void **state)
{
	Rollcall__TcpConnect connect;
	Rollcall__Event ev;
	const struct kind *k = kind_of(ROLLCALL__EVENT__KIND_TCP_CONNECT);

	(void)state;
	assert_true(k->has_endpoints && k->task);
	assert_string_equal(k->task->name, "task");
	assert_false(kind_of(ROLLCALL__EVENT__KIND_FILE_OPEN)->has_endpoints);
	assert_null(kind_of(ROLLCALL__EVENT__KIND_GAP)->task);
	rollcall__event__init(&ev);
	ev.kind_case = ROLLCALL__EVENT__KIND_TCP_CONNECT;
	ev.tcp_connect = &connect;
	assert_ptr_equal(kind_message(k, &ev), &connect);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_facts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
