// SPDX-License-Identifier: Apache-2.0
// JSON to events, by jansson and the descriptors.
#include "lib/event_read.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "lib/arena.h"
#include "lib/clean.h"

#define DEPTH_MAX 64 /* of messages: a process and its ancestors */

struct read {
	struct arena *arena;
	char *why;
	size_t size;
	unsigned depth;
};

static void decrefp(json_t **j)
{
	json_decref(*j);
}

static int wrong(struct read *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static int wrong(struct read *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(r->why, r->size, fmt, ap);
	va_end(ap);
	return -EBADMSG;
}

static int message_read(struct read *r, const ProtobufCMessageDescriptor *d, const json_t *j,
			ProtobufCMessage **ret_msg);

#define UINT64_END 18446744073709551616.0

static int number_read(struct read *r, const ProtobufCFieldDescriptor *f, const json_t *j, void *p)
{
	bool with_sign = f->type == PROTOBUF_C_TYPE_SINT32 || f->type == PROTOBUF_C_TYPE_SINT64;
	double n = json_number_value(j);

	if (!json_is_number(j) || (n < 0 && !with_sign) || n < -9223372036854774784.0 ||
	    n > UINT64_END)
		return wrong(r, "%s: a number is expected", f->name);
	switch (f->type) {
	case PROTOBUF_C_TYPE_DOUBLE:
		*(double *)p = n;
		return 0;
	case PROTOBUF_C_TYPE_SINT32:
		*(int32_t *)p = n < INT32_MIN ? INT32_MIN : n > INT32_MAX ? INT32_MAX : (int32_t)n;
		return 0;
	case PROTOBUF_C_TYPE_SINT64:
		*(int64_t *)p = json_is_integer(j)	    ? json_integer_value(j)
				: n > 9223372036854774784.0 ? INT64_MAX
							    : (int64_t)n;
		return 0;
	case PROTOBUF_C_TYPE_UINT32:
		*(uint32_t *)p = n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
		return 0;
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		*(uint64_t *)p = json_is_integer(j) ? (uint64_t)json_integer_value(j)
				 : n == UINT64_END  ? UINT64_MAX
						    : (uint64_t)n;
		return 0;
	default:
		return wrong(r, "%s: a field of this type cannot be read", f->name);
	}
}

static int text_read(struct read *r, const ProtobufCFieldDescriptor *f, const json_t *j, void *p)
{
	const ProtobufCEnumValue *v;
	ProtobufCBinaryData *bytes = p;
	const char *text = json_string_value(j);

	if (f->type == PROTOBUF_C_TYPE_ENUM && json_is_null(j))
		return 0;
	if (!text || (f->type != PROTOBUF_C_TYPE_BYTES && strlen(text) != json_string_length(j)))
		return wrong(r, "%s: a text is expected", f->name);
	if (f->type == PROTOBUF_C_TYPE_ENUM) {
		v = protobuf_c_enum_descriptor_get_value_by_name(f->descriptor, text);
		if (!v)
			return wrong(r, "%s: no such value: '%.40s'", f->name, text);
		*(int *)p = v->value;
		return 0;
	}
	if (f->type == PROTOBUF_C_TYPE_STRING) {
		*(char **)p = arena_strdup(r->arena, text);
		return *(char **)p ? 0 : -ENOMEM;
	}
	bytes->len = json_string_length(j);
	bytes->data = arena_copy(r->arena, text, bytes->len);
	return bytes->data ? 0 : -ENOMEM;
}

static int value_read(struct read *r, const ProtobufCFieldDescriptor *f, const json_t *j, void *p)
{
	switch (f->type) {
	case PROTOBUF_C_TYPE_MESSAGE:
		return message_read(r, f->descriptor, j, p);
	case PROTOBUF_C_TYPE_BOOL:
		if (!json_is_boolean(j))
			return wrong(r, "%s: true or false is expected", f->name);
		*(protobuf_c_boolean *)p = json_is_true(j);
		return 0;
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_BYTES:
	case PROTOBUF_C_TYPE_ENUM:
		return text_read(r, f, j, p);
	default:
		return number_read(r, f, j, p);
	}
}

/* Lists are of texts or messages: of pointers. */
static int list_read(struct read *r, const ProtobufCFieldDescriptor *f, const json_t *j,
		     ProtobufCMessage *msg)
{
	size_t n = json_array_size(j);
	void **list = arena_alloc(r->arena, (n + 1) * sizeof(*list));
	int e = 0;

	if (!json_is_array(j) ||
	    (f->type != PROTOBUF_C_TYPE_STRING && f->type != PROTOBUF_C_TYPE_MESSAGE))
		return wrong(r, "%s: a list is expected", f->name);
	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < n && e == 0; i++)
		e = value_read(r, f, json_array_get(j, i), &list[i]);
	*(size_t *)(void *)((char *)msg + f->quantifier_offset) = n;
	*(void ***)(void *)((char *)msg + f->offset) = list;
	return e;
}

static int field_read(struct read *r, ProtobufCMessage *msg, const char *name, const json_t *j)
{
	const ProtobufCFieldDescriptor *f =
		protobuf_c_message_descriptor_get_field_by_name(msg->descriptor, name);

	if (!f)
		return wrong(r, "%s has no field '%.60s'", msg->descriptor->short_name, name);
	if (f->label == PROTOBUF_C_LABEL_REPEATED)
		return list_read(r, f, j, msg);
	return value_read(r, f, j, (char *)msg + f->offset);
}

static ProtobufCMessage *message_new(struct read *r, const ProtobufCMessageDescriptor *d)
{
	ProtobufCMessage *m = arena_alloc(r->arena, d->sizeof_message);

	if (m)
		protobuf_c_message_init(d, m);
	return m;
}

static int message_read(struct read *r, const ProtobufCMessageDescriptor *d, const json_t *j,
			ProtobufCMessage **ret_msg)
{
	ProtobufCMessage *m = message_new(r, d);
	const char *name;
	json_t *value;
	int e = 0;

	if (!m)
		return -ENOMEM;
	if (!json_is_object(j) || r->depth == DEPTH_MAX)
		return wrong(r, "%s: an object is expected", d->short_name);
	r->depth++;
	/* jansson's iteration does not change the object, but does not say so. */
	json_object_foreach((json_t *)(uintptr_t)j, name, value)
	{
		e = field_read(r, m, name, value);
		if (e < 0)
			break;
	}
	r->depth--;
	*ret_msg = m;
	return e;
}

static int time_read(struct read *r, const json_t *j, uint64_t *ret_ns)
{
	const char *text = json_string_value(j), *end;
	uint64_t ns = 0, unit = 100000000;
	struct tm tm = {};

	end = text ? strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) : NULL;
	if (!end)
		return wrong(r, "time: RFC 3339 is expected");
	for (end += *end == '.'; *end >= '0' && *end <= '9'; end++, unit /= 10)
		ns += (uint64_t)(*end - '0') * unit;
	if (strcmp(end, "Z") != 0)
		return wrong(r, "time: RFC 3339 in UTC is expected");
	*ret_ns = (uint64_t)timegm(&tm) * 1000000000 + ns;
	return 0;
}

/* The event's own fields, and its kind's message. */
static int kind_read(struct read *r, const json_t *j, Rollcall__Event *ev)
{
	const char *kind = json_string_value(json_object_get(j, "event"));
	const ProtobufCFieldDescriptor *f =
		kind ? protobuf_c_message_descriptor_get_field_by_name(ev->base.descriptor, kind)
		     : NULL;
	ProtobufCMessage *m;

	if (!f || !(f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF))
		return wrong(r, "event: no such kind: '%.40s'", kind ? kind : "");
	m = message_new(r, f->descriptor);
	if (!m)
		return -ENOMEM;
	ev->kind_case = f->id;
	*(ProtobufCMessage **)(void *)((char *)ev + f->offset) = m;
	return 0;
}

static int member_read(struct read *r, Rollcall__Event *ev, const ProtobufCFieldDescriptor *kind,
		       const char *name, const json_t *j)
{
	ProtobufCMessage *m = *(ProtobufCMessage **)(void *)((char *)ev + kind->offset);

	if (strcmp(name, "event") == 0)
		return 0;
	if (strcmp(name, "time") == 0)
		return time_read(r, j, &ev->time);
	/* A finding's own id stands in the place of the event's. */
	if (strcmp(name, "host") == 0 || strcmp(name, "process") == 0 ||
	    (strcmp(name, "id") == 0 &&
	     !protobuf_c_message_descriptor_get_field_by_name(m->descriptor, "id")))
		return field_read(r, &ev->base, name, j);
	return field_read(r, m, name, j);
}

/* A whole number that jansson's do not hold is a real one, nearly. */
static json_t *json_read(const char *text, size_t len, size_t flags, json_error_t *error)
{
	json_t *j = json_loadb(text, len, flags, error);

	if (!j && json_error_code(error) == json_error_numeric_overflow)
		j = json_loadb(text, len, flags | JSON_DECODE_INT_AS_REAL, error);
	return j;
}

int event_read_message(struct arena *a, const char *text, size_t len,
		       const ProtobufCMessageDescriptor *d, ProtobufCMessage **ret_msg, char *why,
		       size_t size)
{
	struct read r = {a, why, size, 0};
	json_error_t error;
	_cleanup_(decrefp) json_t *j = json_read(text, len, JSON_REJECT_DUPLICATES, &error);

	if (!json_is_object(j))
		return wrong(&r, "not a JSON object: %.80s", j ? "" : error.text);
	return message_read(&r, d, j, ret_msg);
}

int event_read(struct arena *a, const char *text, size_t len, Rollcall__Event **ret_ev, char *why,
	       size_t size)
{
	struct read r = {a, why, size, 0};
	json_error_t error;
	_cleanup_(decrefp) json_t *j =
		json_read(text, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
	Rollcall__Event *ev = arena_alloc(a, sizeof(*ev));
	const ProtobufCFieldDescriptor *kind;
	const char *name;
	json_t *value;
	int e;

	if (!ev)
		return -ENOMEM;
	if (!json_is_object(j))
		return wrong(&r, "not a JSON object: %.80s", j ? "" : error.text);
	rollcall__event__init(ev);
	e = kind_read(&r, j, ev);
	if (e < 0)
		return e;
	kind = protobuf_c_message_descriptor_get_field(ev->base.descriptor, ev->kind_case);
	json_object_foreach(j, name, value)
	{
		e = member_read(&r, ev, kind, name, value);
		if (e < 0)
			return e;
	}
	*ret_ev = ev;
	return 0;
}
