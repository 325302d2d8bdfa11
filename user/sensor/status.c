// SPDX-License-Identifier: Apache-2.0
// What a status says of the spool and of the process that delivers it.
#include "sensor/status.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/arena.h"
#include "lib/clean.h"
#include "lib/segment.h"
#include "lib/spool.h"

void status_stream(const char *dir, struct arena *a, Rollcall__Status *m)
{
	char path[4096];
	uint8_t packed[1024];
	_cleanup_(closep) int fd = -1;
	ssize_t n;

	snprintf(path, sizeof(path), "%s/stream/status", dir);
	/* The directory is the stream process's: no links, no waiting. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	n = fd < 0 ? -1 : read(fd, packed, sizeof(packed));
	if (n > 0)
		m->stream = rollcall__stream_status__unpack(arena_protobuf(a), (size_t)n, packed);
}

int status_spool(const struct spool *s, const char *dir, struct arena *a, Rollcall__Status *m)
{
	struct spool_status st;

	spool_status(s, &st);
	m->spool = arena_alloc(a, sizeof(*m->spool));
	if (!m->spool)
		return -ENOMEM;
	rollcall__spool_status__init(m->spool);
	m->spool->directory = (char *)(uintptr_t)dir;
	m->spool->bytes = st.bytes;
	m->spool->max_bytes = st.max_bytes;
	m->spool->errors = st.errors;
	m->spool->lanes = arena_alloc(a, SEGMENT_CLASSES * sizeof(*m->spool->lanes));
	for (uint32_t c = 1; c < SEGMENT_CLASSES && m->spool->lanes; c++) {
		Rollcall__SpoolLane *l = arena_alloc(a, sizeof(*l));

		if (!l)
			return -ENOMEM;
		rollcall__spool_lane__init(l);
		l->class_ = (char *)(uintptr_t)segment_class(c);
		l->last_seq = st.lanes[c].last_seq;
		l->acked_seq = st.lanes[c].acked_seq;
		l->trimmed = st.lanes[c].trimmed;
		m->spool->lanes[m->spool->n_lanes++] = l;
	}
	return 0;
}
