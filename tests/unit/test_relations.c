// links: user/sensor/relations.c user/sensor/watch.c
// SPDX-License-Identifier: Apache-2.0
// In whose account a relation's reads are counted.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "sensor/relations.h"
#include "sensor/watch.h"

static uint32_t accounts[100];

static int set(void *ctx, uint32_t oid, const struct pg_relation *r)
{
	unsigned *room = ctx;

	if (!*room)
		return -ENOSPC;
	(*room)--;
	assert_int_equal(r->index, 0);
	accounts[oid] = r->table;
	return 0;
}

static void test_accounts(void **state)
{
	static const struct {
		const char *database;
		uint32_t oid;
		uint64_t mask;
		uint32_t account;
	} known[] = {
		{"hr", 10, 1, 10},   {"hr", 11, 1, 10},	  {"hr", 12, 1, 10}, /* its partitions */
		{"hr", 20, 2, 20},   {"hr", 21, 3, 21},			     /* of two tables */
		{"shop", 30, 1, 30}, {"shop", 31, 1, 30},
	};
	unsigned told = 0, room = sizeof(known) / sizeof(known[0]);
	struct watch *w = watch_new();

	(void)state;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		watch_learn_oid(w, known[i].database, known[i].oid, known[i].mask);
	assert_int_equal(relations_sync(w, &told, set, &room), 0);
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		assert_int_equal(accounts[known[i].oid], known[i].account);
	watch_freep(&w);
}

/* A copy of a database has the same ids: what is counted together must be so in both. */
static void test_two_databases(void **state)
{
	unsigned told = 0, room = 3;
	struct watch *w = watch_new();

	(void)state;
	watch_learn_oid(w, "hr", 10, 1);
	watch_learn_oid(w, "hr", 11, 1);
	assert_int_equal(relations_sync(w, &told, set, &room), 0);
	assert_int_equal(accounts[11], 10);
	watch_learn_oid(w, "copy", 11, 2);
	assert_int_equal(relations_sync(w, &told, set, &room), 0);
	assert_int_equal(accounts[11], 11);
	watch_freep(&w);
}

static void test_no_room(void **state)
{
	unsigned told = 0, room = 1;
	struct watch *w = watch_new();

	(void)state;
	watch_learn_oid(w, "hr", 10, 1);
	watch_learn_oid(w, "hr", 11, 1);
	assert_int_equal(relations_sync(w, &told, set, &room), -ENOSPC);
	assert_int_equal(told, 1);
	watch_freep(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accounts),
		cmocka_unit_test(test_two_databases),
		cmocka_unit_test(test_no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
