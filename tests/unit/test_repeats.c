// links: user/sensor/repeats.c
// SPDX-License-Identifier: Apache-2.0
// Events that a killed sensor still put into the spool are known again, once, by their kind and the
// time of their record; those that were noted as told already are no longer of interest.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/event_pack.h"
#include "lib/spool.h"
#include "sensor/handover.h"
#include "sensor/repeats.h"

#define BOOT   "11111111-2222-3333-4444-555555555555"
#define OFFSET 1700000000000000000ll
#define CRIT   1
#define BULK   2

static struct spool *spool_new(const char *dir)
{
	const struct spool_opts opts = {
		.directory = dir, .boot_id = BOOT, .max_bytes = 1 << 20, .boottime = 1000};
	struct spool *s;

	assert_int_equal(spool_prepare(dir, getgid()), 0);
	assert_int_equal(spool_open(&opts, &s), 0);
	return s;
}

static Rollcall__Event event(Rollcall__Event__KindCase kind, uint64_t boottime)
{
	static Rollcall__Exit gone;
	static Rollcall__Exec exec;
	Rollcall__Event ev;

	rollcall__event__init(&ev);
	rollcall__exit__init(&gone);
	rollcall__exec__init(&exec);
	ev.time = boottime;
	ev.kind_case = kind;
	if (kind == ROLLCALL__EVENT__KIND_EXIT)
		ev.exit = &gone;
	else
		ev.exec = &exec;
	return ev;
}

static uint64_t put(struct spool *s, uint32_t class, Rollcall__Event__KindCase kind,
		    uint64_t boottime)
{
	Rollcall__Event ev = event(kind, boottime);
	uint64_t seq = spool_next(s, class);
	uint8_t bytes[64], *end = bytes + sizeof(bytes), *data, *room = NULL;

	ev.time += OFFSET;
	data = event_pack(&ev, bytes, end);
	assert_non_null(data);
	spool_claim(s, class, (size_t)(end - data), NULL, &room);
	assert_non_null(room);
	memcpy(room, data, (size_t)(end - data));
	return seq;
}

static bool take(struct repeats *r, uint32_t class, Rollcall__Event__KindCase kind,
		 uint64_t boottime, uint64_t *seq)
{
	Rollcall__Event ev = event(kind, boottime);

	return repeats_take(r, &ev, class, seq);
}

static void test_repeats(void **state)
{
	struct handover h = {.wall_offset = OFFSET};
	struct repeats r = {};
	char dir[] = "/tmp/rollcall_repeats.XXXXXX", command[64];
	uint64_t first, second, bulk, seq = 0;
	struct spool *s;

	(void)state;
	assert_non_null(mkdtemp(dir));
	s = spool_new(dir);
	h.seq[CRIT] = put(s, CRIT, ROLLCALL__EVENT__KIND_EXEC, 10);
	h.seq[BULK] = put(s, BULK, ROLLCALL__EVENT__KIND_EXEC, 11);
	first = put(s, CRIT, ROLLCALL__EVENT__KIND_EXEC, 20);
	second = put(s, CRIT, ROLLCALL__EVENT__KIND_EXEC, 20);
	put(s, CRIT, ROLLCALL__EVENT__KIND_EXIT, 30);
	bulk = put(s, BULK, ROLLCALL__EVENT__KIND_EXEC, 20);
	spool_free(s);

	assert_int_equal(repeats_read(&r, dir, BOOT, &h), 0);
	assert_int_equal(r.n, 4);
	assert_false(take(&r, CRIT, ROLLCALL__EVENT__KIND_EXEC, 10, &seq)); /* noted */
	assert_false(take(&r, CRIT, ROLLCALL__EVENT__KIND_EXIT, 20, &seq)); /* another kind */
	assert_false(take(&r, CRIT, ROLLCALL__EVENT__KIND_EXEC, 21, &seq)); /* another time */
	assert_true(take(&r, CRIT, ROLLCALL__EVENT__KIND_EXEC, 20, &seq));
	assert_int_equal(seq, first);
	/* Two in the same nanosecond, on two CPUs. */
	assert_true(take(&r, CRIT, ROLLCALL__EVENT__KIND_EXEC, 20, &seq));
	assert_int_equal(seq, second);
	assert_false(take(&r, CRIT, ROLLCALL__EVENT__KIND_EXEC, 20, &seq));
	assert_true(take(&r, BULK, ROLLCALL__EVENT__KIND_EXEC, 20, &seq));
	assert_int_equal(seq, bulk);
	repeats_free(&r);
	assert_int_equal(r.n, 0);

	/* Another boot's spool says nothing of this one. */
	assert_int_equal(repeats_read(&r, dir, "00000000-2222-3333-4444-555555555555", &h), 0);
	assert_int_equal(r.n, 0);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	assert_int_equal(system(command), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_repeats)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
