/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A PostgreSQL session: where in each direction's stream it is, what its present result amounts to,
 * and what changes it as a whole. Compiled into the probe and, for tests and fuzzing, into user
 * space.
 */
#pragma once

#include "db_walk.h"
#include "quiet.h"

#define PG_LENGTH_MAX	  (1u << 30)
#define PG_STARTUP_MAX	  10000 /* MAX_STARTUP_PACKET_LENGTH in libpq/pqcomm.h */
#define PG_SSL_REQUEST	  80877103
#define PG_GSSENC_REQUEST 80877104
#define PG_CANCEL_REQUEST 80877102
#define PG_PROTOCOL_MAJOR 3
#define PG_COMPLETION_MAX 64 /* COMPLETION_TAG_BUFSIZE in tcop/cmdtag.h */
#define PG_READY_SIZE	  6
#define PG_PARAMETER_MAX  128 /* application_name and a value of NAMEDATALEN (64) */
#define PG_HEADER	  5   /* tag, length */

/* Records of TLS begin with a type and the major version (RFC 8446, 5.1). */
#define TLS_CHANGE_CIPHER 0x14
#define TLS_HANDSHAKE	  0x16
#define TLS_DATA	  0x17
#define TLS_MAJOR	  3

enum pg_phase {
	PG_UNSYNCED, /* joined midway: message boundaries unknown */
	PG_STARTUP,  /* untagged packets: length, code */
	PG_MESSAGES,
};

/* What lies between the messages and the socket. */
enum pg_crypt { PG_CLEAR, PG_TLS, PG_GSS };

/* What a client's message may be long that is taken for one without knowing that one begins. */
#define PG_JOIN_MAX (1u << 16)

/* One direction of a session. */
struct pg_stream {
	__u64 skip;   /* bytes left of the present body */
	__u32 want;   /* how many of them are to be copied */
	__u32 pos;    /* bytes of the body seen */
	__u32 length; /* of the whole body */
	__u8 have;    /* header bytes held in hdr */
	__u8 phase;
	__u8 tag;
	__u8 tentative; /* joined at what looked like a boundary: no second message seen yet */
	__u8 hdr[8];
	__u8 room[8]; /* so that a bounded copy cannot run over */
};

/* A write under encryption that may not have left yet (pg_tls.h). */
struct pg_flush {
	__u64 ptr, len;
	__u64 done;   /* of it, counted as sent */
	__u64 sent;   /* bytes that the socket took since it began */
	__u8 refused; /* what was sent last was not taken whole */
};

/* What the server received and has, decrypted, in its buffer from `at` on. */
struct pg_fill {
	__u32 at;
	__u8 open;  /* not looked at yet */
	__u8 whole; /* its record was received to the end */
};

/* What was received at once, if that is one statement in parts (pg_parts.h). */
struct pg_parts {
	__u64 name;		 /* of the prepared statement; the unnamed one is 0 */
	__u32 parse, parse_size; /* Parse's body in the window; 0: there is none */
	__u8 seen;
};

/*
 * The client's messages and the server's answers are paired by number: `group` counts what ends
 * in ReadyForQuery (Query, Sync, FunctionCall), `index` the results within a group.
 */
struct pg_session {
	__u64 conn;
	struct pg_stream client, server;
	__u32 client_group, client_index;
	__u32 server_group, server_index;
	struct db_result result;
	struct db_totals totals;
	__u64 write_ptr, read_ptr; /* arguments of the call in progress */
	__u64 text_base;	   /* run-time address of secure_write */
	struct pg_flush flush;
	struct pg_fill fill;
	struct quiet quiet;
	struct pg_parts parts;
	__u32 binary;
	int fd;	    /* the client's socket: Port.sock */
	__u8 crypt; /* enum pg_crypt */
	__u8 tap;   /* enum rec_tap: what brought the last bytes */
	__u8 adopted;
	__u8 missed; /* messages of the client */
};

static __always_inline void pg_lost(struct pg_session *s, struct pg_stream *d)
{
	if (d == &s->server) {
		s->result.doubt = 1;
		s->result.bytes += d->have;
	}
	d->phase = PG_UNSYNCED;
	d->skip = 0;
	d->have = 0;
	d->tentative = 0;
	s->totals.desync++;
}

/*
 * A new backend's first act is to read the startup packet, which begins with the upper byte of a
 * small length, or the first message of a TLS handshake. What writes first, or reads anything else,
 * was there before us. `head`: the first two bytes read; NULL: it writes.
 */
static __always_inline void pg_session_begin(struct pg_session *s, const __u8 *head)
{
	bool begins = head && (!head[0] || head[0] == TLS_HANDSHAKE);

	s->client.phase = begins ? PG_STARTUP : PG_UNSYNCED;
	/* Who reads has sent whole messages: see pg_client_realign(). */
	s->server.phase = head ? PG_MESSAGES : PG_UNSYNCED;
	s->server.tentative = !head;
	s->adopted = !begins;
	if (head && head[0] >= TLS_CHANGE_CIPHER && head[0] <= TLS_DATA && head[1] == TLS_MAJOR)
		s->crypt = PG_TLS;
}

/* It calls what only an encrypted session does, and was taken for another. */
static __always_inline void pg_encrypted(struct pg_session *s, enum pg_crypt crypt)
{
	if (s->crypt == crypt)
		return;
	__builtin_memset(&s->client, 0, sizeof(s->client));
	__builtin_memset(&s->server, 0, sizeof(s->server));
	__builtin_memset(&s->result, 0, sizeof(s->result));
	pg_session_begin(s, NULL);
	s->crypt = crypt;
}

/*
 * The first byte that the server sends may answer the request for encryption: alone, before any
 * message. True: it did.
 */
static __always_inline bool pg_encryption_answer(struct pg_session *s, __u8 byte)
{
	__u8 asked = s->client.tag;

	if (s->client.phase != PG_STARTUP || !asked)
		return false;
	s->client.tag = 0;
	if (byte == asked)
		s->crypt = asked == 'S' ? PG_TLS : PG_GSS;
	return byte == asked || byte == 'N';
}

/* A client's message went by unseen: where the next one begins is not known. */
static __always_inline void pg_client_missed(struct pg_session *s)
{
	s->client.phase = PG_UNSYNCED;
	s->client.skip = 0;
	s->client.have = 0;
	s->missed = 1;
}

/* After its end was told. */
static __always_inline void pg_result_close(struct pg_session *s)
{
	s->totals.rows += s->result.rows;
	s->totals.bytes += s->result.bytes;
	__builtin_memset(&s->result, 0, sizeof(s->result));
	s->server_index++;
}

/* The backend ends in the middle: a row whose last byte was not taken did not leave. */
static __always_inline void pg_result_abort(struct pg_session *s)
{
	if (!s->server.skip)
		return;
	if (s->server.tag == 'D' && s->result.rows)
		s->result.rows--;
	else if (s->server.tag == 'd' && s->result.copy_rows)
		s->result.copy_rows--;
}
