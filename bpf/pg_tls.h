/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A PostgreSQL session under TLS, followed with one breakpoint a flush: be_tls_write(), where it is
 * entered with what is to be encrypted. All else is told by the session's socket and by the
 * server's memory. Compiled into the probe and, for tests and fuzzing, into user space.
 *
 * Out: OpenSSL has written a buffer when the last thing it sent was taken whole, and is called
 * again with the same buffer, perhaps with more behind it, when it was not (SSL_write(3)).
 * Ciphertext is longer than what it is of, so a buffer is known to be gone while its last record is
 * sent.
 *
 * In: OpenSSL asks the socket for the header of a record, five bytes, and then for its body, and
 * for no more (SSL_CTX_set_read_ahead(3): off), and gives out of one record at a time. PostgreSQL
 * asks OpenSSL when all that it has in PqRecvBuffer is used. So what is there when it answers is
 * what the client sent since, if that was one record and had room. If not, some of it may have been
 * overwritten; the client is followed again from where the server is ready for a query, with
 * nothing left of what it received.
 */
#pragma once

#include "pg_walk.h"

#define PG_RECV_BUFFER 8192 /* PQ_RECV_BUFFER_SIZE in libpq/pqcomm.c */
#define TLS_HEADER     5

/* be_tls_write() is entered. False: what became of the write before is not understood. */
static __always_inline bool pg_flush_begin(struct pg_flush *f, __u64 ptr, __u64 len)
{
	bool again = f->len && (f->refused || !f->sent), gone = again || f->done == f->len;

	f->ptr = ptr;
	f->len = len;
	if (again)
		return true;
	f->done = 0;
	f->sent = 0;
	return gone;
}

/*
 * The socket took n of the bytes that it was given, or refused them. How many bytes of the buffer
 * are gone by that, from *ret_ptr on.
 */
static __always_inline __u64 pg_flush_sent(struct pg_flush *f, long n, __u64 given, __u64 *ret_ptr)
{
	__u64 from = f->done;

	if (!f->len)
		return 0;
	f->refused = n < 0 || (__u64)n < given;
	if (n > 0)
		f->sent += n;
	if (f->refused || f->sent < f->len || from >= f->len)
		return 0;
	f->done = f->len;
	*ret_ptr = f->ptr + from;
	return f->len - from;
}

/*
 * The socket gave n of the bytes that it was asked for, the last of them before `end`. `at`: where
 * in PqRecvBuffer the server will have what they decrypt to.
 */
static __always_inline void pg_fill_received(struct pg_session *s, __u64 end, __u64 n, __u64 asked,
					     __u32 at)
{
	struct pg_fill *f = &s->fill;
	__u8 h[TLS_HEADER] = {};

	if (n != asked)
		return;
	if (asked > TLS_HEADER) {
		f->whole = 1;
		return;
	}
	if (bpf_probe_read_user(h, sizeof(h), (void *)(end - sizeof(h))) || h[0] != TLS_DATA)
		return;
	/* Until the startup packet came, records of data may be the end of the handshake. */
	if (s->client.phase == PG_MESSAGES && !f->open)
		pg_client_realign(s);
	if (s->client.phase != PG_STARTUP &&
	    (f->open || at >= PG_RECV_BUFFER || ((__u32)h[3] << 8 | h[4]) > PG_RECV_BUFFER - at))
		pg_client_missed(s);
	f->at = at;
	f->open = 1;
	f->whole = 0;
}

/* The server answers. Where in PqRecvBuffer, which holds `length` bytes, the new ones begin;
 * `length` when there is nothing to look at. */
static __always_inline __u32 pg_fill_new(struct pg_session *s, __u32 length)
{
	struct pg_fill *f = &s->fill;

	if (!f->open || !f->whole)
		return length;
	f->open = 0;
	if (length > PG_RECV_BUFFER || length < f->at) {
		pg_client_missed(s);
		return length;
	}
	return s->client.phase == PG_UNSYNCED ? length : f->at;
}

/*
 * The server's last message left, and of the `length` bytes in PqRecvBuffer it has used `used`. A
 * buffer that is full may not have had room for the whole record.
 */
static __always_inline void pg_fill_used(struct pg_session *s, __u32 used, __u32 length)
{
	if (s->client.phase != PG_UNSYNCED || !pg_server_idle(s) || s->server.tag != 'Z' ||
	    s->fill.open || used != length || length >= PG_RECV_BUFFER)
		return;
	s->client.phase = PG_MESSAGES;
	s->client_group = s->server_group;
	s->client_index = 0;
}
