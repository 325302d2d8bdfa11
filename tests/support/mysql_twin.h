// SPDX-License-Identifier: Apache-2.0
// The MySQL walker of bpf/mysql_walk.h as the probe runs it, in user space. One session; what it
// says is kept. Included by one unit test and one fuzz target.
#pragma once

#include <stdint.h>
#include <stdlib.h>

#include "support/walk.h"

#include "bpf/mysql_walk.h"

#define TWIN_ENDS 4096

static struct my_twin {
	struct my_session s;
	struct db_cursor at;
	__u8 window[DB_WINDOW + DB_TEXT_MAX];
	struct walk_end ends[TWIN_ENDS];
	unsigned n_ends; /* the first TWIN_ENDS are kept */
	__u64 column_bytes;
	__u64 digest; /* of all text that was handed out */
	__u8 columns[DB_TEXT_MAX + DB_WINDOW];
	__u32 prepared; /* number of the statement prepared last */
	unsigned n_prepared;
} twin;

static void twin_digest(const __u8 *bytes, __u32 n)
{
	while (n--)
		twin.digest = twin.digest * 31 + *bytes++;
}

struct db_scratch {
	int unused;
};
static struct db_scratch twin_scratch;

static void my_on_columns(struct my_walk *w, __u32 off, __u32 n)
{
	__u64 at = w->s->columns_bytes;

	if (off + n > sizeof(twin.window) || at >= DB_TEXT_MAX || at + n > sizeof(twin.columns))
		abort();
	memcpy(twin.columns + at, w->window + off, n);
	twin.column_bytes = at + n;
	/* Of the piece that goes over the limit the probe cuts the end. */
	twin_digest(w->window + off, at + n > DB_TEXT_MAX ? DB_TEXT_MAX - at : n);
}

static void my_on_prepared(struct my_walk *w)
{
	twin.prepared = w->s->stmt_id;
	twin.n_prepared++;
}

static void my_on_end(struct my_walk *w, enum rec_end end)
{
	struct my_session *s = w->s;

	if (twin.n_ends < TWIN_ENDS)
		twin.ends[twin.n_ends] = walk_end_of(&s->result, end, s->group, s->index);
	twin.n_ends++;
	my_result_close(s);
}

static inline void twin_begin(void)
{
	memset(&twin, 0, sizeof(twin));
	walk_misses = 0;
	walk_reads = -1u;
}

static inline void twin_command(enum my_command command)
{
	my_command_begin(&twin.s, command);
}

/* The server sent n bytes in one call of net_real_write(). */
static inline void twin_server(const void *bytes, size_t n)
{
	struct my_walk w = {
		.s = &twin.s, .window = twin.window, .scratch = &twin_scratch, .at = &twin.at};

	/* As the probe: what follows a complete answer is nobody's. */
	if (twin.s.phase != MY_DONE)
		my_chunk(&w, (uintptr_t)bytes, n);
}
