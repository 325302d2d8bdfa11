// SPDX-License-Identifier: Apache-2.0
// Events as JSON. Called by every writer of JSON; knows no event by name.
#include "lib/event.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "lib/kind.h"
#include "lib/utf8.h"

/* The stream is one thread's: its functions without a lock take a fifth of the time. */
static void json_text(FILE *out, const char *s)
{
	fputs_unlocked(s, out);
}

static bool is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/* A byte that stands for itself nowhere, or begins a character of several. How many it took. */
static size_t json_special(FILE *out, const char *s, size_t len)
{
	unsigned char c = (unsigned char)*s;
	uint32_t code;
	size_t n = 1;

	if (c == '"' || c == '\\') {
		putc_unlocked('\\', out);
		putc_unlocked(c, out);
	} else if (c == '\n') {
		json_text(out, "\\n");
	} else if (c == '\t') {
		json_text(out, "\\t");
	} else if (c < 0x80) {
		fprintf(out, "\\u%04x", c);
	} else if ((n = utf8_decode(s, len, &code)) != 0) {
		fwrite_unlocked(s, 1, n, out);
	} else {
		json_text(out, "\\ufffd");
		n = 1;
	}
	return n;
}

void event_json_string(FILE *out, const char *s, size_t len)
{
	putc_unlocked('"', out);
	for (size_t i = 0; i < len;) {
		size_t run = 0;

		while (i + run < len && is_plain((unsigned char)s[i + run]))
			run++;
		fwrite_unlocked(s + i, 1, run, out);
		i += run;
		if (i < len)
			i += json_special(out, s + i, len - i);
	}
	putc_unlocked('"', out);
}

static void json_unsigned(FILE *out, uint64_t value)
{
	char text[20], *at = text + sizeof(text);

	do {
		*--at = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	fwrite_unlocked(at, 1, (size_t)(text + sizeof(text) - at), out);
}

static void json_signed(FILE *out, int64_t value)
{
	if (value < 0)
		putc_unlocked('-', out);
	json_unsigned(out, value < 0 ? -(uint64_t)value : (uint64_t)value);
}

static void json_enum(FILE *out, const ProtobufCFieldDescriptor *f, int value)
{
	const ProtobufCEnumValue *v = protobuf_c_enum_descriptor_get_value(f->descriptor, value);

	if (v && value)
		event_json_string(out, v->name, strlen(v->name));
	else
		json_text(out, "null");
}

static void json_value(FILE *out, const ProtobufCFieldDescriptor *f, const void *p)
{
	const ProtobufCBinaryData *bytes = p;

	switch (f->type) {
	case PROTOBUF_C_TYPE_MESSAGE:
		event_message_json(out, *(ProtobufCMessage *const *)p);
		break;
	case PROTOBUF_C_TYPE_STRING:
		event_json_string(out, *(char *const *)p, strlen(*(char *const *)p));
		break;
	case PROTOBUF_C_TYPE_BYTES:
		event_json_string(out, (const char *)bytes->data, bytes->len);
		break;
	case PROTOBUF_C_TYPE_ENUM:
		json_enum(out, f, *(const int *)p);
		break;
	case PROTOBUF_C_TYPE_BOOL:
		json_text(out, *(const protobuf_c_boolean *)p ? "true" : "false");
		break;
	case PROTOBUF_C_TYPE_DOUBLE:
		fprintf(out, "%.9g", *(const double *)p);
		break;
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_INT32:
		json_signed(out, *(const int32_t *)p);
		break;
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_INT64:
		json_signed(out, *(const int64_t *)p);
		break;
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
		json_unsigned(out, *(const uint32_t *)p);
		break;
	default:
		json_unsigned(out, *(const uint64_t *)p);
	}
}

static size_t element_size(const ProtobufCFieldDescriptor *f)
{
	switch (f->type) {
	case PROTOBUF_C_TYPE_BYTES:
		return sizeof(ProtobufCBinaryData);
	case PROTOBUF_C_TYPE_MESSAGE:
	case PROTOBUF_C_TYPE_STRING:
		return sizeof(void *);
	case PROTOBUF_C_TYPE_BOOL:
		return sizeof(protobuf_c_boolean);
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_FIXED32:
	case PROTOBUF_C_TYPE_ENUM:
		return 4;
	default:
		return 8;
	}
}

static int message_empty(const ProtobufCMessage *msg);

static int field_absent(const ProtobufCFieldDescriptor *f, const ProtobufCMessage *msg)
{
	const char *base = (const char *)msg;
	const void *p = base + f->offset;

	if (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
		return *(const uint32_t *)(const void *)(base + f->quantifier_offset) != f->id;
	if (f->label == PROTOBUF_C_LABEL_REPEATED)
		return *(const size_t *)(const void *)(base + f->quantifier_offset) == 0;
	switch (f->type) {
	case PROTOBUF_C_TYPE_MESSAGE:
		return !*(void *const *)p || message_empty(*(ProtobufCMessage *const *)p);
	case PROTOBUF_C_TYPE_STRING:
		return !*(char *const *)p || !**(char *const *)p;
	case PROTOBUF_C_TYPE_BYTES:
		return ((const ProtobufCBinaryData *)p)->len == 0;
	case PROTOBUF_C_TYPE_ENUM:
		return *(const int *)p == 0;
	default:
		return 0;
	}
}

/* One with nothing in it: a kernel record holds those of its messages that mean none. */
static int message_empty(const ProtobufCMessage *msg)
{
	static const char zero[8];

	for (unsigned i = 0; i < msg->descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &msg->descriptor->fields[i];

		if (!field_absent(f, msg) &&
		    (f->label == PROTOBUF_C_LABEL_REPEATED || f->type == PROTOBUF_C_TYPE_MESSAGE ||
		     f->type == PROTOBUF_C_TYPE_STRING || f->type == PROTOBUF_C_TYPE_BYTES ||
		     memcmp((const char *)msg + f->offset, zero, element_size(f)) != 0))
			return 0;
	}
	return 1;
}

static void json_field(FILE *out, const ProtobufCFieldDescriptor *f, const ProtobufCMessage *msg)
{
	const char *base = (const char *)msg;
	const char *list;
	size_t n;

	putc_unlocked('"', out);
	json_text(out, f->name);
	json_text(out, "\":");
	if (f->label != PROTOBUF_C_LABEL_REPEATED) {
		json_value(out, f, base + f->offset);
		return;
	}
	n = *(const size_t *)(const void *)(base + f->quantifier_offset);
	list = *(const char *const *)(const void *)(base + f->offset);
	putc_unlocked('[', out);
	for (size_t i = 0; i < n; i++) {
		if (i)
			putc_unlocked(',', out);
		json_value(out, f, list + i * element_size(f));
	}
	putc_unlocked(']', out);
}

static void json_fields(FILE *out, const ProtobufCMessage *msg, int first)
{
	const ProtobufCMessageDescriptor *desc = msg->descriptor;

	for (unsigned i = 0; i < desc->n_fields; i++) {
		if (field_absent(&desc->fields[i], msg))
			continue;
		if (!first)
			putc_unlocked(',', out);
		first = 0;
		json_field(out, &desc->fields[i], msg);
	}
}

int event_message_json(FILE *out, const ProtobufCMessage *msg)
{
	putc_unlocked('{', out);
	json_fields(out, msg, 1);
	putc_unlocked('}', out);
	return ferror(out) ? -EIO : 0;
}

const char *event_kind(const Rollcall__Event *ev)
{
	const struct kind *k = kind_of(ev->kind_case);

	return k ? k->field->name : "";
}

/* The kinds are the members of the one union. */
bool event_is_kind(const char *name)
{
	const ProtobufCFieldDescriptor *f =
		protobuf_c_message_descriptor_get_field_by_name(&rollcall__event__descriptor, name);

	return f && f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF;
}

const ProtobufCMessage *event_message(const Rollcall__Event *ev)
{
	const struct kind *k = kind_of(ev->kind_case);

	return k ? kind_message(k, ev) : NULL;
}

const Rollcall__Task *event_task(const Rollcall__Event *ev)
{
	const struct kind *k = kind_of(ev->kind_case);

	if (!k || !k->task)
		return NULL;
	return *(Rollcall__Task *const *)(const void *)((const char *)kind_message(k, ev) +
							k->task->offset);
}

const char *event_time(uint64_t ns, char *buf, size_t size)
{
	time_t s = (time_t)(ns / 1000000000);
	struct tm tm;
	size_t n;

	gmtime_r(&s, &tm);
	n = strftime(buf, size, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(buf + n, size - n, ".%09uZ", (unsigned)(ns % 1000000000));
	return buf;
}

/* A finding's own id, the same in all its updates, is told in the place of the event's. */
static int message_has_id(const ProtobufCMessage *m)
{
	return m && protobuf_c_message_descriptor_get_field_by_name(m->descriptor, "id");
}

int event_json(FILE *out, const Rollcall__Event *ev)
{
	const ProtobufCMessage *m = event_message(ev);
	char buf[40];

	json_text(out, "{\"time\":\"");
	json_text(out, event_time(ev->time, buf, sizeof(buf)));
	json_text(out, "\",\"host\":");
	event_json_string(out, ev->host, strlen(ev->host));
	json_text(out, ",\"event\":\"");
	json_text(out, event_kind(ev));
	putc_unlocked('"', out);
	if (ev->id && *ev->id && !message_has_id(m)) {
		json_text(out, ",\"id\":");
		event_json_string(out, ev->id, strlen(ev->id));
	}
	if (ev->process) {
		json_text(out, ",\"process\":");
		event_message_json(out, &ev->process->base);
	}
	if (m)
		json_fields(out, m, 0);
	putc_unlocked('}', out);
	return ferror(out) ? -EIO : 0;
}
