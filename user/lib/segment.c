// SPDX-License-Identifier: Apache-2.0
// Names and checksums of spool files.
#include "lib/segment.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

static const char magic[8] = "RCSPOOL";

static const char *const classes[SEGMENT_CLASSES] = {"?", "crit", "bulk"};

const char *segment_class(uint32_t class)
{
	return classes[class < SEGMENT_CLASSES ? class : 0];
}

void segment_name_format(const struct segment_name *n, char ret_name[SEGMENT_NAME_MAX])
{
	snprintf(ret_name, SEGMENT_NAME_MAX, "%.36s.%s.%020" PRIu64 ".seg", n->boot_id,
		 segment_class(n->class), n->first_seq);
}

bool segment_name_parse(const char *file, struct segment_name *ret_name)
{
	struct segment_name n = {};
	char class[8], again[SEGMENT_NAME_MAX];

	if (sscanf(file, "%36[0-9a-f-].%7[a-z].%20" SCNu64 ".seg", n.boot_id, class,
		   &n.first_seq) != 3)
		return false;
	for (n.class = 1; n.class < SEGMENT_CLASSES; n.class ++)
		if (strcmp(class, classes[n.class]) == 0)
			break;
	if (n.class == SEGMENT_CLASSES)
		return false;
	segment_name_format(&n, again);
	if (strcmp(file, again) != 0)
		return false;
	*ret_name = n;
	return true;
}

static uint32_t header_crc(const struct segment_header *h)
{
	return (uint32_t)crc32(0, (const Bytef *)h, offsetof(struct segment_header, crc));
}

void segment_header_seal(struct segment_header *h)
{
	memcpy(h->magic, magic, sizeof(magic));
	h->version = SEGMENT_VERSION;
	h->crc = header_crc(h);
}

bool segment_header_good(const struct segment_header *h, const struct segment_name *name)
{
	return memcmp(h->magic, magic, sizeof(magic)) == 0 && h->version >= 1 &&
	       h->version <= SEGMENT_VERSION && h->crc == header_crc(h) &&
	       h->class == name->class && h->first_seq == name->first_seq &&
	       memcmp(h->boot_id, name->boot_id, sizeof(h->boot_id)) == 0;
}

size_t segment_block_header(uint32_t version)
{
	return version == 1 ? offsetof(struct segment_block, count) : sizeof(struct segment_block);
}

uint32_t segment_crc(const void *head, size_t head_size, const void *data, size_t size)
{
	return (uint32_t)crc32(crc32(0, head, (uInt)head_size), data, (uInt)size);
}

static uint32_t block_crc(uint32_t version, const struct segment_block *b, const void *data)
{
	const size_t from = offsetof(struct segment_block, seq);

	return segment_crc((const uint8_t *)b + from, segment_block_header(version) - from, data,
			   b->size);
}

void segment_block_seal(struct segment_block *b, const void *data)
{
	b->crc = block_crc(SEGMENT_VERSION, b, data);
}

bool segment_block_plausible(uint32_t version, struct segment_block *b)
{
	if (version == 1) {
		b->count = 1;
		b->whole = b->size;
	}
	return b->size <= SEGMENT_BLOCK_MAX && b->count && b->count <= SEGMENT_BLOCK_EVENTS &&
	       b->seq <= UINT64_MAX - b->count;
}

bool segment_block_good(uint32_t version, const struct segment_block *b, const void *data)
{
	return b->crc == block_crc(version, b, data);
}
