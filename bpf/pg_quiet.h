/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * PostgreSQL's unremarkable statements (quiet.h), by Query or in parts: whether the one that came
 * is such a one, and whether its result is. That no watched table was in it the server's own counts
 * say (pg_reads.h), not the text; where there are none, nothing is unremarkable.
 */
#pragma once

#include "db.h"
#include "pg_reads.h"
#include "pg_parts.h"
#include "quiet_verdict.h"

/* Nothing is only counted while the answer to another is under way. */
static __always_inline bool pg_quiet_may(const struct pg_session *s)
{
	return pg_server_idle(s) && s->client_group == s->server_group;
}

/* A statement of that shape is to be run: q->on says from here on whether it need not be told. */
static __always_inline void pg_quiet_begin(struct pg_session *s, const struct quiet_secret *secret,
					   __u64 shape)
{
	struct quiet *q = &s->quiet;

	q->shape = shape;
	q->on = q->held = shape && quiet_judged(q, s->conn, secret);
	q->side_bytes = s->totals.side_bytes;
}

/* A Query message of n bytes of the window; 0: it is not there as a whole. It may prepare under any
 * name. */
static __always_inline void pg_quiet_query(struct pg_session *s, const struct db_scratch *scratch,
					   __u32 off, __u32 n)
{
	const struct quiet_secret *secret = quiet_secret_get();

	if (secret && pg_quiet_may(s))
		pg_quiet_begin(s, secret, quiet_shape(secret, scratch->window + off, n, false));
	if (!s->quiet.on)
		s->quiet.queries++;
}

/* ---- the extended protocol ---- */

struct quiet_name {
	__u64 conn, name;
	__u64 queries; /* told before it was parsed */
};

/* Shapes of what was parsed, by short names. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct quiet_name);
	__type(value, __u64);
} quiet_names __weak SEC(".maps");

static __always_inline void quiet_name_set(const struct pg_session *s, __u64 name, __u64 shape)
{
	struct quiet_name key = {s->conn, name, s->quiet.queries};

	bpf_map_update_elem(&quiet_names, &key, &shape, BPF_ANY);
}

static __always_inline __u64 quiet_name_shape(const struct pg_session *s, __u64 name)
{
	struct quiet_name key = {s->conn, name, s->quiet.queries};
	__u64 *shape = bpf_map_lookup_elem(&quiet_names, &key);

	return shape ? *shape : 0;
}

/*
 * A window of what the client sent, which begins a message: when that is one statement, q->on says
 * from here on whether it need not be told. Its shape is that of Parse's body, name and all.
 */
static __always_inline void pg_quiet_parts(struct pg_walk *w)
{
	const struct quiet_secret *secret = quiet_secret_get();
	struct pg_session *s = w->s;
	struct pg_parts *p = &s->parts;

	if (!secret || s->missed || s->adopted || !pg_quiet_may(s) || s->client_index ||
	    !pg_parts_read(w))
		return;
	if (p->parse_size && p->parse < DB_WINDOW)
		quiet_name_set(s, 0,
			       quiet_shape(secret, w->window + p->parse, p->parse_size, false));
	pg_quiet_begin(s, secret, quiet_name_shape(s, p->name));
	if (!s->quiet.on)
		return;
	s->quiet.unseen |= QUIET_PORTAL;
	if (p->parse_size)
		s->quiet.unseen |= QUIET_STATEMENT;
}

/*
 * A message that is told. What it refers to may be of one that was not: then the server's own word
 * for what it runs is taken, for the rest of the session.
 */
static __always_inline void pg_quiet_told(struct pg_session *s, const struct db_scratch *scratch,
					  __u32 off, __u32 n)
{
	const struct quiet_secret *secret = quiet_secret_get();
	const __u8 *body = scratch->window + off;
	__u64 name = 0;

	if (s->client.tag == 'P' && n == s->client.length && pg_name(body, &name)) {
		if (!name)
			s->quiet.unseen &= ~QUIET_STATEMENT;
		quiet_name_set(s, name, secret ? quiet_shape(secret, body, n, false) : 0);
	} else if (s->client.tag == 'P') {
		s->quiet.queries++; /* whichever name it has */
		s->missed |= s->quiet.unseen & QUIET_STATEMENT;
	} else if (s->client.tag == 'B' && !body[0]) {
		s->quiet.unseen &= ~QUIET_PORTAL;
		s->missed |= s->quiet.unseen && !body[1];
	} else if (s->client.tag == 'B') {
		s->missed |= s->quiet.unseen & QUIET_STATEMENT;
	} else if (s->client.tag == 'E' && !body[0]) {
		s->missed |= (s->quiet.unseen & QUIET_PORTAL) != 0;
	}
}

static __always_inline bool pg_read_is_new(const struct pg_read *r)
{
	const struct pg_counts *f = &r->flushed, *p = &r->pending, *told = &r->told;

	return f->returned + p->returned > told->returned ||
	       f->fetched + p->fetched > told->fetched || f->entries + p->entries > told->entries ||
	       f->blocks + p->blocks > told->blocks;
}

/* By the server's own count it read nothing of a watched table. */
static __always_inline bool pg_reads_none_new(__u32 binary)
{
	struct pg_backend key = pg_backend_current();
	struct pg_reads *reads = bpf_map_lookup_elem(&pg_reads, &key);

	if (!reads || reads->uncounted || !pg_reads_sum(reads, binary) || reads->partial)
		return false;
	for (__u32 i = 0; i < PG_READ_TABLES && reads->tables[i].table; i++)
		if (pg_read_is_new(&reads->tables[i]))
			return false;
	return true;
}

/* The result that ends is only counted. */
static __always_inline bool pg_quiet_result(struct pg_session *s, enum rec_end end)
{
	struct db_result *r = &s->result;
	struct quiet *q = &s->quiet;

	if (!q->on || end != End_complete || !quiet_small(q, r) || !pg_tag_select(r) ||
	    s->server_index || s->totals.side_bytes != q->side_bytes ||
	    !pg_reads_none_new(s->binary))
		return false;
	quiet_count(q, r);
	return true;
}
