// SPDX-License-Identifier: Apache-2.0
// Whatever protobuf-c's own packer makes of an event without host, id and process, ours is read
// back as the same.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clean.h"
#include "lib/event_pack.h"

/* As protobuf-c has it, in the order of the fields. */
static uint8_t *canonical(const Rollcall__Event *ev, size_t *ret_size)
{
	uint8_t *bytes = malloc(*ret_size = rollcall__event__get_packed_size(ev));

	assert_non_null(bytes);
	rollcall__event__pack(ev, bytes);
	return bytes;
}

static void same(const Rollcall__Event *ev)
{
	size_t want, again, size;
	_cleanup_(freep) uint8_t *bytes = canonical(ev, &want), *ours = NULL, *back = NULL;
	struct event_pack p;
	Rollcall__Event *read;

	size = event_pack_measure(&p, ev);
	assert_int_equal(size, want);
	ours = malloc(size + 1);
	ours[size] = 0xa5;
	event_pack_write(&p, ours);
	assert_int_equal(ours[size], 0xa5);
	read = rollcall__event__unpack(NULL, size, ours);
	assert_non_null(read);
	assert_int_equal(read->base.n_unknown_fields, 0);
	back = canonical(read, &again);
	assert_int_equal(again, want);
	assert_memory_equal(bytes, back, want);
	rollcall__event__free_unpacked(read, NULL);
}

/* With text of a length that its prefix takes one, two and three bytes for. */
static void each_size(Rollcall__Event *ev, char **text)
{
	static const size_t sizes[] = {0, 1, 100, 127, 128, 129, 16383, 16384, 70000};
	char *room = malloc(70001);

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		memset(room, 'x', sizes[i]);
		room[sizes[i]] = '\0';
		*text = room;
		same(ev);
	}
	free(room);
}

static void test_sizes(void **state)
{
	Rollcall__FileOpen open;
	Rollcall__Event ev;

	(void)state;
	rollcall__event__init(&ev);
	rollcall__file_open__init(&open);
	ev.time = 1;
	ev.kind_case = ROLLCALL__EVENT__KIND_FILE_OPEN;
	ev.file_open = &open;
	each_size(&ev, &open.path);
}

/* Every kind, empty; the members of the kind are the last fields. */
static void test_kinds(void **state)
{
	const ProtobufCMessageDescriptor *d = &rollcall__event__descriptor;
	unsigned kinds = 0;

	(void)state;
	for (unsigned i = 0; i < d->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &d->fields[i];
		Rollcall__Event ev;
		ProtobufCMessage *m;

		if (!(f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)) {
			assert_int_equal(kinds, 0);
			continue;
		}
		kinds++;
		rollcall__event__init(&ev);
		ev.time = i;
		assert_int_equal(f->type, PROTOBUF_C_TYPE_MESSAGE);
		m = calloc(1, ((const ProtobufCMessageDescriptor *)f->descriptor)->sizeof_message);
		protobuf_c_message_init(f->descriptor, m);
		ev.kind_case = (Rollcall__Event__KindCase)f->id;
		memcpy((uint8_t *)&ev + f->offset, &m, sizeof(m));
		same(&ev);
		free(m);
	}
	assert_true(kinds > 50);
}

/* What a block does not tell of an event, its packer must. */
static void test_left_out(void **state)
{
	static const char *const all[] = {"time", "host", "id", "process"};
	const ProtobufCMessageDescriptor *d = &rollcall__event__descriptor;
	Rollcall__Process process;
	Rollcall__Event ev, *back;
	struct event_pack p;
	uint8_t bytes[64];
	size_t size;

	(void)state;
	for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		assert_string_equal(d->fields[i].name, all[i]);
	assert_true(d->fields[sizeof(all) / sizeof(all[0])].flags & PROTOBUF_C_FIELD_FLAG_ONEOF);
	rollcall__event__init(&ev);
	rollcall__process__init(&process);
	ev.time = UINT64_MAX;
	ev.host = ev.id = (char *)(uintptr_t) "x";
	ev.process = &process;
	size = event_pack_measure(&p, &ev);
	assert_true(size <= sizeof(bytes));
	event_pack_write(&p, bytes);
	back = rollcall__event__unpack(NULL, size, bytes);
	assert_non_null(back);
	assert_true(back->time == UINT64_MAX && !*back->host && !*back->id && !back->process);
	rollcall__event__free_unpacked(back, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
