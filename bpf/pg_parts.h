/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * One statement of the extended protocol, as JDBC's driver and libpq send it: Parse, or the name of
 * what was parsed before; Bind and Execute of the unnamed portal; Sync. Compiled into the probe
 * and, for tests and fuzzing, into user space. Facts: PostgreSQL manual, "Message Formats".
 */
#pragma once

#include "pg_walk.h"

/* What was received in one piece, when it is that and nothing else. Offsets in the window. */
struct pg_parts {
	__u64 name;		 /* of the prepared statement; the unnamed one is 0 */
	__u32 parse, parse_size; /* Parse's body behind the name: text, types; 0: there is none */
};

/* The first byte of w that is 0 has its highest bit set; 0: none is. */
static __always_inline __u64 pg_name_end(__u64 w)
{
	__u64 zeros = quiet_equal(w, 0);

	return zeros & -zeros;
}

/* Of a string that ends within eight bytes: itself, and its size with its end. False: it does not.
 */
static __always_inline bool pg_name(const __u8 *at, __u64 *ret_name, __u32 *ret_size)
{
	__u64 w, end;

	db_copy8((__u8 *)&w, at);
	end = pg_name_end(w);
	*ret_name = w & ((end >> 7) - 1);
	*ret_size = 1;
	for (__u32 i = 1; i < 8; i++)
		*ret_size += (end >> 8 * i) != 0;
	return end;
}

/* The message at *off, which ends before `end`: its tag, its body and its size; *off is behind it.
 */
static __always_inline bool pg_part(const __u8 *window, __u32 *off, __u32 end, __u8 tag,
				    __u32 *ret_body, __u32 *ret_size)
{
	__u32 at = *off, n;

	barrier_var(at); /* keep the bound: 6.1 forgets it */
	if (at > DB_WINDOW - PG_HEADER || window[at] != tag)
		return false;
	n = pg_be32(window + at + 1);
	if (n < 4 || n > DB_WINDOW || at + 1 + n > end)
		return false;
	*ret_body = at + PG_HEADER;
	*ret_size = n - 4;
	*off = at + 1 + n;
	return true;
}

/* Of the first `end` bytes of a window. False: they are something else, or more than one. */
static __always_inline bool pg_parts_read(const __u8 *window, __u32 end, struct pg_parts *p)
{
	__u32 off = 0, body, n, size;

	p->parse = p->parse_size = 0;
	if (pg_part(window, &off, end, 'P', &body, &n)) {
		/* A named one stays for statements that are told. */
		if (n < 2 || body >= DB_WINDOW || window[body])
			return false;
		p->parse = body + 1;
		p->parse_size = n - 1;
	}
	/* Portal, statement. */
	if (!pg_part(window, &off, end, 'B', &body, &n) || n < 2 || body >= DB_WINDOW ||
	    window[body] || !pg_name(window + body + 1, &p->name, &size) || size >= n ||
	    (p->parse && p->name))
		return false;
	pg_part(window, &off, end, 'D', &body, &n);
	if (!pg_part(window, &off, end, 'E', &body, &n) || n != 5 || body >= DB_WINDOW ||
	    window[body])
		return false;
	return pg_part(window, &off, end, 'S', &body, &n) && !n && off == end;
}
