// SPDX-License-Identifier: Apache-2.0
// The MySQL walkers of bpf/mysql_walk.h and bpf/mysql_client.h as the probe runs them, in user
// space. One session; what it says is kept. Included by unit tests and a fuzz target, which do not
// all use all of it.
#pragma once

#include <stdint.h>
#include <stdlib.h>

#include "support/walk.h"

#include "bpf/mysql_client.h"

#define TWIN_ENDS     4096
#define TWIN_COMMANDS 1024

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
	struct twin_command {
		__u32 group, code, length;
		__u32 told; /* bytes of it that came, in order */
		char head[32];
	} commands[TWIN_COMMANDS]; /* the first of them are kept */
	unsigned n_commands;
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

static void my_on_command(struct my_walk *w, __u64 text, __u32 n)
{
	struct my_session *s = w->s;
	struct twin_command *c;

	if (n > DB_TEXT_MAX || s->client.pos + n > s->client.want)
		abort();
	if (!s->client.pos)
		twin.n_commands++;
	if (twin.n_commands > TWIN_COMMANDS)
		return;
	c = &twin.commands[twin.n_commands - 1];
	c->group = s->group;
	c->code = s->command;
	c->length = s->client.want;
	if (s->client.pos != c->told)
		abort();
	for (__u32 i = 0; i < n && c->told + i < sizeof(c->head) - 1; i++)
		c->head[c->told + i] = ((const char *)(uintptr_t)text)[i];
	c->told += n;
	twin_digest((const __u8 *)(uintptr_t)text, n);
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

static inline struct my_walk twin_walk(void)
{
	return (struct my_walk){
		.s = &twin.s, .window = twin.window, .scratch = &twin_scratch, .at = &twin.at};
}

/* The server asked for `asked` bytes (0: not known) and got n. */
static inline void twin_client(const void *bytes, size_t asked, size_t n)
{
	struct my_walk w = twin_walk();

	if (!my_client_header(&twin.s, (uintptr_t)bytes, asked, n))
		my_client_chunk(&w, (uintptr_t)bytes, asked, n);
}

/* The server sent n bytes in one call. */
static inline void twin_server(const void *bytes, size_t n)
{
	struct my_walk w = twin_walk();

	/* As the probe: what follows a complete answer is nobody's. */
	if (twin.s.phase != MY_DONE)
		my_chunk(&w, (uintptr_t)bytes, n);
}
