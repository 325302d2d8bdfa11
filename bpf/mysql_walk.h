/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The server's half of the MySQL protocol, walked by packet headers with constant state.
 * Capabilities are inferred from the stream. Compiled into
 * the probe and, for tests and fuzzing, into user space: the includer supplies db_miss() and the
 * my_on_*() functions. Facts: MariaDB manual, "Client/Server Protocol: Result Set Packets".
 */
#pragma once

#include "db_walk.h"

#define MY_HEADER      4
#define MY_HEAD_MAX    24 /* of a payload: OK is 00, two length-encoded numbers, status, warnings */
#define MY_ROWS_A_STEP 16
#define MY_PACKET_MAX  0xffffff

#define MY_COLUMNS_SAME 1 /* db_result::columns_hash */

#define MY_STATUS_MORE_RESULTS 0x0008
#define MY_STATUS_CURSOR       0x0040
#define MY_STATUS_LAST_ROW     0x0080

enum my_command {
	COM_LOGIN = 0x00, /* no client sends it (COM_SLEEP): here, what answers the greeting */
	COM_QUIT = 0x01,
	COM_INIT_DB = 0x02,
	COM_QUERY = 0x03,
	COM_FIELD_LIST = 0x04,
	COM_STATISTICS = 0x09,
	COM_PING = 0x0e,
	COM_CHANGE_USER = 0x11,
	COM_BINLOG_DUMP = 0x12,
	COM_STMT_PREPARE = 0x16,
	COM_STMT_EXECUTE = 0x17,
	COM_STMT_SEND_LONG_DATA = 0x18,
	COM_STMT_CLOSE = 0x19,
	COM_STMT_RESET = 0x1a,
	COM_STMT_FETCH = 0x1c,
	COM_BINLOG_DUMP_GTID = 0x1e,
	COM_RESET_CONNECTION = 0x1f,
	COM_STMT_BULK_EXECUTE = 0xfa,
};

enum my_phase {
	MY_DONE,  /* the answer is complete, or no command was seen yet */
	MY_FIRST, /* the first packet of a result */
	MY_COLUMNS,
	MY_AFTER_COLUMNS, /* an EOF packet, unless the client has DEPRECATE_EOF */
	MY_ROWS,
	MY_RAW,	    /* bytes only: binlog */
	MY_PREPARE, /* the answer to COM_STMT_PREPARE */
	MY_LOST,    /* a chunk was not read, so boundaries are unknown: bytes only */
	MY_AUTH,    /* greeted; no OK yet */
};

enum my_client_phase {
	MY_CLIENT_COMMANDS,
	MY_CLIENT_LOGIN, /* greeted: its answer is expected */
	MY_CLIENT_AUTH,	 /* what else the server asked for, until its OK */
	MY_CLIENT_FILE,	 /* LOAD DATA LOCAL: up to an empty packet */
	MY_CLIENT_LOST,	 /* joined midway, or a read failed */
};

/* The client's half (mysql_client.h). */
struct my_client {
	__u32 left; /* bytes of the present packet to come */
	__u32 want; /* of its command's text, told in all */
	__u32 pos;  /* and told so far */
	__u8 have;  /* header bytes held in head */
	__u8 phase;
	__u8 pending;	/* the body's first byte, the command, is to come */
	__u8 announced; /* MY_CLIENT_LOST: head may be a header */
	__u8 continued; /* the present packet goes on in the next one */
	__u8 head[2 * MY_HEADER];
};

struct my_session {
	__u64 conn;
	__u64 skip;	 /* bytes left of the present packet */
	__u64 row_bytes; /* of the present row, which may take several packets */
	__u32 columns_left;
	__u32 columns_bytes; /* sent so far of this result's definitions */
	__u32 group, index;  /* command number, result in it */
	__u32 stmt_id;
	__u32 binary;
	__u8 phase;
	__u8 have;	/* bytes held in head */
	__u8 continued; /* the present packet goes on in the next one (0xffffff rule) */
	__u8 adopted;
	__u8 command;	 /* of this group: enum my_command */
	__u8 tls;	 /* seen above TLS only ... */
	__u8 compressed; /* ... or before compression */
	__u8 tap;	 /* enum rec_tap */
	struct my_client client;
	__u8 head[MY_HEADER + MY_HEAD_MAX + 4];
	struct db_result result;
	struct db_totals totals;
};

struct my_quiet;

struct my_walk {
	struct my_session *s;
	struct my_quiet *quiet; /* my_quiet.h; may be NULL */
	struct db_scratch *scratch;
	__u8 *window; /* DB_WINDOW + DB_TEXT_MAX bytes */
	struct db_cursor *at;
};

static void my_on_columns(struct my_walk *w, __u32 off, __u32 n);
static void my_on_prepared(struct my_walk *w);
static void my_on_end(struct my_walk *w, enum rec_end end);

/* A length-encoded number at head[*at]; *at past it. */
static __always_inline __u64 my_lenenc(const struct my_session *s, __u32 *at)
{
	__u32 i = *at & 31;
	__u8 first = s->head[i];
	__u32 size = first < 0xfb ? 0 : first == 0xfc ? 2 : first == 0xfd ? 3 : 8;
	__u64 n = 0;

	*at += 1 + size;
	if (!size)
		return first;
	/* Without a branch a byte, which would be a path a byte for the verifier. */
	for (__u32 k = 0; k < 8; k++)
		n |= (__u64)s->head[(i + 1 + k) & 31] << (8 * k);
	return n << (64 - 8 * size) >> (64 - 8 * size);
}

/* EOF is FE, warnings, status; OK (also with FE in front) has two numbers before the status. */
static __always_inline __u16 my_status(struct my_session *s, __u32 length)
{
	__u32 at = MY_HEADER + 1;

	if (s->head[MY_HEADER] == 0xfe && length == 5)
		return s->head[MY_HEADER + 3] | s->head[MY_HEADER + 4] << 8;
	s->result.affected = my_lenenc(s, &at);
	my_lenenc(s, &at);
	return s->head[at & 31] | s->head[(at + 1) & 31] << 8;
}

static __always_inline void my_end(struct my_walk *w, enum rec_end end, __u16 status)
{
	struct my_session *s = w->s;

	s->result.status = status;
	w->at->ended = end;
	s->phase = status & MY_STATUS_MORE_RESULTS ? MY_FIRST : MY_DONE;
}

static __always_inline void my_first(struct my_walk *w, __u32 length)
{
	struct my_session *s = w->s;
	__u8 first = s->head[MY_HEADER];
	__u32 at = MY_HEADER, columns;

	db_result_begin(&s->result);
	if (first == 0x00) {
		my_end(w, End_complete, my_status(s, length));
	} else if (first == 0xff) {
		/* Error 0xffff is a progress report (MARIADB_CLIENT_PROGRESS). */
		if (s->head[MY_HEADER + 1] != 0xff || s->head[MY_HEADER + 2] != 0xff)
			my_end(w, End_failed, 0);
	} else if (first == 0xfe && s->command != COM_CHANGE_USER) {
		/* EOF is the whole answer to COM_SET_OPTION and others. */
		my_end(w, End_complete, my_status(s, length));
	} else if (first == 0xfb) {
		s->client.phase = MY_CLIENT_FILE;
	} else if (s->command != COM_CHANGE_USER) {
		/* That may be answered by authentication. */
		columns = my_lenenc(s, &at);
		/* One byte more says whether definitions follow (CACHE_METADATA), or are as they
		 * were when the statement was run before. */
		s->columns_left = columns;
		s->columns_bytes = 0;
		s->phase = MY_COLUMNS;
		if (length == at - MY_HEADER + 1 && !s->head[at & 31]) {
			s->phase = MY_AFTER_COLUMNS;
			s->result.columns_hash = MY_COLUMNS_SAME;
		}
	}
}

static __always_inline void my_row(struct my_walk *w, __u32 length)
{
	struct my_session *s = w->s;
	__u8 first = s->head[MY_HEADER];

	if (length && first == 0xff) {
		my_end(w, End_failed, 0);
	} else if (length && first == 0xfe && length < MY_PACKET_MAX) {
		__u16 status = my_status(s, length);

		/* A slice of a cursor, unless it was the last. */
		my_end(w,
		       status & MY_STATUS_CURSOR && !(status & MY_STATUS_LAST_ROW) ? End_suspended
										   : End_complete,
		       status);
	} else {
		s->result.rows++;
		if (length > s->result.max_row)
			s->result.max_row = length;
	}
}

static __always_inline void my_after_columns(struct my_walk *w, __u32 length)
{
	struct my_session *s = w->s;
	__u16 status;

	s->phase = MY_ROWS;
	if (s->head[MY_HEADER] != 0xfe || length != 5) {
		my_row(w, length);
		return;
	}
	status = my_status(s, length);
	if (status & MY_STATUS_CURSOR)
		my_end(w, End_suspended, status);
}

static __always_inline void my_prepared(struct my_walk *w)
{
	struct my_session *s = w->s;

	if (s->head[MY_HEADER] == 0x00) {
		s->stmt_id =
			s->head[5] | s->head[6] << 8 | s->head[7] << 16 | (__u32)s->head[8] << 24;
		my_on_prepared(w);
	}
	s->phase = MY_DONE;
}

/* How many payload bytes decide what a packet is. */
static __always_inline __u32 my_need(const struct my_session *s, __u32 length)
{
	__u32 need = s->phase == MY_ROWS ? 1
		     : s->phase == MY_COLUMNS || s->phase == MY_RAW || s->phase == MY_DONE
			     ? 0
			     : MY_HEAD_MAX;

	if (s->phase == MY_ROWS && s->have > MY_HEADER && s->head[MY_HEADER] >= 0xfe &&
	    length < MY_PACKET_MAX)
		need = MY_HEAD_MAX;
	return need < length ? need : length;
}

/* OK: all that the client had sent was read, and commands follow. */
static __always_inline void my_auth(struct my_session *s, __u32 length)
{
	if (!length || s->head[MY_HEADER] != 0x00)
		return;
	s->phase = MY_DONE;
	s->client.phase = MY_CLIENT_COMMANDS;
	s->client.continued = 0;
	s->client.have = 0;
	s->client.left = 0;
}

static __always_inline void my_packet(struct my_walk *w, __u32 length)
{
	struct my_session *s = w->s;
	bool continuation = s->continued;

	s->continued = length == MY_PACKET_MAX;
	if (s->phase == MY_AUTH)
		my_auth(s, length);
	if (s->phase == MY_DONE || s->phase == MY_AUTH)
		return;
	s->result.bytes += length + MY_HEADER;
	if (continuation) {
		s->row_bytes += length;
		if (s->phase == MY_ROWS && s->row_bytes > s->result.max_row)
			s->result.max_row = s->row_bytes;
		return;
	}
	s->row_bytes = length;
	switch (s->phase) {
	case MY_FIRST:
		if (length)
			my_first(w, length);
		break;
	case MY_COLUMNS:
		if (--s->columns_left == 0)
			s->phase = MY_AFTER_COLUMNS;
		break;
	case MY_AFTER_COLUMNS:
		my_after_columns(w, length);
		break;
	case MY_ROWS:
		my_row(w, length);
		break;
	case MY_PREPARE:
		my_prepared(w);
		break;
	}
}

static __always_inline __u32 my_length(const struct my_session *s)
{
	return s->head[0] | s->head[1] << 8 | (__u32)s->head[2] << 16;
}

/*
 * Collects a packet's header and the payload bytes that decide what it is: all at once when the
 * window holds them, else one byte a step. True when they are complete.
 */
static __always_inline bool my_head(struct my_walk *w, __u32 *ret_length)
{
	struct my_session *s = w->s;
	__u32 off = w->at->off, have = s->have, need;

	if (off >= DB_WINDOW)
		return false;
	if (!have && off + MY_HEADER + MY_HEAD_MAX <= w->at->end) {
		bpf_probe_read_kernel(s->head, MY_HEADER + MY_HEAD_MAX, w->window + off);
		s->have = MY_HEADER + 1;
		*ret_length = my_length(s);
		need = MY_HEADER + my_need(s, *ret_length);
		s->have = need;
		w->at->off = off + need;
		return true;
	}
	if (have < MY_HEADER + MY_HEAD_MAX) {
		s->have = have + 1;
		barrier_var(have);
		s->head[have & 31] = w->window[off];
		w->at->off = off + 1;
	}
	if (s->have < MY_HEADER)
		return false;
	*ret_length = my_length(s);
	return s->have >= MY_HEADER + my_need(s, *ret_length);
}

/* The last definition may have been cut: its head ended the count, its rest is still to come. */
static __always_inline bool my_in_columns(const struct my_session *s)
{
	return s->phase == MY_COLUMNS || (s->phase == MY_AFTER_COLUMNS && s->skip);
}

/* Hands out the definitions that this window holds, packet headers included. */
static __always_inline void my_columns_flush(struct my_walk *w)
{
	__u32 from = w->at->columns_from, n = w->at->off - from;

	w->at->columns_from = DB_NOWHERE;
	if (from >= w->at->off || w->s->columns_bytes >= DB_TEXT_MAX)
		return;
	my_on_columns(w, from, n);
	w->s->columns_bytes += n;
}

/*
 * Rows that the window holds as a whole, as nearly every packet of a large result: no copy of their
 * heads, no second step for their bodies. False: the next packet is none, or something else may be.
 */
static __always_inline bool my_whole_rows(struct my_walk *w)
{
	struct my_session *s = w->s;
	const __u8 *window = w->window;
	__u64 begin = w->at->off, off = begin, end = w->at->end, length = 0,
	      max = s->result.max_row;
	__u32 rows = 0;

	if (s->phase != MY_ROWS || s->have || s->skip || s->continued)
		return false;
	for (; rows < MY_ROWS_A_STEP; rows++) {
		const __u8 *head = window + db_in_window(off);
		__u32 n = db_load4(head) & MY_PACKET_MAX;

		if (!n || off + MY_HEADER + n > end || head[MY_HEADER] >= 0xfe)
			break;
		off += MY_HEADER + n;
		length = n;
		max = db_max(max, n);
	}
	if (!rows)
		return false;
	s->result.rows += rows;
	s->result.bytes += off - begin;
	s->result.max_row = max;
	s->row_bytes = length;
	w->at->off = off;
	return true;
}

/* One step: header bytes, or what the window holds of a body. Nonzero: the window is used up. */
static __always_inline int my_step(struct my_walk *w)
{
	struct my_session *s = w->s;
	__u32 off = w->at->off, n, length;

	if (w->at->columns_from != DB_NOWHERE &&
	    (off >= w->at->end || (s->phase != MY_COLUMNS && !s->skip)))
		my_columns_flush(w);
	if (off >= w->at->end || off >= DB_WINDOW)
		return 1;
	if (w->at->columns_from == DB_NOWHERE && my_in_columns(s))
		w->at->columns_from = off;
	if (my_whole_rows(w))
		return 0;
	if (s->skip) {
		n = w->at->end - off;
		n = n > s->skip ? s->skip : n;
		s->skip -= n;
		w->at->off = off + n;
		return 0;
	}
	if (!my_head(w, &length))
		return 0;
	s->skip = length + MY_HEADER - s->have;
	s->have = 0;
	w->at->ended = 0;
	my_packet(w, length);
	if (w->at->ended)
		my_on_end(w, w->at->ended);
	return 0;
}

/* ---- chunks, commands ---- */

/*
 * n bytes were not read: whatever follows is not at the boundaries that are expected, until the
 * next command. The rows that were counted did leave.
 */
static __always_inline void my_lost(struct my_session *s, __u64 n)
{
	s->totals.desync++;
	if (s->phase == MY_PREPARE) {
		s->phase = MY_DONE;
		return;
	}
	db_result_begin(&s->result);
	s->result.doubt = 2;
	s->result.bytes += n;
	s->phase = MY_LOST;
}

static long my_cb(__u64 i, struct my_walk *w)
{
	return my_step(w);
}

/* Reads the next window of the chunk. False when the chunk is used up. */
static __always_inline bool my_window(struct my_walk *w)
{
	struct my_session *s = w->s;
	__u64 n = s->skip < w->at->left ? s->skip : w->at->left;

	/* What is to be skipped need not be read. */
	if (s->phase != MY_COLUMNS && s->phase != MY_AFTER_COLUMNS) {
		s->skip -= n;
		w->at->user += n;
		w->at->left -= n;
	}
	n = w->at->left > DB_WINDOW ? DB_WINDOW : w->at->left;
	if (!n)
		return false;
	w->at->off = 0;
	w->at->end = n;
	w->at->columns_from = DB_NOWHERE;
	if (bpf_probe_read_user(w->window, n, (void *)w->at->user)) {
		db_miss(DB_MISS_READ);
		my_lost(s, w->at->left);
		return false;
	}
	w->at->user += n;
	w->at->left -= n;
	return true;
}

static long my_window_cb(__u64 i, struct my_walk *w)
{
	if (!w->s || !w->window || !my_window(w))
		return 1;
	bpf_loop(2 * DB_WINDOW, my_cb, w, 0);
	return 0;
}

/* n bytes at ptr in user memory that the server sends. */
static __always_inline void my_chunk(struct my_walk *w, __u64 ptr, __u64 n)
{
	*w->at = db_cursor_at(ptr, n);
	w->s->result.safe_rows = w->s->result.rows;
	if (w->s->phase == MY_LOST) {
		/* Joined midway. */
		if (!w->s->result.begin_time)
			w->s->result.doubt = 1;
		db_result_begin(&w->s->result);
		w->s->result.bytes += n;
		return;
	}
	bpf_loop(n / DB_WINDOW + 2, my_window_cb, w, 0);
}

/* How a result ended whose end was not seen when the next command comes. */
static __always_inline enum rec_end my_end_unseen(const struct my_session *s)
{
	return s->phase == MY_LOST ? End_complete : End_aborted; /* its statement was killed */
}

/* The phase in which a command's answer begins. */
static __always_inline __u8 my_answer(__u32 command)
{
	switch (command) {
	case COM_STMT_PREPARE:
		return MY_PREPARE;
	case COM_STMT_FETCH:
		return MY_ROWS;
	case COM_BINLOG_DUMP:
	case COM_BINLOG_DUMP_GTID:
		return MY_RAW;
	case COM_QUIT:
	case COM_FIELD_LIST: /* definitions only, or one text: no rows */
	case COM_STATISTICS:
	case COM_STMT_CLOSE:
	case COM_STMT_SEND_LONG_DATA:
		return MY_DONE;
	default:
		return MY_FIRST;
	}
}

/* A command came: what was sent until the next is its answer. */
static __always_inline void my_command_begin(struct my_session *s, __u32 command)
{
	s->command = command;
	s->group++;
	s->index = 0;
	s->have = 0;
	s->skip = 0;
	s->continued = 0;
	/* What was counted belongs to no result: the answer to COM_STMT_PREPARE. */
	__builtin_memset(&s->result, 0, sizeof(s->result));
	s->phase = my_answer(command & 0xff);
	if (s->phase == MY_ROWS || s->phase == MY_RAW)
		db_result_begin(&s->result);
}

/* After its end was told. */
static __always_inline void my_result_close(struct my_session *s)
{
	s->totals.rows += s->result.rows;
	s->totals.bytes += s->result.bytes;
	__builtin_memset(&s->result, 0, sizeof(s->result));
	s->index++;
}

/*
 * The connection ends in the middle. Of the last chunk that was given to a function it is not known
 * what was taken; what a socket took is, and a row of which that was not the last byte did not
 * leave.
 */
static __always_inline void my_result_abort(struct my_session *s)
{
	if (s->tap == Tap_uprobe)
		s->result.rows = s->result.safe_rows;
	else if (s->phase == MY_ROWS && s->result.rows && (s->skip || s->continued))
		s->result.rows--;
}
