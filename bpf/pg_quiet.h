/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * PostgreSQL's unremarkable statements (quiet.h): whether the one that came is such a one, and
 * whether its result is. That no watched table was in it the server's own counts say (pg_reads.h),
 * not the text; where there are none, nothing is unremarkable.
 */
#pragma once

#include "db.h"
#include "pg_reads.h"
#include "pg_walk.h"

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

/*
 * A Query message, whole: n bytes of the window. From here on s->quiet has its shape, and says
 * whether it need not be told; nothing is when the answer to another is under way.
 */
static __always_inline void pg_quiet_command(struct pg_session *s, const struct db_scratch *scratch,
					     __u32 off, __u32 n)
{
	__u32 zero = 0;
	struct quiet_secret *secret = bpf_map_lookup_elem(&quiet_secrets, &zero);
	struct quiet *q = &s->quiet;

	if (!secret || !pg_server_idle(s) || s->client_group != s->server_group)
		return;
	q->shape = quiet_shape(secret, scratch->window + off, n);
	q->on = q->held = q->shape && quiet_judged(q, s->conn, secret);
	q->side_bytes = s->totals.side_bytes;
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
	q->held = 0;
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
