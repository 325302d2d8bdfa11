// SPDX-License-Identifier: Apache-2.0
// Kernel records: the layout that BPF programs fill, and decoding of records good and bad.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/record.h"

#define HEADER sizeof(struct record_header)
#define EXEC   ROLLCALL__EVENT__KIND_EXEC

/* A record as a BPF program would write it: header, fixed part, tail. */
struct made {
	const ProtobufCMessageDescriptor *desc;
	size_t size;
	uint8_t bytes[4096];
};

static void made_header(struct made *m, unsigned kind)
{
	struct record_header h = {
		.time = 5, .size = (uint32_t)m->size, .kind = (uint16_t)kind, .version = 1};

	memcpy(m->bytes, &h, sizeof(h));
}

static void made_begin(struct made *m, unsigned kind)
{
	const ProtobufCFieldDescriptor *f =
		protobuf_c_message_descriptor_get_field(&rollcall__event__descriptor, kind);
	struct record_layout layout;

	memset(m, 0, sizeof(*m));
	m->desc = f->descriptor;
	assert_int_equal(record_layout(m->desc, &layout), 0);
	m->size = HEADER + layout.size;
	made_header(m, kind);
}

/* Where a field of a message is, from the start of that message. */
static size_t offset(const ProtobufCMessageDescriptor *desc, const char *name)
{
	struct record_layout layout;

	assert_int_equal(record_layout(desc, &layout), 0);
	for (unsigned i = 0; i < layout.n; i++)
		if (strcmp(layout.fields[i].field->name, name) == 0)
			return layout.fields[i].off;
	fail_msg("no field %s", name);
	return 0;
}

static void put(struct made *m, const char *name, const void *value, size_t size)
{
	memcpy(m->bytes + HEADER + offset(m->desc, name), value, size);
}

static void put_slice(struct made *m, const char *name, uint32_t off, uint32_t len, uint32_t orig)
{
	put(m, name, &(struct record_slice){off, len, orig}, sizeof(struct record_slice));
}

/* Adds to the tail. */
static void put_text(struct made *m, const char *name, const char *text, size_t len, size_t orig)
{
	put_slice(m, name, (uint32_t)m->size, (uint32_t)len, (uint32_t)orig);
	memcpy(m->bytes + m->size, text, len);
	m->size += len;
	memcpy(m->bytes + offsetof(struct record_header, size), &(uint32_t){(uint32_t)m->size}, 4);
}

/* From a block of just that size, at any alignment: what is read beyond it is reported. */
static int decode(struct arena *a, const struct made *m, Rollcall__Event **ret, unsigned *ret_cut)
{
	uint8_t *copy = malloc(m->size + 1);
	int r;

	memcpy(copy + 1, m->bytes, m->size);
	r = record_decode(a, copy + 1, m->size, ret, ret_cut);
	free(copy);
	return r;
}

static void is_refused(const struct made *m)
{
	struct arena *a = arena_new(4096);
	Rollcall__Event *ev = NULL;
	unsigned cut = 77;

	assert_int_equal(decode(a, m, &ev, &cut), -EBADMSG);
	assert_null(ev);
	assert_int_equal(cut, 77);
	arena_free(a);
}

/* For each record: widest first, no holes, nothing outside, each field once. */
static void test_layouts(void **state)
{
	const ProtobufCMessageDescriptor *event = &rollcall__event__descriptor;
	unsigned kinds = 0;

	(void)state;
	for (unsigned k = 0; k < event->n_fields; k++) {
		const ProtobufCFieldDescriptor *kind = &event->fields[k];
		const ProtobufCMessageDescriptor *desc = kind->descriptor;
		struct record_layout l;
		size_t end = 0;

		if (!(kind->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) || kind->id >= RECORD_KIND_MAX)
			continue;
		assert_int_equal(record_layout(desc, &l), 0);
		assert_int_equal(l.n, desc->n_fields);
		for (unsigned i = 0; i < l.n; i++) {
			size_t size = l.fields[i].size;

			assert_int_equal(l.fields[i].off, end);
			assert_int_equal(end % (size % 8 == 0 ? 8 : size == 1 ? 1 : 4), 0);
			end += size;
		}
		assert_true(l.size >= end && l.size < end + 8 && l.size % 8 == 0);
		kinds++;
	}
	assert_true(kinds > 0);
}

static void test_what_a_record_cannot_hold(void **state)
{
	struct record_layout l;

	(void)state;
	/* repeated fields, a message in itself, doubles */
	assert_int_equal(record_layout(&rollcall__rule__descriptor, &l), -ENOTSUP);
	assert_int_equal(record_layout(&rollcall__process__descriptor, &l), -ENOTSUP);
	assert_int_equal(record_layout(&rollcall__ready__descriptor, &l), -ENOTSUP);
}

static void test_exec(void **state)
{
	struct arena *a = arena_new(4096);
	Rollcall__Event *ev;
	struct made m;
	unsigned cut;

	(void)state;
	made_begin(&m, EXEC);
	put(&m, "task", &(uint64_t){77}, 8); /* start_time: the only 8 bytes of a Task, first */
	put(&m, "cgroup_id", &(uint64_t){UINT64_MAX}, 8);
	put(&m, "exe_nlink", &(uint32_t){UINT32_MAX}, 4);
	put(&m, "args_truncated", &(uint8_t){2}, 1); /* any bit is true */
	put_text(&m, "exe", "/bin/sh", 7, 7);
	put_text(&m, "args", "sh\0-c\0", 6, 9000);
	put_text(&m, "comm", "a\0b", 3, 3);
	put_slice(&m, "cwd", (uint32_t)m.size, 0, 1);
	assert_int_equal(decode(a, &m, &ev, &cut), 0);
	assert_int_equal(ev->time, 5);
	assert_int_equal(ev->kind_case, EXEC);
	assert_int_equal(ev->exec->task->start_time, 77);
	assert_true(ev->exec->cgroup_id == UINT64_MAX);
	assert_int_equal(ev->exec->exe_nlink, UINT32_MAX);
	assert_int_equal(ev->exec->args_truncated, 1);
	assert_int_equal(ev->exec->path_truncated, 0);
	assert_string_equal(ev->exec->exe, "/bin/sh");
	assert_int_equal(ev->exec->args.len, 6);
	assert_memory_equal(ev->exec->args.data, "sh\0-c\0", 7); /* and a NUL behind */
	assert_string_equal(ev->exec->comm, "a");
	assert_string_equal(ev->exec->cwd, "");
	assert_string_equal(ev->exec->cgroup, "");
	assert_int_equal(cut, 2); /* args and cwd were longer */
	arena_free(a);
}

/* Scalars of all records arrive in the field that they were written for. */
static void test_scalars(void **state)
{
	const ProtobufCMessageDescriptor *desc = &rollcall__db_end__descriptor;
	struct arena *a = arena_new(4096);
	struct record_layout l;
	Rollcall__Event *ev;
	struct made m;
	unsigned cut;

	(void)state;
	made_begin(&m, ROLLCALL__EVENT__KIND_DB_END);
	assert_int_equal(record_layout(desc, &l), 0);
	for (unsigned i = 0; i < l.n; i++)
		if (l.fields[i].size == 8 || l.fields[i].size == 4)
			put(&m, l.fields[i].field->name,
			    &(uint64_t){l.fields[i].field->id * 0x01010101ull}, l.fields[i].size);
	assert_int_equal(decode(a, &m, &ev, &cut), 0);
	assert_int_equal(ev->db_end->rows, 0x06060606);
	assert_int_equal(ev->db_end->end, 0x0f0f0f0f);
	for (unsigned i = 0; i < l.n; i++) {
		const ProtobufCFieldDescriptor *f = l.fields[i].field;
		uint64_t got = 0;

		if (l.fields[i].size != 8 && l.fields[i].size != 4)
			continue;
		memcpy(&got, (uint8_t *)ev->db_end + f->offset, l.fields[i].size);
		assert_int_equal(got, f->id * 0x01010101ull);
	}
	assert_int_equal(cut, 0);
	arena_free(a);
}

static void test_bad_headers(void **state)
{
	static const unsigned strangers[] = {0, 1, 4, 9, 98, 99, 100, 101, 110, 65535};
	struct made m;

	(void)state;
	for (size_t i = 0; i < sizeof(strangers) / sizeof(strangers[0]); i++) {
		made_begin(&m, EXEC);
		made_header(&m, strangers[i]);
		is_refused(&m);
	}
	made_begin(&m, EXEC);
	m.bytes[offsetof(struct record_header, version)]++;
	is_refused(&m);
	made_begin(&m, EXEC);
	m.bytes[offsetof(struct record_header, size)]++;
	is_refused(&m);
	made_begin(&m, EXEC);
	m.size++; /* more bytes than the header says */
	is_refused(&m);
}

/* Cut anywhere, with a header that knows of it or does not. */
static void test_short(void **state)
{
	struct made m;
	size_t size;

	(void)state;
	made_begin(&m, EXEC);
	size = m.size;
	for (m.size = 0; m.size < size; m.size++) {
		is_refused(&m);
		if (m.size < HEADER)
			continue;
		made_header(&m, EXEC);
		is_refused(&m);
	}
}

static void test_slices(void **state)
{
	static const struct {
		int64_t off; /* from the end */
		uint32_t len;
		bool good;
	} cases[] = {
		{0, 0, true},		{0, 1, false},		{1, 0, false},
		{-1, 1, true},		{-1, 2, false},		{-1, UINT32_MAX, false},
		{0, UINT32_MAX, false}, {UINT32_MAX, 1, false}, {UINT32_MAX, UINT32_MAX, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct arena *a = arena_new(4096);
		Rollcall__Event *ev;
		struct made m;
		unsigned cut;

		made_begin(&m, EXEC);
		put_slice(&m, "cwd", (uint32_t)((int64_t)m.size + cases[i].off), cases[i].len, 0);
		/* 2^32 - 1 from the end is one before the end: the sum wraps */
		if (cases[i].off == UINT32_MAX)
			put_slice(&m, "cwd", UINT32_MAX, cases[i].len, 0);
		assert_int_equal(decode(a, &m, &ev, &cut), cases[i].good ? 0 : -EBADMSG);
		arena_free(a);
	}
}

/* A slice may point anywhere in the record, the header too: it is copied, never followed. */
static void test_slice_of_everything(void **state)
{
	struct arena *a = arena_new(4096);
	Rollcall__Event *ev;
	struct made m;
	unsigned cut;

	(void)state;
	made_begin(&m, EXEC);
	put_slice(&m, "args", 0, (uint32_t)m.size, (uint32_t)m.size);
	assert_int_equal(decode(a, &m, &ev, &cut), 0);
	assert_int_equal(ev->exec->args.len, m.size);
	assert_memory_equal(ev->exec->args.data, m.bytes, m.size);
	arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_layouts),
		cmocka_unit_test(test_what_a_record_cannot_hold),
		cmocka_unit_test(test_exec),
		cmocka_unit_test(test_scalars),
		cmocka_unit_test(test_bad_headers),
		cmocka_unit_test(test_short),
		cmocka_unit_test(test_slices),
		cmocka_unit_test(test_slice_of_everything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
