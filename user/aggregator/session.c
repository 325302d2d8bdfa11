// SPDX-License-Identifier: Apache-2.0
// One connection of one host. The host is who its certificate says; what it says of itself must
// agree.
#include "aggregator/session.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aggregator/ca.h"
#include "aggregator/orders.h"
#include "aggregator/store.h"
#include "lib/arena.h"
#include "lib/batch.h"
#include "lib/clean.h"
#include "lib/digest.h"
#include "lib/link.h"
#include "lib/log.h"
#include "lib/tls.h"
#include "lib/version.h"

#define VERSION_MIN 1 /* no blocks */
#define VERSION_MAX 2
#define WINDOW	    8
#define HELLO_S	    15 /* for the handshake and the Hello */
#define SILENCE_S   60 /* sensors ping every 10 s */

struct session {
	const struct session_opts *opts;
	struct link *link;
	struct arena *arena;
	struct chain *chain;
	char peer[64], name[CA_NAME_MAX + 1], host[CA_NAME_MAX + 1];
	char order[DIGEST_HEX];	   /* that the host has */
	struct orders_mark looked; /* at which file of orders */
	bool refused;
};

/* Said to the operator and kept, then to the peer. */
void session_refuse(struct session *s, int code, const char *reason)
{
	Rollcall__Refuse m;

	log_warn(0, "refused %s%s%s: %s", s->peer, *s->name ? ", certificate of " : "", s->name,
		 reason);
	store_refusal(s->opts->store, s->peer, s->name, reason);
	s->refused = true;
	rollcall__refuse__init(&m);
	m.code = (Rollcall__RefuseCode)code;
	m.reason = (char *)(uintptr_t)reason;
	link_send(s->link, FRAME_REFUSE, &m.base);
	link_finish(s->link, reason);
}

static bool boot_id_valid(const char *b)
{
	return strlen(b) == 36 && strspn(b, "0123456789abcdef-") == 36;
}

/* A policy that the host has not; who cannot be sent it keeps on sending. */
static int order_send(struct session *s)
{
	Rollcall__Order order;
	int r = orders_next(s->arena, s->opts->dir, s->host, &s->looked, &order);

	if (r < 0)
		log_error(r, "the signed policy for %s cannot be sent", s->host);
	if (r <= 0 || strcmp(order.id, s->order) == 0)
		return 0;
	snprintf(s->order, sizeof(s->order), "%s", order.id);
	log_info("%s: signed policy sent (%.16s)", s->host, order.id);
	return link_send(s->link, FRAME_ORDER, &order.base);
}

static int on_hello(struct session *s, const Rollcall__Hello *h)
{
	Rollcall__Welcome w;
	char reason[256];
	int r;

	if (*s->host || strlen(h->order) >= sizeof(s->order))
		return -EBADMSG;
	if (h->version_min > VERSION_MAX || h->version_max < VERSION_MIN) {
		session_refuse(s, ROLLCALL__REFUSE_CODE__wrong_version, "no common version");
		return 0;
	}
	if (strcmp(h->host, s->name) != 0) {
		snprintf(reason, sizeof(reason), "says it is '%.64s', its certificate is of '%s'",
			 h->host, s->name);
		session_refuse(s, ROLLCALL__REFUSE_CODE__wrong_host, reason);
		return 0;
	}
	if (!boot_id_valid(h->boot_id))
		return -EBADMSG;
	r = store_host_seen(s->opts->store, s->name, h->boot_id, h->program);
	if (r < 0)
		return r;
	memcpy(s->host, s->name, sizeof(s->host));
	s->opts->accepted(s->opts->ctx, s);
	log_info("%s connected from %s (%s)", s->host, s->peer, h->program);
	rollcall__welcome__init(&w);
	w.version = h->version_max < VERSION_MAX ? h->version_max : VERSION_MAX;
	w.window = WINDOW;
	w.batch_raw_max = BATCH_RAW_MAX;
	w.program = (char *)(uintptr_t) "rollcall-aggregator " ROLLCALL_VERSION;
	link_timeout(s->link, SILENCE_S);
	strcpy(s->order, h->order);
	r = link_send(s->link, FRAME_WELCOME, &w.base);
	return r < 0 ? r : order_send(s);
}

static int ack(struct session *s, char *boot_id, Rollcall__Class class, uint64_t seq)
{
	Rollcall__Ack a;

	rollcall__ack__init(&a);
	a.boot_id = boot_id;
	a.class_ = class;
	a.seq = seq;
	return link_send(s->link, FRAME_ACK, &a.base);
}

/* The host lives: an Ack of nothing, and what has been ordered since. */
static int on_ping(struct session *s)
{
	char none[] = "";
	int r = ack(s, none, ROLLCALL__CLASS__CLASS_UNSPECIFIED, 0);

	return r < 0 ? r : order_send(s);
}

static int on_batch(struct session *s, Rollcall__Batch *b)
{
	struct store_batch sb = {.host = s->host, .batch = b};
	uint8_t known[CHAIN_SIZE];
	uint64_t known_seq;
	uint32_t fresh;
	int r;

	if (!boot_id_valid(b->boot_id))
		return -EBADMSG;
	r = store_position(s->opts->store, s->host, b->boot_id, b->class_, &known_seq, known);
	if (r == 0)
		r = batch_open(s->arena, s->chain, b, known_seq, known, &sb.blocks, &sb.agrees);
	if (r < 0)
		return r;
	if (!sb.agrees)
		log_error(0,
			  "%s: events %llu and following of class %d do not continue the history "
			  "that was stored: the host's spool was altered",
			  s->host, (unsigned long long)b->first_seq, (int)b->class_);
	r = store_batch(s->opts->store, &sb, &fresh);
	if (r < 0)
		return r;
	return ack(s, b->boot_id, b->class_, b->first_seq + b->count - 1);
}

/* What is wrong is told to the peer before it is closed. */
static int answer(struct session *s, int r)
{
	if (r >= 0 || s->refused)
		return 0;
	if (r == -EBADMSG)
		session_refuse(s, ROLLCALL__REFUSE_CODE__bad_batch,
			       "malformed or unexpected message");
	else if (r == -EMSGSIZE)
		session_refuse(s, ROLLCALL__REFUSE_CODE__too_large, "above the size limit");
	else
		session_refuse(s, ROLLCALL__REFUSE_CODE__failed,
			       "the aggregator cannot store events now");
	return 0;
}

static int on_frame(void *ctx, enum frame_type type, const ProtobufCMessage *m)
{
	struct session *s = ctx;
	int r = -EBADMSG;

	if (s->refused)
		return 0;
	if (type == FRAME_HELLO)
		r = on_hello(s, (const Rollcall__Hello *)m);
	else if (type == FRAME_BATCH && *s->host)
		r = on_batch(s, (Rollcall__Batch *)(uintptr_t)m);
	else if (type == FRAME_PING && *s->host)
		r = on_ping(s);
	arena_reset(s->arena);
	return answer(s, r);
}

/* The handshake is over: the certificate is one of ours, in date, for a client. */
static void on_ready(void *ctx)
{
	const char *dir;
	struct session *s = ctx;
	char serial[80];

	dir = s->opts->dir;
	if (tls_peer_name(link_tls(s->link), s->name, sizeof(s->name)) < 0 ||
	    !ca_name_valid(s->name)) {
		*s->name = '\0';
		session_refuse(s, ROLLCALL__REFUSE_CODE__wrong_host,
			       "its certificate names no host");
	} else if (tls_peer_serial(link_tls(s->link), serial, sizeof(serial)) < 0 ||
		   !ca_enrolled(dir, s->name, serial)) {
		session_refuse(s, ROLLCALL__REFUSE_CODE__revoked,
			       "host is not enrolled with this certificate (revoked or replaced)");
	}
}

static void on_closed(void *ctx, const char *reason)
{
	struct session *s = ctx;

	if (*s->host)
		log_info("%s disconnected: %s", s->host, reason);
	else if (!s->refused) {
		log_warn(0, "refused %s: %s", s->peer, reason);
		store_refusal(s->opts->store, s->peer, s->name, reason);
	}
	s->opts->closed(s->opts->ctx, s);
}

int session_new(const struct session_opts *opts, int fd, const char *peer,
		struct session **ret_session)
{
	struct session *s = calloc(1, sizeof(*s));
	const struct link_ops ops = {
		.ready = on_ready, .frame = on_frame, .closed = on_closed, .ctx = s};
	int r;

	if (!s) {
		close(fd);
		return -ENOMEM;
	}
	s->opts = opts;
	snprintf(s->peer, sizeof(s->peer), "%s", peer);
	s->arena = arena_new(64 * 1024);
	s->chain = chain_new();
	r = link_accept(opts->loop, opts->tls, fd, &ops, &s->link);
	if (r == 0 && (!s->arena || !s->chain))
		r = -ENOMEM;
	if (r < 0) {
		session_free(s);
		return r;
	}
	link_timeout(s->link, HELLO_S);
	*ret_session = s;
	return 0;
}

struct session *session_free(struct session *s)
{
	if (!s)
		return NULL;
	link_free(s->link);
	arena_free(s->arena);
	chain_free(s->chain);
	free(s);
	return NULL;
}

const char *session_host(const struct session *s)
{
	return s->host;
}
