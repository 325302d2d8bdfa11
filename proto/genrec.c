// SPDX-License-Identifier: Apache-2.0
// Prints the record structs that BPF programs fill, walked from event.proto's descriptors.
// Run by the build; a field type that a record cannot hold stops it with the field's name.
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "lib/record.h"

#define DONE_MAX 256

static const char *c_type(const ProtobufCFieldDescriptor *f, size_t size)
{
	if (size == 8)
		return f->type == PROTOBUF_C_TYPE_SINT64 ? "__s64" : "__u64";
	if (size == 4)
		return f->type == PROTOBUF_C_TYPE_SINT32 ? "__s32" : "__u32";
	return size == 1 ? "__u8" : "struct record_slice";
}

/* "DbEnd" -> "db_end" */
static const char *snake(const char *camel, char *buf, size_t size)
{
	size_t n = 0;

	for (const char *p = camel; *p && n + 2 < size; p++) {
		int upper = *p >= 'A' && *p <= 'Z';

		if (upper && p != camel)
			buf[n++] = '_';
		buf[n++] = (char)(upper ? *p + 32 : *p);
	}
	buf[n] = '\0';
	return buf;
}

static int print_message(const ProtobufCMessageDescriptor *desc, unsigned kind, const char *done[],
			 unsigned *n_done)
{
	struct record_layout layout;
	char name[64];
	size_t end = 0;
	int r = record_layout(desc, &layout);

	if (r < 0) {
		fprintf(stderr, "genrec: message %s cannot be a kernel record\n", desc->name);
		return r;
	}
	for (unsigned i = 0; i < *n_done; i++)
		if (done[i] == desc->name)
			return 0;
	done[(*n_done)++] = desc->name;
	for (unsigned i = 0; i < layout.n; i++)
		if (layout.fields[i].field->type == PROTOBUF_C_TYPE_MESSAGE &&
		    print_message(layout.fields[i].field->descriptor, 0, done, n_done) < 0)
			return -ENOTSUP;
	printf("struct rec_%s {\n", snake(desc->short_name, name, sizeof(name)));
	if (kind)
		printf("\tstruct record_header h;\n");
	for (unsigned i = 0; i < layout.n; i++) {
		const ProtobufCFieldDescriptor *f = layout.fields[i].field;

		if (f->type == PROTOBUF_C_TYPE_MESSAGE)
			printf("\tstruct rec_%s %s;\n",
			       snake(((const ProtobufCMessageDescriptor *)f->descriptor)
					     ->short_name,
				     name, sizeof(name)),
			       f->name);
		else
			printf("\t%s %s;\n", c_type(f, layout.fields[i].size), f->name);
		end = layout.fields[i].off + layout.fields[i].size;
	}
	if (layout.size > end)
		printf("\t__u8 pad_[%zu];\n", layout.size - end);
	printf("};\n\n");
	return 0;
}

static void print_enum(const ProtobufCEnumDescriptor *desc)
{
	char name[64];

	printf("enum rec_%s {\n", snake(desc->short_name, name, sizeof(name)));
	for (unsigned i = 0; i < desc->n_values; i++)
		if (desc->values[i].value)
			printf("\t%s_%s = %d,\n", desc->short_name, desc->values[i].name,
			       desc->values[i].value);
	printf("};\n\n");
}

/* Every enum of a message and of those in it; `done` are those that were printed already. */
static void print_enums(const ProtobufCMessageDescriptor *desc, const void *done[],
			unsigned *n_done)
{
	for (unsigned i = 0; i < desc->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &desc->fields[i];
		bool known = f->descriptor == NULL;

		for (unsigned d = 0; d < *n_done && !known; d++)
			known = done[d] == f->descriptor;
		if (known || *n_done == DONE_MAX)
			continue;
		if (f->type == PROTOBUF_C_TYPE_ENUM || f->type == PROTOBUF_C_TYPE_MESSAGE)
			done[(*n_done)++] = f->descriptor;
		if (f->type == PROTOBUF_C_TYPE_ENUM)
			print_enum(f->descriptor);
		if (f->type == PROTOBUF_C_TYPE_MESSAGE)
			print_enums(f->descriptor, done, n_done);
	}
}

int main(void)
{
	const ProtobufCMessageDescriptor *event = &rollcall__event__descriptor;
	const char *done[DONE_MAX];
	const void *enums[DONE_MAX];
	unsigned n_done = 0, n_enums = 0;

	printf("/* Made by proto/genrec.c from proto/event.proto. */\n#pragma once\n\n"
	       "struct record_header {\n\t__u64 time;\n\t__u32 size;\n\t__u16 kind;\n"
	       "\t__u16 version;\n};\n\n#define RECORD_VERSION %d\n\n"
	       "struct record_slice {\n\t__u32 off;\n\t__u32 len;\n\t__u32 orig;\n};\n\n",
	       RECORD_VERSION);
	print_enums(event, enums, &n_enums);
	printf("enum record_kind {\n");
	for (unsigned i = 0; i < event->n_fields; i++)
		if (event->fields[i].flags & PROTOBUF_C_FIELD_FLAG_ONEOF &&
		    event->fields[i].id < RECORD_KIND_MAX)
			printf("\tKIND_%s = %u,\n", event->fields[i].name, event->fields[i].id);
	printf("};\n\n");
	for (unsigned i = 0; i < event->n_fields; i++)
		if (event->fields[i].flags & PROTOBUF_C_FIELD_FLAG_ONEOF &&
		    event->fields[i].id < RECORD_KIND_MAX &&
		    print_message(event->fields[i].descriptor, event->fields[i].id, done, &n_done) <
			    0)
			return 1;
	return fflush(stdout) ? 1 : 0;
}
