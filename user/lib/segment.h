// SPDX-License-Identifier: Apache-2.0
// One file of the spool: a header, then records, append-only (docs/spool.md is the contract).
// Written by spool.c, read by spool_read.c. All numbers little-endian.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/chain.h"

#define SEGMENT_EVENT_MAX (1u << 20) /* bytes of one packed event */
#define SEGMENT_NAME_MAX  80
#define SEGMENT_CLASSES	  3 /* Rollcall__Class: 1 crit, 2 bulk */

struct segment_header {
	char magic[8];
	uint32_t version;
	uint32_t class;
	uint64_t first_seq;
	uint64_t created;	   /* CLOCK_REALTIME, ns: the order of boots */
	char boot_id[36];	   /* no NUL */
	uint8_t chain[CHAIN_SIZE]; /* before the first record */
	uint32_t crc;		   /* CRC-32 of all before */
};
_Static_assert(sizeof(struct segment_header) == 104, "the disk format has no padding");

struct segment_record {
	uint32_t size; /* of the packed event that follows */
	uint32_t crc;  /* CRC-32 of seq and event */
	uint64_t seq;
};
_Static_assert(sizeof(struct segment_record) == 16, "the disk format has no padding");

/* What a file name says. */
struct segment_name {
	char boot_id[37];
	uint32_t class;
	uint64_t first_seq;
};

/* "crit", "bulk"; "?" for no class. */
const char *segment_class(uint32_t class);

void segment_name_format(const struct segment_name *n, char ret_name[SEGMENT_NAME_MAX]);
bool segment_name_parse(const char *file, struct segment_name *ret_name);

/* Fills magic, version and CRC of a header whose other fields are set. */
void segment_header_seal(struct segment_header *h);
bool segment_header_good(const struct segment_header *h, const struct segment_name *name);

uint32_t segment_record_crc(uint64_t seq, const void *event, size_t size);
