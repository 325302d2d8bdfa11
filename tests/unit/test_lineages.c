// links: user/sensor/{lineages,proctab}.c user/lib/mask.c
// SPDX-License-Identifier: Apache-2.0
// A process as it is kept is what the process table would tell now, whatever happened since;
// packed, it reads as the same.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/clean.h"
#include "lib/event.h"
#include "sensor/lineages.h"
#include "sensor/proctab.h"

#define BOOT  "0a1b2c3d-0000-0000-0000-000000000000"
#define DEPTH 16
#define STEPS 20000

static struct {
	struct proctab *processes;
	struct lineages *lineages;
	struct arena *arena, *other;
	uint64_t time;
	unsigned packed; /* processes seen so */
} t;

static Rollcall__Task task_of(uint32_t tgid)
{
	Rollcall__Task task;

	rollcall__task__init(&task);
	task.tgid = task.tid = tgid;
	task.start_time = tgid; /* of each number one process only */
	return task;
}

static void do_fork(uint32_t parent, uint32_t child)
{
	Rollcall__Task task = task_of(child);
	Rollcall__Fork f;

	rollcall__fork__init(&f);
	f.task = &task;
	f.parent_tgid = f.parent_start_time = parent;
	assert_int_equal(proctab_fork(t.processes, t.time, &f), 0);
}

static void do_exec(uint32_t tgid, size_t args)
{
	Rollcall__Task task = task_of(tgid);
	Rollcall__Exec e;
	char exe[32], bytes[4096];

	snprintf(exe, sizeof(exe), "/bin/%d", rand());
	memset(bytes, 'x', sizeof(bytes));
	rollcall__exec__init(&e);
	e.task = &task;
	e.exe = exe;
	e.args = (ProtobufCBinaryData){args, (uint8_t *)bytes};
	assert_int_equal(proctab_exec(t.processes, t.time, &e), 0);
}

static void do_setuid(uint32_t tgid, uint32_t uid)
{
	Rollcall__Task task = task_of(tgid);

	task.uid = uid;
	proctab_seen(t.processes, &task);
}

static char *json(const void *message)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	event_message_json(f, message);
	fclose(f);
	return text;
}

static void same(const void *a, const void *b)
{
	_cleanup_(freep) char *x = json(a), *y = json(b);

	assert_string_equal(x, y);
}

/* A process, told by both. */
static void look(uint32_t tgid)
{
	Rollcall__Process *process = lineages_find(t.lineages, t.arena, tgid, t.time), *back;
	const struct proc *p = proctab_find(t.processes, tgid, t.time);
	struct spool_process *packed;

	assert_int_equal(!process, !p);
	if (!p)
		return;
	same(process, proctab_fill(t.processes, p, t.other, DEPTH));
	packed = lineages_packed(t.lineages, process);
	if (!packed)
		return; /* too large, or its place is taken */
	back = rollcall__process__unpack(arena_protobuf(t.other), packed->size, packed->data);
	assert_non_null(back);
	same(back, process);
	t.packed++;
}

static void event_ends(void)
{
	arena_reset(t.arena);
	arena_reset(t.other);
	lineages_next(t.lineages);
}

static void begin(uint32_t max)
{
	t.processes = proctab_new(max, BOOT);
	t.lineages = lineages_new(t.processes);
	t.arena = arena_new(65536);
	t.other = arena_new(65536);
	assert_true(t.processes && t.lineages && t.arena && t.other);
	t.time = 1000000;
}

static void end(void)
{
	lineages_free(t.lineages);
	proctab_free(t.processes);
	arena_free(t.arena);
	arena_free(t.other);
}

/* Few numbers, so that places are shared, and a table too small for them. */
static void test_random(void **state)
{
	(void)state;
	srand(1);
	begin(40);
	for (unsigned i = 0; i < STEPS; i++) {
		uint32_t a = 1 + (uint32_t)(rand() % 64), b = 1 + (uint32_t)(rand() % 64);

		switch (rand() % 8) {
		case 0:
			do_fork(a < b ? a : b, a < b ? b : a);
			break;
		case 1:
			do_exec(a, rand() % 10 ? 20 : 4000);
			break;
		case 2:
			do_setuid(a, (uint32_t)(rand() % 3));
			break;
		default:
			look(a);
			look(b);
			look(a);
			event_ends();
		}
	}
	assert_true(t.packed > STEPS / 2);
	end();
}

/* Two of one event in the same place: the first stays what it was. */
static void test_one_event(void **state)
{
	Rollcall__Process *first, *second;

	(void)state;
	begin(100);
	do_exec(1, 10);
	do_exec(33, 10);
	first = lineages_find(t.lineages, t.arena, 1, t.time);
	second = lineages_find(t.lineages, t.arena, 33, t.time);
	assert_int_equal(first->pid, 1);
	assert_int_equal(second->pid, 33);
	event_ends();
	assert_ptr_equal(lineages_find(t.lineages, t.arena, 1, t.time), first);
	event_ends();
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_one_event),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
