// SPDX-License-Identifier: Apache-2.0
// The PostgreSQL walker of bpf/pg_walk.h as the probe runs it, in user space. One session; what it
// says is kept. Included by one unit test and one fuzz target.
#pragma once

#include <stdint.h>
#include <stdlib.h>

#include "support/walk.h"

#include "bpf/pg_parts.h"
#include "bpf/pg_tls.h"

#define TWIN_ENDS 4096

/* A client's message that was handed out, put together from its pieces. */
struct twin_command {
	__u8 tag;
	__u32 group, index, length, have;
	__u8 text[DB_TEXT_MAX];
};

/* The server's ParameterStatus, likewise. */
struct twin_parameter {
	__u32 have;
	char body[PG_PARAMETER_MAX];
};

static struct pg_twin {
	struct pg_session s;
	struct db_cursor at;
	__u8 window[DB_WINDOW + DB_TEXT_MAX];
	struct walk_end ends[TWIN_ENDS];
	unsigned n_ends; /* the first TWIN_ENDS are kept */
	struct twin_command command;
	unsigned n_commands;
	struct twin_parameter parameter;
	unsigned n_parameters;
	__u64 column_bytes;
	bool in_parts; /* the client's last chunk was one statement */
	__u64 digest;  /* of all text that was handed out */
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

static void pg_on_received(struct pg_walk *w)
{
	const struct pg_parts *p = &w->s->parts;

	if (w->at->off)
		abort();
	twin.in_parts = pg_parts_read(w);
	if (w->at->off ||
	    (twin.in_parts && (p->parse + p->parse_size > w->at->end || p->name >> 56)))
		abort();
}

static void pg_on_command(struct pg_walk *w, __u32 off, __u32 n)
{
	struct twin_command *c = &twin.command;
	const struct pg_stream *d = &w->s->client;

	if (!d->pos) {
		*c = (struct twin_command){.tag = d->tag, .length = d->length};
		twin.n_commands++;
		twin.digest = twin.digest * 31 + d->tag;
	}
	if (off + n > sizeof(twin.window) || d->pos + n > sizeof(c->text) || d->pos != c->have)
		abort();
	c->group = w->s->client_group + 1;
	c->index = w->s->client_index;
	memcpy(c->text + c->have, w->window + off, n);
	c->have += n;
	twin_digest(w->window + off, n);
}

static void pg_on_columns(struct pg_walk *w, __u32 off, __u32 n)
{
	if (off + n > sizeof(twin.window) || w->s->server.pos + n > DB_TEXT_MAX)
		abort();
	twin.column_bytes += n;
	twin_digest(w->window + off, n);
}

static void pg_on_parameter(struct pg_walk *w, __u32 off, __u32 n)
{
	struct twin_parameter *p = &twin.parameter;
	const struct pg_stream *d = &w->s->server;

	if (!d->pos) {
		*p = (struct twin_parameter){};
		twin.n_parameters++;
	}
	if (off + n > sizeof(twin.window) || d->pos != p->have || p->have + n > sizeof(p->body))
		abort();
	memcpy(p->body + p->have, w->window + off, n);
	p->have += n;
	twin_digest(w->window + off, n);
}

static void pg_on_end(struct pg_walk *w, enum rec_end end)
{
	struct pg_session *s = w->s;

	/* Who does not know where messages begin cannot know rows. */
	if (s->server.phase == PG_UNSYNCED && !s->result.doubt)
		abort();
	if (twin.n_ends < TWIN_ENDS)
		twin.ends[twin.n_ends] =
			walk_end_of(&s->result, end, s->server_group + 1, s->server_index);
	twin.n_ends++;
	pg_result_close(s);
}

static inline void twin_begin(bool reading)
{
	memset(&twin, 0, sizeof(twin));
	walk_misses = 0;
	walk_reads = -1u;
	pg_session_begin(&twin.s, reading ? (const __u8[]){0, 0} : NULL);
}

static inline struct pg_walk twin_walk(void)
{
	return (struct pg_walk){
		.s = &twin.s, .window = twin.window, .scratch = &twin_scratch, .at = &twin.at};
}

/* The backend sent n bytes in one call. */
static inline void twin_server(const void *bytes, size_t n)
{
	struct pg_walk w = twin_walk();

	pg_server_chunk(&w, (uintptr_t)bytes, n);
}

/* It received n bytes in one call. */
static inline void twin_client(const void *bytes, size_t n)
{
	struct pg_walk w = twin_walk();

	pg_client_realign(&twin.s);
	pg_client_chunk(&w, (uintptr_t)bytes, n);
}
