/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * One statement of the extended protocol, as JDBC's driver and libpq send it: Parse, or the name of
 * what was parsed before; Bind and Execute of the unnamed portal; Sync. Compiled into the probe
 * and, for tests and fuzzing, into user space. Facts: PostgreSQL manual, "Message Formats".
 */
#pragma once

#include "pg_walk.h"

/* In their order. */
#define PG_PARSE    1
#define PG_BIND	    2
#define PG_DESCRIBE 4
#define PG_EXECUTE  8
#define PG_SYNC	    16
#define PG_OTHER    128

static const __u8 pg_part_tags[128] = {
	['P'] = PG_PARSE, ['B'] = PG_BIND, ['D'] = PG_DESCRIBE, ['E'] = PG_EXECUTE, ['S'] = PG_SYNC,
};

/* A string that ends within eight bytes, in one word. False: it does not. */
static __always_inline bool pg_name(const __u8 *at, __u64 *ret_name)
{
	__u64 w, end;

	db_copy8((__u8 *)&w, at);
	end = quiet_equal(w, 0);
	end &= -end; /* of the first that is 0: its highest bit */
	*ret_name = w & ((end >> 7) - 1);
	return end;
}

/* A message whose body of n bytes is at `body`: is it such a part? */
static __always_inline bool pg_part(struct pg_parts *p, __u8 part, const __u8 *body, __u32 n)
{
	switch (part) {
	case PG_PARSE: /* a named one stays for statements that are told */
		p->parse_size = n;
		return n && !body[0];
	case PG_BIND: /* portal, statement */
		return n > 1 && !body[0] && pg_name(body + 1, &p->name);
	case PG_EXECUTE: /* portal, rows */
		return n == 5 && !body[0];
	case PG_SYNC:
		return !n;
	default:
		return part == PG_DESCRIBE;
	}
}

/* One message of the window. Nonzero: there are no more, or it is no part. */
static long pg_parts_cb(__u64 i, struct pg_walk *w)
{
	struct pg_session *s = w->s;
	__u32 off = w->at->off, n;
	struct pg_parts *p;
	__u8 part;

	if (!s || !w->window || off >= w->at->end || off > DB_WINDOW - PG_HEADER)
		return 1;
	p = &s->parts;
	part = pg_part_tags[w->window[off] & 127];
	n = pg_be32(w->window + off + 1);
	/* Each is once, in its order. */
	if (part <= p->seen || n < 4 || n > DB_WINDOW || off + 1 + n > w->at->end ||
	    !pg_part(p, part, w->window + off + PG_HEADER, n - 4)) {
		p->seen = PG_OTHER;
		return 1;
	}
	if (part == PG_PARSE)
		p->parse = off + PG_HEADER;
	p->seen |= part;
	w->at->off = off + 1 + n;
	return 0;
}

/* Of a window that begins a message: is it all of one such statement, and no more? */
static __always_inline bool pg_parts_read(struct pg_walk *w)
{
	const __u8 all = PG_BIND | PG_EXECUTE | PG_SYNC;
	struct pg_parts *p = &w->s->parts;
	bool whole;

	*p = (struct pg_parts){};
	bpf_loop(6, pg_parts_cb, w, 0);
	whole = w->at->off == w->at->end;
	w->at->off = 0;
	return whole && (p->seen & (all | PG_OTHER)) == all && (!p->parse_size || !p->name);
}
