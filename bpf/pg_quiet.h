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

struct quiet_key {
	__u64 conn, shape;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct quiet_key);
	__type(value, struct quiet_verdict);
} quiet_verdicts __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct quiet_secret);
} quiet_secrets __weak SEC(".maps");

static __always_inline bool quiet_judged(struct quiet *q, __u64 conn,
					 const struct quiet_secret *secret)
{
	struct quiet_key key = {.conn = conn, .shape = q->shape};
	struct quiet_verdict *v = bpf_map_lookup_elem(&quiet_verdicts, &key);

	if (!v || v->judged < secret->since || bpf_ktime_get_boot_ns() - v->judged > QUIET_HOLDS)
		return false;
	q->rows_max = v->rows;
	q->bytes_max = v->bytes;
	return true;
}

static __always_inline const struct quiet_secret *pg_quiet_secret(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&quiet_secrets, &zero);
}

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
	const struct quiet_secret *secret = pg_quiet_secret();

	if (secret && pg_quiet_may(s))
		pg_quiet_begin(s, secret, quiet_shape(secret, scratch->window + off, n));
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
	const struct quiet_secret *secret = pg_quiet_secret();
	struct pg_session *s = w->s;
	struct pg_parts *p = &s->parts;

	if (!secret || s->missed || s->adopted || !pg_quiet_may(s) || s->client_index ||
	    !pg_parts_read(w))
		return;
	if (p->parse_size && p->parse < DB_WINDOW)
		quiet_name_set(s, 0, quiet_shape(secret, w->window + p->parse, p->parse_size));
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
	const struct quiet_secret *secret = pg_quiet_secret();
	const __u8 *body = scratch->window + off;
	__u64 name = 0;

	if (s->client.tag == 'P' && n == s->client.length && pg_name(body, &name)) {
		if (!name)
			s->quiet.unseen &= ~QUIET_STATEMENT;
		quiet_name_set(s, name, secret ? quiet_shape(secret, body, n) : 0);
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

	if (!q->on || end != End_complete || !quiet_small(q, r) || s->server_index ||
	    s->totals.side_bytes != q->side_bytes || !pg_reads_none_new(s->binary))
		return false;
	__sync_fetch_and_add(&q->results, 1);
	__sync_fetch_and_add(&q->rows, r->rows);
	__sync_fetch_and_add(&q->bytes, r->bytes);
	return true;
}

/* What was counted since the last time. */
static __always_inline void pg_quiet_tell(struct pg_session *s)
{
	struct rec_db_quiet c = {.conn = s->conn};

	if (!s->quiet.results)
		return;
	c.results = __sync_lock_test_and_set(&s->quiet.results, 0);
	c.rows = __sync_lock_test_and_set(&s->quiet.rows, 0);
	c.bytes = __sync_lock_test_and_set(&s->quiet.bytes, 0);
	emit(LANE_CRIT, &c, sizeof(c), KIND_db_quiet, false);
}
