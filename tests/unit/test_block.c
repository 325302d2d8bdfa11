// SPDX-License-Identifier: Apache-2.0
// Events that are put into a block come back whole; what is no block is refused.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "event.pb-c.h"
#include "lib/arena.h"
#include "lib/block.h"
#include "lib/event_pack.h"
#include "lib/protowire.h"

#define BLOCKS ROLLCALL__LAYOUT__blocks

static struct arena *a;
static uint8_t room[65536];

static int setup(void **state)
{
	(void)state;
	a = arena_new(65536);
	return !a;
}

static int teardown(void **state)
{
	(void)state;
	arena_free(a);
	return 0;
}

static uint32_t put_process(struct block *b, uint32_t pid, const char *exe)
{
	uint8_t bytes[1024];
	Rollcall__Process m;

	rollcall__process__init(&m);
	m.pid = pid;
	m.exe = arena_strdup(a, exe);
	return block_process(b, bytes, rollcall__process__pack(&m, bytes));
}

static void put_event(struct block *b, uint64_t time, uint32_t process)
{
	uint8_t bytes[64], *end = bytes + sizeof(bytes), *data;
	Rollcall__Event ev;
	Rollcall__Exit gone;

	rollcall__event__init(&ev);
	rollcall__exit__init(&gone);
	ev.time = time;
	ev.kind_case = ROLLCALL__EVENT__KIND_EXIT;
	ev.exit = &gone;
	gone.exit_code = (uint32_t)time;
	data = event_pack(&ev, bytes, end);
	assert_non_null(data);
	memcpy(block_event(b, (size_t)(end - data), process), data, (size_t)(end - data));
}

static Rollcall__Event *whole(const Rollcall__Block *b, size_t i, const char *id)
{
	ProtobufCBinaryData d;
	Rollcall__Event *ev;

	assert_int_equal(block_whole(a, b, i, "mdm1", id, &d), 0);
	ev = rollcall__event__unpack(arena_protobuf(a), d.len, d.data);
	assert_non_null(ev);
	return ev;
}

static void comes_back(void **state)
{
	struct block b = {.data = room};
	Rollcall__Block *back;
	Rollcall__Event *ev;
	uint32_t first, second;

	(void)state;
	put_event(&b, 1, 0);
	first = put_process(&b, 7, "/bin/one");
	put_event(&b, 2, first);
	second = put_process(&b, 8, "/bin/two");
	put_event(&b, 3, second);
	put_event(&b, 4, first);
	assert_int_equal(b.events, 4);
	assert_int_equal(b.processes, 2);
	back = block_open(a, BLOCKS, room, b.size);
	assert_non_null(back);
	assert_int_equal(back->n_event, 4);
	assert_null(whole(back, 0, "x")->process);
	assert_string_equal(whole(back, 1, "x")->process->exe, "/bin/one");
	assert_string_equal(whole(back, 2, "x")->process->exe, "/bin/two");
	ev = whole(back, 3, "0a1b2c3d-bulk-9");
	assert_string_equal(ev->process->exe, "/bin/one");
	assert_string_equal(ev->host, "mdm1");
	assert_string_equal(ev->id, "0a1b2c3d-bulk-9");
	assert_int_equal(ev->time, 4);
	assert_int_equal(ev->exit->exit_code, 4);
	assert_int_equal(ev->base.n_unknown_fields, 0);
}

/* Prefixes are of one to three bytes. */
static void fits_what_it_costs(void **state)
{
	static const size_t sizes[] = {0, 1, 127, 128, 16383, 16384, 20000};
	static uint8_t bytes[20000];

	(void)state;
	for (unsigned i = 0; i < 7; i++)
		for (unsigned j = 0; j < 7; j++) {
			struct block b = {.data = room};
			uint32_t n = 0;

			for (unsigned k = 0; k < 200; k++)
				block_event(&b, 0, 0);
			size_t before = b.size;

			if (sizes[j])
				n = block_process(&b, bytes, sizes[j]);
			block_event(&b, sizes[i], n);
			assert_true(b.size - before <= block_cost(sizes[i], sizes[j]));
		}
}

/* Who says another host's name or process than its block is not believed. */
static void what_an_event_says_of_itself(void **state)
{
	struct block b = {.data = room};
	Rollcall__Process other;
	Rollcall__Event liar, *ev;
	uint32_t n = put_process(&b, 7, "/bin/one");

	(void)state;
	rollcall__event__init(&liar);
	rollcall__process__init(&other);
	other.exe = arena_strdup(a, "/bin/other");
	liar.host = arena_strdup(a, "mdm2");
	liar.id = arena_strdup(a, "another");
	liar.process = &other;
	rollcall__event__pack(&liar, block_event(&b, rollcall__event__get_packed_size(&liar), n));
	ev = whole(block_open(a, BLOCKS, room, b.size), 0, "x");
	assert_string_equal(ev->host, "mdm1");
	assert_string_equal(ev->id, "x");
	assert_string_equal(ev->process->exe, "/bin/one");
}

static void refuse(const struct block *b)
{
	assert_null(block_open(a, BLOCKS, room, b->size));
}

static void no_block(void **state)
{
	struct block b = {.data = room};
	Rollcall__Block m;
	uint32_t of[] = {0, 0};

	(void)state;
	put_event(&b, 1, 1); /* of a process that is not there */
	refuse(&b);
	b = (struct block){.data = room};
	block_process(&b, "\xff\xff", 2);
	put_event(&b, 1, 1);
	refuse(&b);
	b = (struct block){.data = room};
	put_event(&b, 1, 0);
	b.size--;
	refuse(&b);
	rollcall__block__init(&m);
	m.n_process_of = 2;
	m.process_of = of;
	m.n_event = 1;
	m.event = &(ProtobufCBinaryData){};
	b.size = rollcall__block__pack(&m, room);
	refuse(&b);
}

/* A message in a message as deep as a megabyte lets it be: who unpacks it calls itself for each. */
static ProtobufCBinaryData nested(uint32_t outermost, unsigned depth)
{
	size_t room_size = 1 << 20, at = room_size;
	uint8_t *bytes = arena_alloc(a, room_size);

	for (unsigned i = 0; i < depth; i++) {
		uint32_t field = i + 1 == depth ? outermost : 7;
		size_t n = protowire_prefix(NULL, field, room_size - at);

		protowire_prefix(bytes + at - n, field, room_size - at);
		at -= n;
	}
	return (ProtobufCBinaryData){room_size - at, bytes + at};
}

static void no_depth(void **state)
{
	ProtobufCBinaryData deep = nested(7, 200000), event = nested(4, 200000);
	ProtobufCBinaryData good = nested(4, 16);
	static uint8_t large[1 << 20];
	struct block b = {.data = large};

	(void)state;
	block_process(&b, deep.data, deep.len);
	put_event(&b, 1, 1);
	assert_null(block_open(a, BLOCKS, large, b.size));
	b = (struct block){.data = large};
	memcpy(block_event(&b, event.len, 0), event.data, event.len);
	assert_null(block_open(a, BLOCKS, large, b.size));
	assert_null(block_open(a, ROLLCALL__LAYOUT__events, event.data, event.len));
	assert_non_null(block_open(a, ROLLCALL__LAYOUT__events, good.data, good.len));
}

/* As spools of version 1 have them. */
static void events_alone(void **state)
{
	Rollcall__Event ev;
	Rollcall__Block *b;
	size_t size;

	(void)state;
	rollcall__event__init(&ev);
	ev.host = arena_strdup(a, "old");
	ev.id = arena_strdup(a, "its own");
	size = rollcall__event__pack(&ev, room);
	b = block_open(a, ROLLCALL__LAYOUT__events, room, size);
	assert_int_equal(b->n_event, 1);
	assert_string_equal(whole(b, 0, "x")->host, "old");
	assert_string_equal(whole(b, 0, "x")->id, "its own");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(comes_back), T(fits_what_it_costs), T(what_an_event_says_of_itself),
		T(no_block),   T(no_depth),	      T(events_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
