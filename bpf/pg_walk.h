/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The PostgreSQL v3 protocol, walked by its headers with constant state. Chunks may split a
 * message anywhere. Compiled into the probe and, for tests and fuzzing, into user space: the
 * includer supplies db_miss() and the pg_on_*() functions. Facts: PostgreSQL manual,
 * "Frontend/Backend Protocol: Message Formats".
 */
#pragma once

#include "pg_session.h"

#define PG_ROWS_A_STEP 16

/* A window of a chunk being walked. */
struct pg_walk {
	struct pg_session *s;
	__u8 *window; /* DB_WINDOW + DB_TEXT_MAX bytes */
	struct db_scratch *scratch;
	struct db_cursor *at;
};

static void pg_on_received(struct pg_walk *w); /* a window of what the client sent */
static void pg_on_command(struct pg_walk *w, __u32 off, __u32 n);
static void pg_on_columns(struct pg_walk *w, __u32 off, __u32 n);
static void pg_on_parameter(struct pg_walk *w, __u32 off, __u32 n);
static void pg_on_end(struct pg_walk *w, enum rec_end end);

static __always_inline __u32 pg_be32(const __u8 *p)
{
	return (__u32)p[0] << 24 | (__u32)p[1] << 16 | (__u32)p[2] << 8 | p[3];
}

/* Collects `size` header bytes, 5 or 8; true when they are complete. */
static __always_inline bool pg_header(struct pg_walk *w, struct pg_stream *d, __u32 size)
{
	__u32 off = w->at->off, have = d->have & 7, n;

	if (off >= w->at->end || off >= DB_WINDOW)
		return false;
	n = w->at->end - off;
	if (!have && n >= size) {
		db_copy8(d->hdr, w->window + off);
		w->at->off = off + size;
		return true;
	}
	if (n > size - have)
		n = size - have;
	barrier_var(n); /* keep the mask: 6.1 cannot follow the comparison */
	if (bpf_probe_read_kernel(d->hdr + have, n & 15, w->window + off))
		return false;
	w->at->off = off + n;
	d->have = have + n;
	if (d->have < size)
		return false;
	d->have = 0;
	return true;
}

/* ---- server ---- */

/*
 * What a server's message may say of its length, by tag; 0: no such message. A length that can be
 * one only must be that one: a digit followed by a small number is how a column begins, too.
 */
static const struct pg_length {
	__u32 min, max;
} pg_lengths[128] = {
	['1'] = {4, 4},			    /* ParseComplete */
	['2'] = {4, 4},			    /* BindComplete */
	['3'] = {4, 4},			    /* CloseComplete */
	['A'] = {4, PG_LENGTH_MAX},	    /* NotificationResponse */
	['C'] = {5, 4 + PG_COMPLETION_MAX}, /* CommandComplete */
	['D'] = {4, PG_LENGTH_MAX},	    /* DataRow */
	['E'] = {4, PG_LENGTH_MAX},	    /* ErrorResponse */
	['G'] = {4, PG_LENGTH_MAX},	    /* CopyInResponse */
	['H'] = {4, PG_LENGTH_MAX},	    /* CopyOutResponse */
	['I'] = {4, 4},			    /* EmptyQueryResponse */
	['K'] = {4, PG_LENGTH_MAX},	    /* BackendKeyData */
	['N'] = {4, PG_LENGTH_MAX},	    /* NoticeResponse */
	['R'] = {4, PG_LENGTH_MAX},	    /* Authentication... */
	['S'] = {4, PG_LENGTH_MAX},	    /* ParameterStatus */
	['T'] = {4, PG_LENGTH_MAX},	    /* RowDescription */
	['V'] = {4, PG_LENGTH_MAX},	    /* FunctionCallResponse */
	['W'] = {4, PG_LENGTH_MAX},	    /* CopyBothResponse */
	['Z'] = {5, 5},			    /* ReadyForQuery */
	['c'] = {4, 4},			    /* CopyDone */
	['d'] = {4, PG_LENGTH_MAX},	    /* CopyData */
	['n'] = {4, 4},			    /* NoData */
	['s'] = {4, 4},			    /* PortalSuspended */
	['t'] = {4, PG_LENGTH_MAX},	    /* ParameterDescription */
	['v'] = {4, PG_LENGTH_MAX},	    /* NegotiateProtocolVersion */
};

static __always_inline bool pg_server_header_valid(__u8 tag, __u32 n)
{
	const struct pg_length *length = &pg_lengths[tag & 127];

	return !(tag & 128) && n >= length->min && n <= length->max && n;
}

static __always_inline void pg_row(struct db_result *r, __u64 size)
{
	if (size > r->max_row)
		r->max_row = size;
}

/* A header is complete: account for the message, say how much of its body is wanted. */
static __always_inline void pg_server_begin(struct pg_walk *w, __u8 tag, __u32 length)
{
	struct pg_session *s = w->s;
	struct db_result *r = &s->result;
	__u32 want = 0;

	switch (tag) {
	case 'D':
		db_result_begin(r);
		r->rows++;
		pg_row(r, length);
		break;
	case 'd':
		r->copy_rows++;
		pg_row(r, length);
		break;
	case 'T':
		db_result_begin(r);
		want = length > DB_TEXT_MAX ? DB_TEXT_MAX : length;
		break;
	case 'H':
	case 'W':
		db_result_begin(r);
		break;
	case 'C':
		db_result_begin(r);
		r->tag_len = 0;
		want = length > sizeof(r->tag) ? sizeof(r->tag) : length;
		break;
	case 'S':
		want = length > PG_PARAMETER_MAX ? 0 : length;
		break;
	case 'N':
	case 'A':
	case 'E':
	case 'V':
		/* Text the server composed: data can leave in it, so it is counted apart. */
		s->totals.side_bytes += length;
		break;
	}
	if (r->begin_time)
		r->bytes += length + 5;
	s->server.want = want;
	s->server.tag = tag;
}

static __always_inline void pg_server_group_end(struct pg_session *s)
{
	s->server_group++;
	s->server_index = 0;
	s->quiet.on = s->quiet.held = 0;
}

/* A body is complete. */
static __always_inline void pg_server_end(struct pg_walk *w)
{
	struct pg_session *s = w->s;

	switch (s->server.tag) {
	case 'C':
	case 'I':
	case 'V':
		pg_on_end(w, End_complete);
		break;
	case 's':
		pg_on_end(w, End_suspended);
		break;
	case 'E':
		pg_on_end(w, End_failed);
		break;
	case 'Z':
		if (s->result.begin_time)
			pg_on_end(w, End_complete);
		pg_server_group_end(s);
		break;
	}
}

static __always_inline void pg_tag_bytes(struct pg_walk *w, __u32 off, __u32 n)
{
	struct db_result *r = &w->s->result;
	__u32 at = r->tag_len;

	if (at >= sizeof(r->tag) || off >= DB_WINDOW)
		return;
	if (n > sizeof(r->tag) - at)
		n = sizeof(r->tag) - at;
	barrier_var(n); /* keep the mask: 6.1 cannot follow the comparison */
	if (bpf_probe_read_kernel(r->tag + at, n & 63, w->window + off))
		return;
	r->tag_len = at + n;
}

/* A ParameterStatus, of which one tells who the client is: what it calls itself may change. */
static __always_inline void pg_parameter(struct pg_walk *w, __u32 off, __u32 n)
{
	struct pg_stream *d = &w->s->server;
	__u64 name, wanted = 0x746163696c707061; /* "applicat", of application_name */

	if (off >= DB_WINDOW)
		return;
	db_copy8((__u8 *)&name, w->window + off);
	if (n < sizeof(name))
		wanted = (name & -1ull << 8 * n) | (wanted & ~(-1ull << 8 * n));
	if (!d->pos && name != wanted)
		d->want = n;
	else
		pg_on_parameter(w, off, n);
}

/*
 * Rows that the window holds as a whole, as nearly all of a large result: no copy of their headers,
 * no second step for their bodies. 0: the next message is none, or something else may be.
 */
static __always_inline __u32 pg_whole_rows(struct pg_walk *w)
{
	struct db_result *r = &w->s->result;
	struct pg_stream *d = &w->s->server;
	const __u8 *window = w->window;
	__u64 begin = w->at->off, off = begin, end = w->at->end, max = r->max_row;
	__u32 rows = 0;

	if (d->skip || d->have || !r->begin_time)
		return 0;
	for (; rows < PG_ROWS_A_STEP; rows++) {
		const __u8 *head = window + db_in_window(off);
		/* A length less than its own four bytes becomes one that no window holds. */
		__u32 n = __builtin_bswap32(db_load4(head + 1)) - 4;

		if (head[0] != 'D' || off + PG_HEADER + n > end)
			break;
		off += PG_HEADER + n;
		max = db_max(max, n);
	}
	if (!rows)
		return 0;
	r->rows += rows;
	r->bytes += off - begin;
	r->max_row = max;
	d->tag = 'D';
	w->at->off = off;
	return rows;
}

/* One step: a header, or what the window holds of a body. Nonzero: the window is used up. */
static __always_inline int pg_server_step(struct pg_walk *w)
{
	struct pg_session *s = w->s;
	struct pg_stream *d = &s->server;
	__u32 off = w->at->off, n, k;

	if (off >= w->at->end || off >= DB_WINDOW || d->phase != PG_MESSAGES)
		return 1;
	if (pg_whole_rows(w))
		return 0;
	if (!d->skip) {
		if (!pg_header(w, d, 5))
			return 1;
		n = pg_be32(d->hdr + 1);
		if (!pg_server_header_valid(d->hdr[0], n)) {
			d->have = 5;
			pg_lost(s, d);
			return 1;
		}
		d->tentative = 0;
		d->skip = d->length = n - 4;
		d->pos = 0;
		pg_server_begin(w, d->hdr[0], n - 4);
		if (!d->skip)
			pg_server_end(w);
		if (d->want)
			return 0;
		off = w->at->off;
	}
	n = w->at->end - off;
	if (n > d->skip)
		n = d->skip;
	if (!n)
		return 0;
	k = n > d->want ? d->want : n;
	if (k && d->tag == 'T')
		pg_on_columns(w, off, k);
	else if (k && d->tag == 'S')
		pg_parameter(w, off, k);
	else if (k)
		pg_tag_bytes(w, off, k);
	d->want -= k;
	d->pos += n;
	d->skip -= n;
	w->at->off = off + n;
	if (!d->skip)
		pg_server_end(w);
	return 0;
}

/*
 * n bytes that were not walked, since their boundaries are unknown. ReadyForQuery as the last
 * message of their chunk is where a backend always flushes, so the next chunk begins a message.
 */
static __always_inline void pg_server_unsynced(struct pg_walk *w, const __u8 *last6, __u64 n)
{
	struct pg_session *s = w->s;

	db_result_begin(&s->result);
	s->result.doubt = 1;
	s->result.bytes += n;
	if (last6[0] != 'Z' || pg_be32(last6 + 1) != 5 ||
	    (last6[5] != 'I' && last6[5] != 'T' && last6[5] != 'E'))
		return;
	pg_on_end(w, End_complete);
	pg_server_group_end(s);
	s->server.phase = PG_MESSAGES;
	s->server.skip = 0;
	s->server.have = 0;
}

/* Could this be the first message of an answer? Rows never are. */
static __always_inline bool pg_server_boundary(const __u8 *p)
{
	__u32 n = pg_be32(p + 1);

	return pg_server_header_valid(p[0], n) && p[0] != 'D' && p[0] != 'd' && n < (1u << 16);
}

/* ---- client ---- */

/* Messages that name or run statements. */
static __always_inline bool pg_client_wanted(__u8 tag)
{
	return tag == 'Q' || tag == 'P' || tag == 'B' || tag == 'E' || tag == 'C' || tag == 'F';
}

static __always_inline void pg_client_end(struct pg_session *s)
{
	struct pg_stream *d = &s->client;

	if (d->phase == PG_STARTUP) {
		d->phase = PG_MESSAGES;
		return;
	}
	if (d->tag == 'E') {
		s->client_index++;
	} else if (d->tag == 'Q' || d->tag == 'S' || d->tag == 'F') {
		s->client_group++;
		s->client_index = 0;
	}
}

/* SSLRequest and GSSENCRequest are answered by one raw byte, then the startup packet follows. The
 * answer that says yes is kept as the tag. */
static __always_inline int pg_client_startup(struct pg_walk *w)
{
	struct pg_stream *d = &w->s->client;
	__u32 n, code;

	if (!pg_header(w, d, 8))
		return 1;
	n = pg_be32(d->hdr);
	code = pg_be32(d->hdr + 4);
	if (n == 8 && (code == PG_SSL_REQUEST || code == PG_GSSENC_REQUEST)) {
		d->tag = code == PG_SSL_REQUEST ? 'S' : 'G';
		return 0;
	}
	if (n < 8 || n > PG_STARTUP_MAX || code >> 16 != PG_PROTOCOL_MAJOR) {
		if (code != PG_CANCEL_REQUEST) {
			/* No startup packet: the session is older than the sensor. */
			w->s->adopted = 1;
			pg_lost(w->s, d);
		}
		return 1;
	}
	d->skip = d->length = n - 8;
	d->want = d->length > DB_TEXT_MAX ? DB_TEXT_MAX : d->length;
	d->pos = 0;
	d->tag = 0;
	if (!d->skip)
		pg_client_end(w->s);
	return 0;
}

static __always_inline int pg_client_header(struct pg_walk *w)
{
	struct pg_session *s = w->s;
	struct pg_stream *d = &s->client;
	__u32 n;

	if (!pg_header(w, d, 5))
		return 1;
	n = pg_be32(d->hdr + 1);
	if (n < 4 || n > (d->tentative ? PG_JOIN_MAX : PG_LENGTH_MAX) || d->hdr[0] < 'B' ||
	    d->hdr[0] > 'p') {
		if (d->tentative)
			d->phase = PG_UNSYNCED;
		else
			pg_lost(s, d);
		return 1;
	}
	d->tentative = 0;
	d->tag = d->hdr[0];
	d->skip = d->length = n - 4;
	d->pos = 0;
	d->want = 0;
	if (pg_client_wanted(d->tag))
		d->want = d->length > DB_TEXT_MAX ? DB_TEXT_MAX : d->length;
	if (!d->skip)
		pg_client_end(s);
	return 0;
}

static __always_inline int pg_client_step(struct pg_walk *w)
{
	struct pg_session *s = w->s;
	struct pg_stream *d = &s->client;
	__u32 off = w->at->off, n, k;

	if (off >= w->at->end || off >= DB_WINDOW || d->phase == PG_UNSYNCED)
		return 1;
	if (!d->skip)
		return d->phase == PG_STARTUP ? pg_client_startup(w) : pg_client_header(w);
	n = w->at->end - off;
	if (n > d->skip)
		n = d->skip;
	k = n > d->want ? d->want : n;
	if (k)
		pg_on_command(w, off, k);
	d->want -= k;
	d->pos += n;
	d->skip -= n;
	w->at->off = off + n;
	if (!d->skip)
		pg_client_end(s);
	return 0;
}

/* All that was asked is answered. */
static __always_inline bool pg_server_idle(const struct pg_session *s)
{
	return s->server.phase == PG_MESSAGES && !s->server.skip && !s->server.have &&
	       !s->server_index && !s->result.begin_time;
}

/*
 * The backend asks for more input only when it has handled every whole message it had
 * (pq_recvbuf() is called on an empty buffer) and ReadyForQuery is always flushed: so here the
 * numbers of the two directions agree. Mends them after a join midway and after messages that
 * the server ignores (Sync during COPY).
 */
static __always_inline void pg_client_realign(struct pg_session *s)
{
	if (s->client.phase == PG_UNSYNCED && pg_server_idle(s)) {
		s->client.phase = PG_MESSAGES;
		s->client.tentative = 1;
		s->client.skip = 0;
		s->client.have = 0;
	}
	if (s->client.phase == PG_MESSAGES && !s->client.skip && !s->client.have &&
	    s->client_group != s->server_group) {
		s->client_group = s->server_group;
		s->client_index = 0;
	}
}

/* ---- chunks ---- */

/* Reads the next window of the chunk. False when the chunk is used up. */
static __always_inline bool pg_window(struct pg_walk *w, struct pg_stream *d)
{
	__u64 n;

	/* What is to be skipped need not be read. */
	n = d->skip < w->at->left ? d->skip : w->at->left;
	if (d->phase == PG_MESSAGES && n && !d->want && n < d->skip) {
		d->skip -= n;
		d->pos += n;
		w->at->user += n;
		w->at->left -= n;
	}
	n = w->at->left > DB_WINDOW ? DB_WINDOW : w->at->left;
	if (!n)
		return false;
	w->at->off = 0;
	w->at->end = n;
	if (bpf_probe_read_user(w->window, n, (void *)w->at->user)) {
		w->at->end = 0;
		db_miss(DB_MISS_READ);
		pg_lost(w->s, d);
		return false;
	}
	w->at->user += n;
	w->at->left -= n;
	return true;
}

static long pg_server_cb(__u64 i, struct pg_walk *w)
{
	return pg_server_step(w);
}

static long pg_client_cb(__u64 i, struct pg_walk *w)
{
	return pg_client_step(w);
}

static long pg_server_window_cb(__u64 i, struct pg_walk *w)
{
	if (!w->s || !w->window || !pg_window(w, &w->s->server))
		return 1;
	bpf_loop(DB_WINDOW, pg_server_cb, w, 0);
	return 0;
}

static long pg_client_window_cb(__u64 i, struct pg_walk *w)
{
	if (!w->s || !w->window || !pg_window(w, &w->s->client))
		return 1;
	pg_on_received(w);
	bpf_loop(DB_WINDOW, pg_client_cb, w, 0);
	return 0;
}

/* A session joined midway: does this chunk begin an answer? */
static __always_inline void pg_adopt(struct pg_session *s, __u64 ptr, __u64 n)
{
	__u8 head[5] = {};

	if (s->server.phase != PG_UNSYNCED || !s->server.tentative || n < sizeof(head))
		return;
	s->server.tentative = 0;
	if (!bpf_probe_read_user(head, sizeof(head), (void *)ptr) && pg_server_boundary(head))
		s->server.phase = PG_MESSAGES;
}

/* n bytes at ptr in user memory that the server has sent. */
static __always_inline void pg_server_chunk(struct pg_walk *w, __u64 ptr, __u64 n)
{
	struct pg_session *s = w->s;
	__u8 last[PG_READY_SIZE] = {};

	*w->at = db_cursor_at(ptr, n);
	pg_adopt(s, ptr, n);
	s->result.safe_rows = s->result.rows;
	if (s->server.phase == PG_MESSAGES)
		bpf_loop((n / DB_WINDOW) + 2, pg_server_window_cb, w, 0);
	if (s->server.phase == PG_MESSAGES)
		return;
	if (n >= sizeof(last))
		bpf_probe_read_user(last, sizeof(last), (void *)(ptr + n - sizeof(last)));
	pg_server_unsynced(w, last, w->at->left + w->at->end - w->at->off);
}

/* n bytes at ptr that it has received. */
static __always_inline void pg_client_chunk(struct pg_walk *w, __u64 ptr, __u64 n)
{
	*w->at = db_cursor_at(ptr, n);
	bpf_loop((n / DB_WINDOW) + 2, pg_client_window_cb, w, 0);
}
