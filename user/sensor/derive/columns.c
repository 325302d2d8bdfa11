// SPDX-License-Identifier: Apache-2.0
// Column descriptions. PostgreSQL gives object ids (manual: RowDescription), MariaDB names
// (sql/protocol.cc, Protocol::send_result_set_metadata). Any bytes are safe input.
#include "sensor/derive/columns.h"

#include <stdio.h>
#include <string.h>

#include "sensor/watch.h"

static uint32_t be32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/*
 * int16 n, then for each column: name NUL, int32 table, int16 attribute, int32 type, int16 size,
 * int32 modifier, int16 format.
 */
static uint64_t pg_tables(struct watch *w, const char *database, const char *body, size_t len,
			  uint64_t named)
{
	const unsigned char *p = (const unsigned char *)body, *end = p + len;
	uint64_t mask = 0;
	uint32_t only = 0;
	bool one = true;

	p += 2;
	while (p < end) {
		const unsigned char *nul = memchr(p, 0, (size_t)(end - p));
		uint32_t oid;

		if (!nul || end - nul < 19)
			break;
		oid = be32(nul + 1);
		if (oid) {
			mask |= watch_match_oid(w, database, oid);
			one &= !only || only == oid;
			only = oid;
		}
		p = nul + 19;
	}
	/* A statement on one watched table, all columns from one object: that is its id. */
	if (only && one && named && !(named & (named - 1)))
		watch_learn_oid(w, database, only, named);
	return mask;
}

/* A length-encoded string of at most 250 bytes, as names are; NULL at the end of the data. */
static const unsigned char *lenenc(const unsigned char *p, const unsigned char *end, char *ret,
				   size_t size)
{
	if (!p || p >= end || *p > 250 || (size_t)(end - p - 1) < *p)
		return NULL;
	snprintf(ret, size, "%.*s", (int)*p, (const char *)p + 1);
	return p + 1 + *p;
}

/* Packets, headers included: catalog, schema, table alias, table, name, original name, ... */
static uint64_t mysql_tables(const struct watch *w, Rollcall__System system, const char *database,
			     const char *body, size_t len)
{
	const unsigned char *p = (const unsigned char *)body, *end = p + len;
	uint64_t mask = 0;

	while (end - p > 4) {
		size_t size = p[0] | (size_t)p[1] << 8 | (size_t)p[2] << 16;
		const unsigned char *q = p + 4;
		char skip[256], schema[256], alias[256], table[256];

		q = lenenc(q, end, skip, sizeof(skip));
		q = lenenc(q, end, schema, sizeof(schema));
		q = lenenc(q, end, alias, sizeof(alias));
		if (lenenc(q, end, table, sizeof(table))) {
			mask |= watch_match_name(w, system, *schema ? schema : database, schema,
						 table);
			mask |= watch_match_name(w, system, *schema ? schema : database, schema,
						 alias);
		}
		if ((size_t)(end - p) < size + 4)
			break;
		p += size + 4;
	}
	return mask;
}

uint64_t columns_tables(struct watch *w, Rollcall__System system, const char *database,
			const char *body, size_t len, uint64_t named)
{
	if (len < 2)
		return 0;
	if (system == ROLLCALL__SYSTEM__postgresql)
		return pg_tables(w, database, body, len, named);
	return mysql_tables(w, system, database, body, len);
}
