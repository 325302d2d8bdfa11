// links: user/lib/utf8.c user/lib/arena.c user/lib/kind.c user/lib/protowire.c user/lib/event_pack.c build/proto/event.pb-c.c
// SPDX-License-Identifier: Apache-2.0
// Records of the ring. Any bytes are refused or decoded; what is decoded prints as JSON, on one
// line, and is the same after it was packed and unpacked. The first byte of the input chooses
// between bytes as they are and a record with a good header, whose slices may be mended too.
#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>

#include "lib/clean.h"
#include "lib/event_pack.h"
#include "user/lib/event.c"
#include "user/lib/record.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { AS_IS, HEADER, SLICES, MODES };

static void must(bool what)
{
	if (!what)
		abort();
}

/* Moves the slices of a message into the record. */
static void slices_mend(const ProtobufCMessageDescriptor *desc, uint8_t *record, size_t size,
			size_t at)
{
	struct record_layout layout;
	struct record_slice s;

	if (record_layout(desc, &layout) < 0 || layout.size > size - at)
		return;
	for (unsigned i = 0; i < layout.n; i++) {
		const ProtobufCFieldDescriptor *f = layout.fields[i].field;
		size_t off = at + layout.fields[i].off;

		if (f->type == PROTOBUF_C_TYPE_MESSAGE)
			slices_mend(f->descriptor, record, size, off);
		if (f->type != PROTOBUF_C_TYPE_STRING && f->type != PROTOBUF_C_TYPE_BYTES)
			continue;
		memcpy(&s, record + off, sizeof(s));
		s.off %= (uint32_t)size + 1;
		s.len %= (uint32_t)(size - s.off) + 1;
		memcpy(record + off, &s, sizeof(s));
	}
}

static void header_mend(uint8_t *record, size_t size, unsigned kind)
{
	struct record_header h;

	memcpy(&h, record, sizeof(h));
	h.kind = (uint16_t)kind;
	h.size = (uint32_t)size;
	h.version = RECORD_VERSION;
	memcpy(record, &h, sizeof(h));
}

static void mend(uint8_t *record, size_t size, unsigned mode, unsigned nth)
{
	const ProtobufCMessageDescriptor *event = &rollcall__event__descriptor;
	const ProtobufCFieldDescriptor *f = &event->fields[nth % event->n_fields];

	if (mode == AS_IS || size < sizeof(struct record_header))
		return;
	header_mend(record, size, f->id);
	if (mode == SLICES && f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
		slices_mend(f->descriptor, record, size, sizeof(struct record_header));
}

static char *json_of(const Rollcall__Event *ev)
{
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	must(f && event_json(f, ev) == 0 && fclose(f) == 0);
	must(!memchr(text, '\n', n) && !memchr(text, '\0', n));
	return text;
}

static void is_json(const char *text)
{
	const size_t flags = JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL;
	json_t *j = json_loads(text, flags, NULL);

	must(json_is_object(j));
	json_decref(j);
}

static void survives_packing(struct arena *a, const Rollcall__Event *ev, const char *json)
{
	size_t n = rollcall__event__get_packed_size(ev);
	_cleanup_(freep) uint8_t *packed = malloc(n), *again = malloc(n);
	_cleanup_(freep) char *after = NULL;
	Rollcall__Event *b;

	must(rollcall__event__pack(ev, packed) == n);
	b = rollcall__event__unpack(arena_protobuf(a), n, packed);
	must(b && rollcall__event__get_packed_size(b) == n);
	must(rollcall__event__pack(b, again) == n && memcmp(packed, again, n) == 0);
	/* A time of zero is left out by protobuf-c alone. */
	memset(again, 0, n);
	must(!ev->time ||
	     (event_pack(ev, again, again + n) == again && memcmp(packed, again, n) == 0));
	after = json_of(b);
	must(strcmp(json, after) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new(4096);
	_cleanup_(freep) char *json = NULL;
	_cleanup_(freep) uint8_t *record = NULL;
	Rollcall__Event *ev = NULL;
	unsigned truncated = 77;
	int r;

	if (size < 2) {
		arena_free(a);
		return 0;
	}
	/* A copy of that size: what is read beyond it is reported. */
	record = malloc(size - 2);
	memcpy(record, data + 2, size - 2);
	mend(record, size - 2, data[0] % MODES, data[1]);
	r = record_decode(a, record, size - 2, &ev, &truncated);
	if (r < 0) {
		must(r == -EBADMSG && !ev && truncated == 77);
	} else {
		must(truncated <= RECORD_FIELDS_MAX && *event_kind(ev));
		json = json_of(ev);
		is_json(json);
		survives_packing(a, ev, json);
	}
	arena_free(a);
	return 0;
}
