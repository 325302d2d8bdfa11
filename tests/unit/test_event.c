// SPDX-License-Identifier: Apache-2.0
// Events as JSON, every kind of them; and that no field's number or type ever changes: the wire,
// the spool and the store outlive a version. event_fields.txt is the list, made to grow only.
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/clean.h"
#include "lib/event.h"
#include "transport.pb-c.h"

#define FIELDS	     "tests/unit/event_fields.txt"
#define MESSAGES_MAX 128

/* ---- Samples: a message with all its fields set, made from its descriptor ---- */

static void *sample(struct arena *a, const ProtobufCMessageDescriptor *desc, unsigned depth);

static void sample_value(struct arena *a, const ProtobufCFieldDescriptor *f, void *p,
			 unsigned depth)
{
	uint64_t n = 0x8000000000000000ull + f->id;

	if (f->type == PROTOBUF_C_TYPE_MESSAGE)
		*(void **)p = sample(a, f->descriptor, depth - 1);
	else if (f->type == PROTOBUF_C_TYPE_STRING)
		*(char **)p = arena_printf(a, "%s \"\\\n\t\x01\xc3\xa9", f->name);
	else if (f->type == PROTOBUF_C_TYPE_BYTES)
		*(ProtobufCBinaryData *)p = (ProtobufCBinaryData){3, arena_copy(a, "x\0y", 4)};
	else if (f->type == PROTOBUF_C_TYPE_BOOL)
		*(protobuf_c_boolean *)p = 1;
	else if (f->type == PROTOBUF_C_TYPE_ENUM)
		*(int *)p = 1;
	else if (f->type == PROTOBUF_C_TYPE_DOUBLE)
		*(double *)p = 0.25;
	else if (f->type == PROTOBUF_C_TYPE_UINT32)
		*(uint32_t *)p = 0x80000000u + f->id;
	else if (f->type == PROTOBUF_C_TYPE_SINT32)
		*(int32_t *)p = -(int32_t)f->id;
	else if (f->type == PROTOBUF_C_TYPE_SINT64)
		*(int64_t *)p = -(int64_t)f->id;
	else if (f->type == PROTOBUF_C_TYPE_UINT64 || f->type == PROTOBUF_C_TYPE_FIXED64)
		memcpy(p, &n, sizeof(n));
	else
		fail_msg("%s: teach the test this type", f->name);
}

/* Two of each repeated field. Messages end at `depth`; a oneof is left to the caller. */
static void *sample(struct arena *a, const ProtobufCMessageDescriptor *desc, unsigned depth)
{
	ProtobufCMessage *m = arena_alloc(a, desc->sizeof_message);

	protobuf_c_message_init(desc, m);
	for (unsigned i = 0; i < desc->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &desc->fields[i];
		char *base = (char *)m, *list = arena_alloc(a, 64);

		if (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF ||
		    (f->type == PROTOBUF_C_TYPE_MESSAGE && !depth))
			continue;
		if (f->label != PROTOBUF_C_LABEL_REPEATED) {
			sample_value(a, f, base + f->offset, depth);
			continue;
		}
		for (size_t k = 0; k < 2; k++)
			sample_value(a, f, list + k * sizeof(void *), depth);
		memcpy(base + f->offset, &list, sizeof(list));
		memcpy(base + f->quantifier_offset, &(size_t){2}, sizeof(size_t));
	}
	return m;
}

/* ---- Does a JSON object say what the message says? ---- */

static void message_is(const json_t *j, const ProtobufCMessage *m);

static void value_is(const json_t *j, const ProtobufCFieldDescriptor *f, const void *p)
{
	const ProtobufCBinaryData *bytes = p;
	const char *name;

	switch (f->type) {
	case PROTOBUF_C_TYPE_MESSAGE:
		message_is(j, *(ProtobufCMessage *const *)p);
		break;
	case PROTOBUF_C_TYPE_STRING:
		assert_string_equal(json_string_value(j), *(char *const *)p);
		break;
	case PROTOBUF_C_TYPE_BYTES:
		assert_int_equal(json_string_length(j), bytes->len);
		assert_memory_equal(json_string_value(j), bytes->data, bytes->len);
		break;
	case PROTOBUF_C_TYPE_ENUM:
		name = protobuf_c_enum_descriptor_get_value(f->descriptor, *(const int *)p)->name;
		assert_string_equal(json_string_value(j), name);
		break;
	case PROTOBUF_C_TYPE_BOOL:
		assert_true(json_is_true(j));
		break;
	case PROTOBUF_C_TYPE_DOUBLE:
		assert_true(json_number_value(j) == *(const double *)p);
		break;
	case PROTOBUF_C_TYPE_SINT32:
		assert_true(json_number_value(j) == *(const int32_t *)p);
		break;
	case PROTOBUF_C_TYPE_SINT64:
		assert_true(json_number_value(j) == (double)*(const int64_t *)p);
		break;
	case PROTOBUF_C_TYPE_UINT32:
		assert_int_equal(json_number_value(j), *(const uint32_t *)p);
		break;
	default:
		/* jansson has no unsigned integers: they were read as doubles */
		assert_true(json_number_value(j) == (double)*(const uint64_t *)p);
	}
}

static void field_is(const json_t *j, const ProtobufCFieldDescriptor *f, const ProtobufCMessage *m)
{
	const char *base = (const char *)m, *list;

	if (!j)
		fail_msg("no %s", f->name);
	if (f->label != PROTOBUF_C_LABEL_REPEATED) {
		value_is(j, f, base + f->offset);
		return;
	}
	memcpy(&list, base + f->offset, sizeof(list));
	assert_int_equal(json_array_size(j), 2);
	for (size_t k = 0; k < 2; k++)
		value_is(json_array_get(j, k), f, list + k * sizeof(void *));
}

static void message_is(const json_t *j, const ProtobufCMessage *m)
{
	static const void *const none;

	for (unsigned i = 0; i < m->descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];

		if (f->type == PROTOBUF_C_TYPE_MESSAGE &&
		    memcmp((const char *)m + f->offset, &none, sizeof(none)) == 0)
			assert_null(json_object_get(j, f->name));
		else
			field_is(json_object_get(j, f->name), f, m);
	}
}

static char *json_of(const Rollcall__Event *ev)
{
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	assert_int_equal(event_json(f, ev), 0);
	fclose(f);
	assert_null(strchr(text, '\n'));
	return text;
}

/* Each kind, all of its fields, as JSON and through protobuf. */
static void test_every_kind(void **state)
{
	const ProtobufCMessageDescriptor *desc = &rollcall__event__descriptor;
	const size_t flags = JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL;

	(void)state;
	for (unsigned i = 0; i < desc->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &desc->fields[i];
		struct arena *a = arena_new(4096);
		Rollcall__Event *ev = sample(a, desc, 3), *again;
		_cleanup_(freep) char *text = NULL, *after = NULL;
		_cleanup_(freep) uint8_t *packed = NULL;
		ProtobufCMessage *kind;
		size_t n;
		json_t *j;

		if (!(f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)) {
			arena_free(a);
			continue;
		}
		kind = sample(a, f->descriptor, 3);
		ev->kind_case = (Rollcall__Event__KindCase)f->id;
		memcpy((char *)ev + f->offset, &kind, sizeof(kind));
		assert_string_equal(event_kind(ev), f->name);
		text = json_of(ev);
		j = json_loads(text, flags, NULL);
		assert_string_equal(json_string_value(json_object_get(j, "event")), f->name);
		assert_string_equal(json_string_value(json_object_get(j, "host")), ev->host);
		message_is(json_object_get(j, "process"), &ev->process->base);
		/* A finding's own id is the one that is told: it is the same under all updates. */
		message_is(j, kind);
		json_decref(j);
		packed = malloc(rollcall__event__get_packed_size(ev));
		n = rollcall__event__pack(ev, packed);
		again = rollcall__event__unpack(arena_protobuf(a), n, packed);
		assert_non_null(again);
		after = json_of(again);
		assert_string_equal(text, after);
		arena_free(a);
	}
}

/* What the issue of the JSON contract names, to the letter. */
static void test_db_result(void **state)
{
	Rollcall__Event ev;
	Rollcall__Process shell, parent;
	Rollcall__DbResult result;
	Rollcall__Client client;
	Rollcall__Db db;
	char words[][24] = {"psql", "-c", "hr.public.staff", "mdm1", "/usr/bin/psql", "select ?"};
	char *args[] = {words[0], words[1]}, *tables[] = {words[2]};
	_cleanup_(freep) char *text = NULL;

	(void)state;
	rollcall__event__init(&ev);
	rollcall__process__init(&shell);
	rollcall__process__init(&parent);
	rollcall__db_result__init(&result);
	rollcall__client__init(&client);
	rollcall__db__init(&db);
	ev.time = 1790000000000000042;
	ev.host = words[3];
	ev.process = &shell;
	ev.kind_case = ROLLCALL__EVENT__KIND_DB_RESULT;
	ev.db_result = &result;
	shell.pid = 7;
	shell.exe = words[4];
	shell.args = args;
	shell.n_args = 2;
	parent.pid = 6;
	shell.parent = &parent;
	result.db = &db;
	db.system = ROLLCALL__SYSTEM__postgresql;
	db.tables = tables;
	db.n_tables = 1;
	db.rows = 5000;
	db.statement = words[5];
	db.confidence = ROLLCALL__CONFIDENCE__exact;
	db.end = ROLLCALL__END__complete;
	db.tap = ROLLCALL__TAP__uprobe;
	client.pid = 5;
	db.client = &client;
	db.fraction = 0.5;
	text = json_of(&ev);
	assert_string_equal(
		text,
		"{\"time\":\"2026-09-21T14:13:20.000000042Z\",\"host\":\"mdm1\",\"event\":\"db_"
		"result\","
		"\"process\":{\"pid\":7,\"exe\":\"/usr/bin/psql\",\"args\":[\"psql\",\"-c\"],"
		"\"parent\":{\"pid\":6,\"start_time\":0,\"uid\":0,\"exe_inode\":0,"
		"\"exe_deleted\":false,\"args_truncated\":false,\"path_truncated\":false},"
		"\"start_time\":0,\"uid\":0,\"exe_inode\":0,\"exe_deleted\":false,"
		"\"args_truncated\":false,\"path_truncated\":false},"
		"\"db\":{\"system\":\"postgresql\",\"tables\":[\"hr.public.staff\"],\"rows\":5000,"
		"\"bytes\":0,\"statement\":\"select ?\",\"confidence\":\"exact\","
		"\"end\":\"complete\",\"tap\":\"uprobe\",\"client\":{\"pid\":5},\"duration\":0,"
		"\"fraction\":0.5,\"max_row\":0,\"side_bytes\":0,\"server_side\":false,"
		"\"server_pid\":0,\"pages\":0,\"page_coverage\":0,\"page_rows\":0,\"rows_written\":"
		"0,\"rows_read\":0,\"read_fraction\":0,\"uncounted\":false}}");
}

static void test_nothing_set(void **state)
{
	Rollcall__Event ev;
	_cleanup_(freep) char *text = NULL;

	(void)state;
	rollcall__event__init(&ev);
	assert_string_equal(event_kind(&ev), "");
	text = json_of(&ev);
	assert_string_equal(
		text, "{\"time\":\"1970-01-01T00:00:00.000000000Z\",\"host\":\"\",\"event\":\"\"}");
}

/* Nothing is set in a message in which only an empty message is. */
static void test_nothing_inside(void **state)
{
	Rollcall__Event ev;
	Rollcall__DbResult result;
	Rollcall__Db db;
	Rollcall__Client client;
	_cleanup_(freep) char *text = NULL;

	(void)state;
	rollcall__event__init(&ev);
	rollcall__db_result__init(&result);
	rollcall__db__init(&db);
	rollcall__client__init(&client);
	ev.kind_case = ROLLCALL__EVENT__KIND_DB_RESULT;
	ev.db_result = &result;
	result.db = &db;
	db.client = &client;
	text = json_of(&ev);
	assert_string_equal(text, "{\"time\":\"1970-01-01T00:00:00.000000000Z\",\"host\":\"\","
				  "\"event\":\"db_result\"}");
}

static void test_strings(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{"", ""},
		{"a\"b\\c/d", "a\\\"b\\\\c/d"},
		{"\n\t\r\x01\x1f\x7f", "\\n\\t\\u000d\\u0001\\u001f\\u007f"},
		{"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf",
		 "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf"},
		{"\x80", "\\ufffd"},				      /* no lead */
		{"\xc3", "\\ufffd"},				      /* cut */
		{"\xc3(", "\\ufffd("},				      /* no continuation */
		{"\xe2\x82", "\\ufffd\\ufffd"},			      /* cut */
		{"\xc0\xaf\xc1\xbf", "\\ufffd\\ufffd\\ufffd\\ufffd"}, /* overlong */
		{"\xe0\x9f\xbf", "\\ufffd\\ufffd\\ufffd"},	      /* overlong */
		{"\xf0\x8f\xbf\xbf", "\\ufffd\\ufffd\\ufffd\\ufffd"}, /* overlong */
		{"\xed\xa0\x80", "\\ufffd\\ufffd\\ufffd"},	      /* a surrogate */
		{"\xf4\x90\x80\x80", "\\ufffd\\ufffd\\ufffd\\ufffd"}, /* beyond U+10FFFF */
		{"\xf5\xff", "\\ufffd\\ufffd"},
		{"</script>", "</script>"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_(freep) char *text = NULL, *wanted = NULL;
		size_t n;
		FILE *f = open_memstream(&text, &n);

		event_json_string(f, cases[i].in, strlen(cases[i].in));
		fclose(f);
		assert_true(asprintf(&wanted, "\"%s\"", cases[i].out) > 0);
		assert_string_equal(text, wanted);
	}
}

static void test_times(void **state)
{
	char buf[31];

	(void)state;
	assert_string_equal(event_time(1, buf, sizeof(buf)), "1970-01-01T00:00:00.000000001Z");
	assert_string_equal(event_time(951782399999999999, buf, sizeof(buf)),
			    "2000-02-28T23:59:59.999999999Z");
	assert_string_equal(event_time(951782400000000000, buf, sizeof(buf)),
			    "2000-02-29T00:00:00.000000000Z");
	assert_string_equal(event_time(UINT64_MAX, buf, sizeof(buf)),
			    "2554-07-21T23:34:33.709551615Z");
}

static void test_an_unknown_number(void **state)
{
	Rollcall__Event ev;
	Rollcall__DbResult result;
	Rollcall__Db db;
	_cleanup_(freep) char *text = NULL;

	(void)state;
	rollcall__event__init(&ev);
	rollcall__db_result__init(&result);
	rollcall__db__init(&db);
	/* A newer sensor's value. */
	db.end = (Rollcall__End)99;
	result.db = &db;
	ev.kind_case = ROLLCALL__EVENT__KIND_DB_RESULT;
	ev.db_result = &result;
	text = json_of(&ev);
	assert_non_null(strstr(text, ",\"end\":null,"));
}

static void test_a_full_disk(void **state)
{
	Rollcall__Event ev;
	FILE *f = fopen("/dev/full", "w");

	(void)state;
	rollcall__event__init(&ev);
	assert_non_null(f);
	setvbuf(f, NULL, _IONBF, 0);
	assert_int_equal(event_json(f, &ev), -EIO);
	clearerr(f);
	assert_int_equal(event_message_json(f, &ev.base), -EIO);
	fclose(f);
}

/* ---- The list of fields ---- */

struct walk {
	unsigned n;
	const void *done[MESSAGES_MAX]; /* descriptors */
	FILE *out;
};

static bool walk_begins(struct walk *w, const void *desc)
{
	for (unsigned i = 0; i < w->n; i++)
		if (w->done[i] == desc)
			return false;
	assert_true(w->n < MESSAGES_MAX);
	w->done[w->n++] = desc;
	return true;
}

static void walk_enum(struct walk *w, const ProtobufCEnumDescriptor *desc)
{
	if (!walk_begins(w, desc))
		return;
	for (unsigned i = 0; i < desc->n_values; i++)
		fprintf(w->out, "%s.%s=%d\n", desc->short_name, desc->values[i].name,
			desc->values[i].value);
}

static const char *type_name(const ProtobufCFieldDescriptor *f)
{
	static const char *const names[] = {
		[PROTOBUF_C_TYPE_INT32] = "int32",	 [PROTOBUF_C_TYPE_SINT32] = "sint32",
		[PROTOBUF_C_TYPE_SFIXED32] = "sfixed32", [PROTOBUF_C_TYPE_INT64] = "int64",
		[PROTOBUF_C_TYPE_SINT64] = "sint64",	 [PROTOBUF_C_TYPE_SFIXED64] = "sfixed64",
		[PROTOBUF_C_TYPE_UINT32] = "uint32",	 [PROTOBUF_C_TYPE_FIXED32] = "fixed32",
		[PROTOBUF_C_TYPE_UINT64] = "uint64",	 [PROTOBUF_C_TYPE_FIXED64] = "fixed64",
		[PROTOBUF_C_TYPE_FLOAT] = "float",	 [PROTOBUF_C_TYPE_DOUBLE] = "double",
		[PROTOBUF_C_TYPE_BOOL] = "bool",	 [PROTOBUF_C_TYPE_STRING] = "string",
		[PROTOBUF_C_TYPE_BYTES] = "bytes",
	};

	if (f->type == PROTOBUF_C_TYPE_MESSAGE)
		return ((const ProtobufCMessageDescriptor *)f->descriptor)->short_name;
	if (f->type == PROTOBUF_C_TYPE_ENUM)
		return ((const ProtobufCEnumDescriptor *)f->descriptor)->short_name;
	return names[f->type];
}

/* "Db.tables=4 repeated string" for each field, of all messages that this one holds too. */
static void walk_message(struct walk *w, const ProtobufCMessageDescriptor *desc)
{
	if (!walk_begins(w, desc))
		return;
	for (unsigned i = 0; i < desc->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &desc->fields[i];

		fprintf(w->out, "%s.%s=%u %s%s\n", desc->short_name, f->name, f->id,
			f->label == PROTOBUF_C_LABEL_REPEATED ? "repeated " : "", type_name(f));
	}
	for (unsigned i = 0; i < desc->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &desc->fields[i];

		if (f->type == PROTOBUF_C_TYPE_MESSAGE)
			walk_message(w, f->descriptor);
		if (f->type == PROTOBUF_C_TYPE_ENUM)
			walk_enum(w, f->descriptor);
	}
}

/* All fields there are, a line each. */
static char *fields_walk(void)
{
	static const ProtobufCMessageDescriptor *const roots[] = {
		&rollcall__event__descriptor,	&rollcall__hello__descriptor,
		&rollcall__welcome__descriptor, &rollcall__batch__descriptor,
		&rollcall__records__descriptor, &rollcall__block__descriptor,
		&rollcall__ack__descriptor,	&rollcall__ping__descriptor,
		&rollcall__order__descriptor,	&rollcall__refuse__descriptor,
	};
	char *text = NULL;
	size_t n;
	struct walk w = {.out = open_memstream(&text, &n)};

	for (size_t i = 0; i < sizeof(roots) / sizeof(roots[0]); i++)
		walk_message(&w, roots[i]);
	fclose(w.out);
	return text;
}

/* Is this line, its newline included, one of the text's? */
static bool has_line(const char *text, const char *line, size_t len)
{
	for (const char *p = text; *p; p = strchr(p, '\n') + 1)
		if (strncmp(p, line, len) == 0)
			return true;
	return false;
}

/* Prints the lines of `text` that `in` has not. */
static unsigned lines_missing(const char *text, const char *in, const char *what)
{
	unsigned missing = 0;

	for (const char *p = text; *p; p = strchr(p, '\n') + 1) {
		size_t len = strcspn(p, "\n") + 1;

		if (*p == '#' || has_line(in, p, len))
			continue;
		if (!missing++)
			fprintf(stderr, "%s\n", what);
		fprintf(stderr, "%.*s", (int)len, p);
	}
	return missing;
}

static void test_fields(void **state)
{
	_cleanup_(freep) char *present = fields_walk(), *listed = calloc(1, 65536);
	FILE *f = fopen(FIELDS, "r");
	size_t n;

	(void)state;
	assert_non_null(f);
	n = fread(listed, 1, 65535, f);
	fclose(f);
	assert_true(n > 0 && n < 65535 && listed[n - 1] == '\n');
	assert_int_equal(0,
			 lines_missing(listed, present,
				       "These were in the contract and are gone or changed. Give "
				       "them their number and type back; a new meaning takes a new "
				       "number:"));
	assert_int_equal(0, lines_missing(present, listed,
					  "These are new. Append them to " FIELDS
					  ", where no line is ever changed or removed:"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_kind),
		cmocka_unit_test(test_db_result),
		cmocka_unit_test(test_nothing_set),
		cmocka_unit_test(test_nothing_inside),
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_an_unknown_number),
		cmocka_unit_test(test_a_full_disk),
		cmocka_unit_test(test_fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
