// SPDX-License-Identifier: Apache-2.0
// Reads one spool file from its beginning to its last good record.
#include "lib/segment_scan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/clean.h"

/* 1: a good record; 0: the file ends here, perhaps within a record. */
static int record_read(FILE *f, uint8_t **event, struct segment_record *ret_rec)
{
	struct segment_record rec;
	uint8_t *room;

	if (fread(&rec, sizeof(rec), 1, f) != 1)
		return 0;
	if (rec.size > SEGMENT_EVENT_MAX)
		return -EBADMSG;
	room = realloc(*event, rec.size + 1);
	if (!room)
		return -ENOMEM;
	*event = room;
	if (rec.size && fread(room, rec.size, 1, f) != 1)
		return 0;
	if (rec.crc != segment_record_crc(rec.seq, room, rec.size))
		return -EBADMSG;
	*ret_rec = rec;
	return 1;
}

static int records_scan(FILE *f, struct chain *chain, struct segment_scan *s)
{
	_cleanup_(freep) uint8_t *event = NULL;
	struct segment_record rec;
	int r;

	while ((r = record_read(f, &event, &rec)) == 1) {
		if (rec.seq != s->last_seq + 1)
			return -EBADMSG;
		r = chain_next(chain, s->chain, s->header.class, rec.seq, event, rec.size);
		if (r < 0)
			return r;
		s->last_seq = rec.seq;
		s->good_bytes += sizeof(rec) + rec.size;
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
	return records_scan(f, chain, s);
}
