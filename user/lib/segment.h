// SPDX-License-Identifier: Apache-2.0
// One file of the spool: a header, then blocks, append-only (docs/spool.md is the contract).
// Written by spool.c, read by spool_read.c. All numbers little-endian.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/chain.h"

#define SEGMENT_VERSION	     2
#define SEGMENT_BLOCK_MAX    (1u << 20) /* bytes of one packed block */
#define SEGMENT_BLOCK_EVENTS 1024	/* in it, at most */
#define SEGMENT_BLOCK_WHOLE  (1u << 20) /* bytes of these with their processes; one has any */
#define SEGMENT_NAME_MAX     80
#define SEGMENT_CLASSES	     3 /* Rollcall__Class: 1 crit, 2 bulk */

struct segment_header {
	char magic[8];
	uint32_t version;
	uint32_t class;
	uint64_t first_seq;
	uint64_t created;	   /* CLOCK_REALTIME, ns: the order of boots */
	char boot_id[36];	   /* no NUL */
	uint8_t chain[CHAIN_SIZE]; /* before the first block */
	uint32_t crc;		   /* CRC-32 of all before */
};
_Static_assert(sizeof(struct segment_header) == 104, "the disk format has no padding");

struct segment_block {
	uint32_t size;	/* of the packed Block that follows */
	uint32_t crc;	/* CRC-32 of what is after it, and of the block */
	uint64_t seq;	/* of the first event */
	uint32_t count; /* of events */
	uint32_t whole; /* bytes of these with their processes */
};
_Static_assert(sizeof(struct segment_block) == 24, "the disk format has no padding");

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

/* CRC-32 of the two, one behind the other. */
uint32_t segment_crc(const void *head, size_t head_size, const void *data, size_t size);

/*
 * In files of version 1 a block is one whole event, and what is before it ends with its number:
 * they are still delivered, but not gone on with. `version` is the file's.
 */
size_t segment_block_header(uint32_t version);

/* Sets the CRC of a block whose other fields are set. */
void segment_block_seal(struct segment_block *b, const void *data);

/* `b`: segment_block_header() bytes as they were read, the rest zeros. May data follow? Sets
 * what version 1 has not. */
bool segment_block_plausible(uint32_t version, struct segment_block *b);
bool segment_block_good(uint32_t version, const struct segment_block *b, const void *data);
