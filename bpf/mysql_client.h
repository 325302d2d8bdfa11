/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The client's half of the MySQL protocol: its answer to the greeting, then commands. Bytes come
 * as the server reads them, which asks for a packet's header alone and then for its body
 * (sql/net_serv.cc): so the size asked for tells where packets begin and whether they are
 * compressed. Like mysql_walk.h compiled into user space, too; the includer supplies
 * my_on_command(). Facts: MariaDB manual, "Client/Server Protocol: Connecting", "Commands".
 */
#pragma once

#include "mysql_walk.h"

#define MY_COMPRESSED_HEADER 7
#define MY_TEXT_MAX	     65536 /* of a command's text that is told, in pieces */
#define MY_LOGIN_MAX	     4096
#define MY_STEPS_MAX	     (1 << 22)
#define MY_LOGIN_NUMBERS     2 /* of a login's packet: 1, or 2 behind the request for TLS */

/* `n` bytes at `text` in user memory belong to the command, at s->client.pos of what is told. */
static void my_on_command(struct my_walk *w, __u64 text, __u32 n);

/* How much of a command's body is told. Of parameters nothing: they are the rows of others. */
static __always_inline __u32 my_told(__u32 command)
{
	switch (command) {
	case COM_QUERY:
	case COM_STMT_PREPARE:
	case COM_INIT_DB:
		return MY_TEXT_MAX;
	case COM_LOGIN:
	case COM_CHANGE_USER:
		return MY_LOGIN_MAX;
	case COM_STMT_EXECUTE:
	case COM_STMT_FETCH:
	case COM_STMT_CLOSE:
	case COM_STMT_BULK_EXECUTE:
		return 4; /* the statement's number */
	default:
		return 0;
	}
}

/* Where packets begin is not known until the next command. Its answer cannot be told from others.
 */
static __always_inline void my_client_lost(struct my_session *s)
{
	s->client.phase = MY_CLIENT_LOST;
	s->client.continued = 0;
	s->client.have = 0;
	s->client.left = 0;
	my_lost(s, 0);
}

/* What is told of a command whose body begins now, `rest` bytes behind its first. */
static __always_inline void my_client_tell(struct my_client *c, __u32 command, __u32 rest)
{
	__u32 told = my_told(command);

	c->want = rest < told ? rest : told;
	c->pos = 0;
}

/* A packet's header is complete. */
static __always_inline void my_client_packet(struct my_session *s)
{
	struct my_client *c = &s->client;
	bool continuation = c->continued;

	c->left = c->head[0] | c->head[1] << 8 | (__u32)c->head[2] << 16;
	c->continued = c->left == MY_PACKET_MAX;
	c->want = 0;
	c->pos = 0;
	c->pending = 0;
	if (c->phase == MY_CLIENT_LOGIN && (!c->head[3] || c->head[3] > MY_LOGIN_NUMBERS)) {
		/* A proxy's word in front of it (sql/proxy_protocol.cc). */
		c->left = 0;
	} else if (c->phase == MY_CLIENT_LOGIN) {
		c->phase = MY_CLIENT_AUTH;
		my_client_tell(c, COM_LOGIN, c->left);
	} else if (c->phase == MY_CLIENT_FILE && !c->left && !continuation) {
		c->phase = MY_CLIENT_COMMANDS;
	} else if (c->phase == MY_CLIENT_COMMANDS && !c->head[3] && !continuation) {
		/* Later numbers are of an authentication. */
		c->pending = 1;
	}
	if (!c->left)
		c->have = 0;
}

static __always_inline bool my_client_read(struct my_walk *w, void *dst, __u32 n)
{
	if (!bpf_probe_read_user(dst, n, (void *)w->at->user))
		return true;
	db_miss(DB_MISS_READ);
	my_client_lost(w->s);
	w->at->left = 0;
	return false;
}

static __always_inline void my_client_head(struct my_walk *w)
{
	struct my_client *c = &w->s->client;
	__u32 have = c->have & 3, n = MY_HEADER - have;

	if (n > w->at->left)
		n = w->at->left;
	barrier_var(n);
	if (n > MY_HEADER || !my_client_read(w, c->head + have, n))
		return;
	w->at->user += n;
	w->at->left -= n;
	c->have = have + n;
	if (c->have == MY_HEADER)
		my_client_packet(w->s);
}

/* n bytes of the body are done with. */
static __always_inline void my_client_pass(struct my_walk *w, __u32 n)
{
	struct my_client *c = &w->s->client;

	w->at->user += n;
	w->at->left -= n;
	c->left -= n;
	if (!c->left)
		c->have = 0;
}

/* The command's first byte. */
static __always_inline void my_client_begin(struct my_walk *w)
{
	struct my_session *s = w->s;
	__u8 command = 0;

	if (!my_client_read(w, &command, 1))
		return;
	s->client.pending = 0;
	/* A result whose end was not seen. */
	if (s->result.begin_time)
		my_on_end(w, my_end_unseen(s));
	my_command_begin(s, command);
	my_client_tell(&s->client, command, s->client.left - 1);
	my_client_pass(w, 1);
	if (!s->client.want)
		my_on_command(w, 0, 0);
}

static __always_inline void my_client_body(struct my_walk *w)
{
	struct my_client *c = &w->s->client;
	__u32 n = c->left, told;

	if (c->pending) {
		my_client_begin(w);
		return;
	}
	if (n > w->at->left)
		n = w->at->left;
	told = c->want - c->pos;
	if (told && n > told)
		n = told;
	if (told && n > DB_TEXT_MAX)
		n = DB_TEXT_MAX;
	if (told) {
		my_on_command(w, w->at->user, n);
		c->pos += n;
	}
	my_client_pass(w, n);
}

static long my_client_cb(__u64 i, struct my_walk *w)
{
	if (!w->s || !w->at || !w->at->left)
		return 1;
	if (w->s->client.have < MY_HEADER)
		my_client_head(w);
	else
		my_client_body(w);
	return 0;
}

/*
 * Does a command begin here? When joined midway: a read for a header alone got one with number 0,
 * and the next asks for just the body that it announces; a compressed frame begins with both.
 */
static __always_inline bool my_client_found(struct my_walk *w, __u64 ptr, __u64 asked, __u64 n)
{
	struct my_client *c = &w->s->client;
	__u32 length = c->head[0] | c->head[1] << 8 | (__u32)c->head[2] << 16;

	if (c->announced && length == asked && !c->head[3]) {
		c->phase = MY_CLIENT_COMMANDS;
		c->have = MY_HEADER;
		my_client_packet(w->s);
		c->announced = 0;
		return true;
	}
	c->announced = 0;
	if (n < MY_HEADER || (asked && (asked != MY_HEADER || n != MY_HEADER)))
		return false;
	if (bpf_probe_read_user(c->head, MY_HEADER, (void *)ptr))
		return false;
	length = c->head[0] | c->head[1] << 8 | (__u32)c->head[2] << 16;
	if (c->head[3] || !length)
		return false;
	c->announced = asked == MY_HEADER;
	if (c->announced || length + MY_HEADER != n)
		return false;
	c->phase = MY_CLIENT_COMMANDS;
	return true;
}

/*
 * Joined while the server waited for a header, whose read is not seen therefore: when it asks for
 * the body, the header is still where the body will be.
 */
static __always_inline void my_client_peek(struct my_session *s, __u64 ptr, __u64 asked)
{
	struct my_client *c = &s->client;

	if (c->phase != MY_CLIENT_LOST || asked == MY_HEADER ||
	    bpf_probe_read_user(c->head, MY_HEADER, (void *)ptr))
		return;
	c->announced = 1; /* if it is as long as what is asked for */
}

/* Between packets, a read for a compressed header: what follows is for my_uncompress() to tell. */
static __always_inline bool my_client_compressed(struct my_session *s, __u64 asked)
{
	if (asked != MY_COMPRESSED_HEADER || s->client.have ||
	    s->client.phase != MY_CLIENT_COMMANDS)
		return false;
	s->compressed = 1;
	return true;
}

/* Half of all reads: a header, asked for alone and got whole. Needs no walk. */
static __always_inline bool my_client_header(struct my_session *s, __u64 ptr, __u64 asked, __u64 n)
{
	struct my_client *c = &s->client;

	if (asked != MY_HEADER || n != MY_HEADER || c->have || c->phase != MY_CLIENT_COMMANDS ||
	    bpf_probe_read_user(c->head, MY_HEADER, (void *)ptr))
		return false;
	c->have = MY_HEADER;
	my_client_packet(s);
	return true;
}

/* The server asked for `asked` bytes (0: not known) and got n at ptr. */
static __always_inline void my_client_chunk(struct my_walk *w, __u64 ptr, __u64 asked, __u64 n)
{
	struct my_session *s = w->s;

	if (my_client_compressed(s, asked))
		return;
	if (s->client.phase == MY_CLIENT_LOST && !my_client_found(w, ptr, asked, n))
		return;
	/* The rest of a proxy's word. */
	if (s->client.phase == MY_CLIENT_LOGIN && !s->client.have && asked && asked != MY_HEADER)
		return;
	*w->at = db_cursor_at(ptr, n);
	bpf_loop(n < MY_STEPS_MAX ? n + 1 : MY_STEPS_MAX, my_client_cb, w, 0);
}
