// SPDX-License-Identifier: Apache-2.0
// Kernel records: the fixed layout that BPF programs write, derived from event.proto.
//
// One walk of a message descriptor gives each field its offset. proto/genrec.c prints that
// layout as C structs for bpf/; record_decode uses the same walk to read a record, so the two
// cannot disagree.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "event.pb-c.h"

struct arena;

/* Members of Event.kind below this number are kernel records. */
#define RECORD_KIND_MAX	  100
#define RECORD_FIELDS_MAX 40

/* In front of each record. */
struct record_header {
	uint64_t time; /* CLOCK_BOOTTIME */
	uint32_t size; /* whole record, tail included */
	uint16_t kind; /* field number in Event.kind */
	uint16_t version;
};

#define RECORD_VERSION 1

/* A string or bytes field: a piece of the record's tail. */
struct record_slice {
	uint32_t off; /* from the start of the record */
	uint32_t len;
	uint32_t orig; /* length before truncation */
};

struct record_layout {
	size_t size; /* of the fixed part, without the header; a multiple of 8 */
	unsigned n;
	struct {
		const ProtobufCFieldDescriptor *field;
		size_t off; /* from the end of the header (nested: from the start of the message) */
		size_t size;
	} fields[RECORD_FIELDS_MAX];
};

/* Widest fields first, no holes. 0, or -ENOTSUP for a field type a record cannot hold. */
int record_layout(const ProtobufCMessageDescriptor *desc, struct record_layout *ret);

/*
 * Decodes one record into an Event that lives in `a`. Any bytes are safe input.
 * `ret_truncated`: how many strings were cut in the kernel. 0, -EBADMSG or -ENOMEM.
 */
int record_decode(struct arena *a, const void *data, size_t size, Rollcall__Event **ret,
		  unsigned *ret_truncated);
