// SPDX-License-Identifier: Apache-2.0
// Whatever protobuf-c's own packer makes of an event without host, id and process, ours makes, to
// the byte.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/clean.h"
#include "lib/event_pack.h"

/* With a byte before it that is not touched, and with one too few. */
static void same(const Rollcall__Event *ev)
{
	size_t size = rollcall__event__get_packed_size(ev);
	_cleanup_(freep) uint8_t *theirs = malloc(size + 1), *ours = malloc(size + 1);
	uint8_t *end = ours + size + 1;

	assert_true(theirs && ours);
	assert_int_equal(rollcall__event__pack(ev, theirs), size);
	ours[0] = 0xa5;
	assert_ptr_equal(event_pack(ev, ours, end), ours + 1);
	assert_int_equal(ours[0], 0xa5);
	assert_memory_equal(ours + 1, theirs, size);
	assert_ptr_equal(event_pack(ev, ours + 1, end), ours + 1);
	assert_null(event_pack(ev, ours + 2, end));
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

/* ---- any event ---- */

static struct arena *a;
static uint64_t seed = 1;

static uint64_t any(uint64_t of)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (seed >> 33) % of;
}

/* Zero as often as not; else of any length. */
static uint64_t any_number(void)
{
	return any(2) ? 0 : (any(1ull << 31) << 33 | any(1ull << 31) << 2 | any(4)) >> any(64);
}

static char *any_text(size_t *ret_size)
{
	size_t size = any(3) ? any(4) : any(300);
	char *text = arena_alloc(a, size + 1);

	assert_non_null(text);
	memset(text, 'x', size);
	*ret_size = size;
	return text;
}

static ProtobufCMessage *any_message(const ProtobufCMessageDescriptor *d);

static void any_value(const ProtobufCFieldDescriptor *f, void *to)
{
	uint64_t number = any_number();
	size_t size;
	char *text;

	switch (f->type) {
	case PROTOBUF_C_TYPE_MESSAGE:
		*(ProtobufCMessage **)to = any_message(f->descriptor);
		break;
	case PROTOBUF_C_TYPE_STRING:
		*(char **)to = any_text(&size);
		break;
	case PROTOBUF_C_TYPE_BYTES:
		text = any_text(&size);
		*(ProtobufCBinaryData *)to = (ProtobufCBinaryData){size, (uint8_t *)text};
		break;
	case PROTOBUF_C_TYPE_BOOL:
		*(protobuf_c_boolean *)to = any(2);
		break;
	case PROTOBUF_C_TYPE_DOUBLE:
		*(double *)to = any(3) ? (double)number / 3 : -0.0;
		break;
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_ENUM:
		memcpy(to, &number, 4);
		break;
	default:
		memcpy(to, &number, 8);
	}
}

static void any_list(const ProtobufCFieldDescriptor *f, void *list, size_t *n)
{
	void **values = arena_alloc(a, 4 * sizeof(*values));

	assert_non_null(values);
	assert_true(f->type == PROTOBUF_C_TYPE_MESSAGE || f->type == PROTOBUF_C_TYPE_STRING);
	*n = any(4);
	for (size_t i = 0; i < *n; i++)
		any_value(f, &values[i]);
	*(void ***)list = values;
}

static ProtobufCMessage *any_message(const ProtobufCMessageDescriptor *d)
{
	uint8_t *m = arena_alloc(a, d->sizeof_message);

	assert_non_null(m);
	protobuf_c_message_init(d, m);
	for (unsigned i = 0; i < d->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &d->fields[i];

		/* As far as the packer knows; a field without is left as it is, messages NULL. */
		assert_int_equal(f->flags, 0);
		if (f->label == PROTOBUF_C_LABEL_REPEATED)
			any_list(f, m + f->offset, (size_t *)(m + f->quantifier_offset));
		else if (any(4) && f->descriptor != d)
			any_value(f, m + f->offset);
	}
	return (ProtobufCMessage *)m;
}

/* Every kind, first empty, then with anything in it; Event has its members last. */
static void test_kinds(void **state)
{
	const ProtobufCMessageDescriptor *d = &rollcall__event__descriptor;
	unsigned kinds = 0;

	(void)state;
	for (unsigned i = 0; i < d->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &d->fields[i];
		ProtobufCMessage *m;
		Rollcall__Event ev;

		if (!(f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)) {
			assert_int_equal(kinds, 0);
			continue;
		}
		kinds++;
		assert_int_equal(f->type, PROTOBUF_C_TYPE_MESSAGE);
		rollcall__event__init(&ev);
		ev.time = i;
		ev.kind_case = (Rollcall__Event__KindCase)f->id;
		m = arena_alloc(
			a, ((const ProtobufCMessageDescriptor *)f->descriptor)->sizeof_message);
		protobuf_c_message_init(f->descriptor, m);
		for (unsigned round = 0; round < 200; round++) {
			memcpy((uint8_t *)&ev + f->offset, &m, sizeof(m));
			same(&ev);
			arena_reset(a);
			m = any_message(f->descriptor);
		}
		arena_reset(a);
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
	uint8_t bytes[64], *end = bytes + sizeof(bytes), *data;

	(void)state;
	for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		assert_string_equal(d->fields[i].name, all[i]);
	assert_true(d->fields[sizeof(all) / sizeof(all[0])].flags & PROTOBUF_C_FIELD_FLAG_ONEOF);
	rollcall__event__init(&ev);
	rollcall__process__init(&process);
	ev.time = UINT64_MAX;
	ev.host = ev.id = (char *)(uintptr_t) "x";
	ev.process = &process;
	data = event_pack(&ev, bytes, end);
	assert_non_null(data);
	back = rollcall__event__unpack(NULL, (size_t)(end - data), data);
	assert_non_null(back);
	assert_true(back->time == UINT64_MAX && !*back->host && !*back->id && !back->process);
	rollcall__event__free_unpacked(back, NULL);
}

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_left_out),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
