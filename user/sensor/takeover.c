// SPDX-License-Identifier: Apache-2.0
// Notes are in maps that live as long as the probes. They are written at once, and taken back when
// the last records of what they are about cannot come again.
#include "sensor/takeover.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/spool.h"
#include "sensor/derive/session.h"
#include "sensor/handover.h"
#include "sensor/host.h"
#include "sensor/probe.h"

#define NOTE_SIZE 1024 /* as in bpf/takeover.bpf.c */

_Static_assert(sizeof(struct session_note) <= NOTE_SIZE, "the map's value");

/* A session that ended since the last batch was put away. */
struct takeover_ended {
	struct takeover_ended *next;
	uint64_t conn;
};

static uint64_t ended_pop(struct takeover *t)
{
	struct takeover_ended *gone = t->ended;
	uint64_t conn = gone->conn;

	t->ended = gone->next;
	free(gone);
	return conn;
}

void takeover_fini(struct takeover *t)
{
	while (t->ended)
		ended_pop(t);
	repeats_free(&t->repeats);
}

bool takeover_told(struct takeover *t, const Rollcall__Event *ev, uint32_t class, uint64_t *ret_seq)
{
	*ret_seq = 0;
	return t->again || repeats_take(&t->repeats, ev, class, ret_seq);
}

bool takeover_summed(const struct takeover *t, uint64_t time)
{
	return t->again && time <= probe_handover(t->probe)->summary_time;
}

void takeover_note(struct takeover *t, uint64_t conn, const struct session_note *note)
{
	char value[NOTE_SIZE] = "";
	struct takeover_ended *ended;

	if (!t->probe)
		return;
	if (note) {
		memcpy(value, note, sizeof(*note));
		probe_map_update(t->probe, "session_notes", &conn, value);
		return;
	}
	ended = malloc(sizeof(*ended));
	if (!ended)
		return;
	*ended = (struct takeover_ended){t->ended, conn};
	t->ended = ended;
}

void takeover_flushed(struct takeover *t)
{
	struct handover *h = probe_handover(t->probe);

	for (uint32_t c = 1; t->spool && c < SEGMENT_CLASSES; c++)
		h->seq[c] = spool_next(t->spool, c) - 1;
	while (t->ended) {
		uint64_t conn = ended_pop(t);

		probe_map_delete(t->probe, "session_notes", &conn);
	}
}

void takeover_clock(struct takeover *t)
{
	host_clock(t->host);
	probe_handover(t->probe)->wall_offset = t->host->wall_offset;
}

static int sessions_take(struct takeover *t, struct sessions *sessions)
{
	char value[NOTE_SIZE];
	struct session_note note;
	uint64_t conn, *at = NULL;
	int r = 0;

	while (r == 0 && probe_map_next(t->probe, "session_notes", at, &conn) == 0) {
		at = &conn;
		if (probe_map_lookup(t->probe, "session_notes", &conn, value) < 0)
			continue;
		memcpy(&note, value, sizeof(note));
		r = sessions_restore(sessions, conn, &note);
	}
	return r;
}

int takeover_begin(struct takeover *t, const char *spool, struct sessions *sessions,
		   void (*record)(void *ctx, const void *data, size_t size), void *ctx)
{
	struct handover *h = probe_handover(t->probe);
	int r = t->spool ? repeats_read(&t->repeats, spool, t->host->boot_id, h) : 0;
	int e = sessions_take(t, sessions);

	r = r < 0 ? r : e;
	t->again = true;
	e = probe_past(t->probe, record, ctx);
	t->again = false;
	return e < 0 ? e : r;
}

void takeover_sums(struct takeover *t, uint64_t time)
{
	probe_handover(t->probe)->summary_time = time;
}

void takeover_tick(struct takeover *t)
{
	repeats_free(&t->repeats);
	takeover_clock(t);
}
