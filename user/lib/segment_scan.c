// SPDX-License-Identifier: Apache-2.0
// Reads one spool file from its beginning to its last good block.
#include "lib/segment_scan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/clean.h"

/* 1: a good block; 0: the file ends here, perhaps within a block. */
static int block_read(FILE *f, uint32_t version, uint8_t **data, struct segment_block *ret_block)
{
	struct segment_block b = {};
	uint8_t *room;

	if (fread(&b, segment_block_header(version), 1, f) != 1)
		return 0;
	if (!segment_block_plausible(version, &b))
		return -EBADMSG;
	room = realloc(*data, b.size + 1);
	if (!room)
		return -ENOMEM;
	*data = room;
	if (b.size && fread(room, b.size, 1, f) != 1)
		return 0;
	if (!segment_block_good(version, &b, room))
		return -EBADMSG;
	*ret_block = b;
	return 1;
}

static int blocks_scan(FILE *f, struct chain *chain, struct segment_scan *s)
{
	_cleanup_(freep) uint8_t *data = NULL;
	uint32_t version = s->header.version;
	struct segment_block b;
	int r;

	while ((r = block_read(f, version, &data, &b)) == 1) {
		if (b.seq != s->last_seq + 1)
			return -EBADMSG;
		r = chain_next(chain, s->chain, s->header.class, b.seq, data, b.size);
		if (r < 0)
			return r;
		s->last_seq += b.count;
		s->good_bytes += segment_block_header(version) + b.size;
	}
	return r;
}

int segment_scan(int dir, const struct segment_name *name, struct chain *chain,
		 struct segment_scan *ret_scan)
{
	_cleanup_(fclosep) FILE *f = NULL;
	struct segment_scan *s = ret_scan;
	char path[SEGMENT_NAME_MAX];
	struct stat st;
	int fd;

	segment_name_format(name, path);
	fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	f = fdopen(fd, "r");
	if (!f) {
		close(fd);
		return -ENOMEM;
	}
	if (fstat(fd, &st) < 0)
		return -errno;
	memset(s, 0, sizeof(*s));
	s->file_bytes = (uint64_t)st.st_size;
	s->last_seq = name->first_seq - 1;
	if (fread(&s->header, sizeof(s->header), 1, f) != 1)
		return -ENODATA;
	if (!segment_header_good(&s->header, name))
		return -EBADMSG;
	s->good_bytes = sizeof(s->header);
	memcpy(s->chain, s->header.chain, CHAIN_SIZE);
	return blocks_scan(f, chain, s);
}
