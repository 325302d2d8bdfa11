// SPDX-License-Identifier: Apache-2.0
// How a PostgreSQL backend under TLS receives: pqcomm.c's buffer, OpenSSL with one record, and what
// the probe is told of it. Included by one unit test and one fuzz target.
#pragma once

#include <assert.h>

#include "support/pg_twin.h"

#define PQ_RECORD   16384 /* of TLS, at most */
#define PQ_OVERHEAD 17

static struct pq_twin {
	unsigned char buffer[PG_RECV_BUFFER];
	uint32_t used, length;
	unsigned char record[PQ_RECORD];
	size_t record_at, record_n;
} pq;

/* recv(2) of `asked` bytes gave n. */
static inline void pq_received(const void *bytes, size_t n, size_t asked)
{
	pg_fill_received(&twin.s, (uintptr_t)bytes + n, n, asked, pq.length);
}

/* SSL_read() has the socket's next record: its header in two pieces, its body in two. */
static inline void pq_record(const void *bytes, size_t n)
{
	size_t body = n + PQ_OVERHEAD, half = body / 2;
	unsigned char h[TLS_HEADER] = {TLS_DATA, TLS_MAJOR, 3, (unsigned char)(body >> 8),
				       (unsigned char)body};

	pq_received(h, 2, 5);
	pq_received(h + 2, 3, 3);
	pq_received(bytes, half, body);
	pq_received(bytes, body - half, body - half);
	memcpy(pq.record, bytes, n);
	pq.record_n = n;
	pq.record_at = 0;
}

/* pq_recvbuf(): all that was received is used. False: nothing is left of the last record, and
 * there was none given. */
static inline bool pq_recvbuf(const void *bytes, size_t n)
{
	size_t take;

	assert(pq.used == pq.length);
	pq.used = pq.length = 0;
	if (pq.record_at == pq.record_n && !bytes)
		return false;
	if (pq.record_at == pq.record_n)
		pq_record(bytes, n);
	else
		assert(!bytes);
	take = pq.record_n - pq.record_at;
	if (take > sizeof(pq.buffer))
		take = sizeof(pq.buffer);
	memcpy(pq.buffer, pq.record + pq.record_at, take);
	pq.record_at += take;
	pq.length = (uint32_t)take;
	return true;
}

/* be_tls_write() is entered with n bytes, and they leave. */
static inline void pq_answer(const void *bytes, size_t n)
{
	uint32_t at = pg_fill_new(&twin.s, pq.length);
	struct pg_walk w = twin_walk();

	if (at < pq.length)
		pg_client_chunk(&w, (uintptr_t)pq.buffer + at, pq.length - at);
	twin_server(bytes, n);
	pg_fill_used(&twin.s, pq.used, pq.length);
}
