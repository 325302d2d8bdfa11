// SPDX-License-Identifier: Apache-2.0
// A connection that carries frames, on libevent's bufferevents.
#include "lib/link.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/dns.h>
#include <event2/event.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/arena.h"
#include "lib/clean.h"
#include "lib/loop.h"
#include "lib/tls.h"

/* Unread bytes that are held for one connection at most, besides the frame being read. */
#define READ_AHEAD (64 * 1024)

struct link {
	struct bufferevent *bev;
	struct arena *arena;
	struct link_ops ops;
	bool secure, finishing;
	char reason[160];
};

static void closed(struct link *l, const char *reason)
{
	void (*fn)(void *, const char *) = l->ops.closed;

	if (!fn)
		return;
	l->ops.closed = NULL;
	bufferevent_disable(l->bev, EV_READ | EV_WRITE);
	fn(l->ops.ctx, reason);
}

/* 1: a frame was delivered; 0: more bytes are needed. Negative: close. */
static int frame_take(struct link *l, struct evbuffer *in)
{
	uint8_t header[FRAME_HEADER];
	ProtobufCMessage *m;
	struct frame f;
	int r;

	if (evbuffer_copyout(in, header, sizeof(header)) < (ev_ssize_t)sizeof(header))
		return 0;
	r = frame_header(header, &f.type, &f.size);
	if (r < 0)
		return r;
	bufferevent_setwatermark(l->bev, EV_READ, 0, FRAME_HEADER + f.size + READ_AHEAD);
	if (evbuffer_get_length(in) < FRAME_HEADER + f.size)
		return 0;
	f.body = evbuffer_pullup(in, (ev_ssize_t)(FRAME_HEADER + f.size));
	if (!f.body)
		return -ENOMEM;
	f.body += FRAME_HEADER;
	r = frame_unpack(l->arena, &f, &m);
	if (r < 0)
		return r;
	evbuffer_drain(in, FRAME_HEADER + f.size);
	r = l->ops.frame(l->ops.ctx, f.type, m);
	arena_reset(l->arena);
	return r < 0 ? r : 1;
}

static void on_read(struct bufferevent *bev, void *arg)
{
	struct evbuffer *in = bufferevent_get_input(bev);
	struct link *l = arg;
	int r = 1;

	while (r > 0 && l->ops.closed && !l->finishing)
		r = frame_take(l, in);
	if (l->finishing)
		evbuffer_drain(in, evbuffer_get_length(in));
	if (r < 0) {
		snprintf(l->reason, sizeof(l->reason), "%s",
			 r == -EBADMSG	  ? "malformed frame"
			 : r == -EMSGSIZE ? "frame above the size limit"
					  : strerror(-r));
		closed(l, l->reason);
	}
}

static void on_write(struct bufferevent *bev, void *arg)
{
	struct link *l = arg;

	(void)bev;
	if (l->finishing && !link_pending(l))
		closed(l, l->reason);
	else if (l->ops.drained)
		l->ops.drained(l->ops.ctx);
}

static void failure_reason(struct link *l, short what, int error)
{
	unsigned long tls_error = l->secure ? bufferevent_get_openssl_error(l->bev) : 0;
	int dns = bufferevent_socket_get_dns_error(l->bev);

	if (l->secure && (tls_error || !error) && what & BEV_EVENT_ERROR)
		tls_reason(bufferevent_openssl_get_ssl(l->bev), tls_error, l->reason,
			   sizeof(l->reason));
	else if (dns)
		snprintf(l->reason, sizeof(l->reason), "%s", evutil_gai_strerror(dns));
	else if (what & BEV_EVENT_TIMEOUT)
		snprintf(l->reason, sizeof(l->reason), "nothing was received in time");
	else if (what & BEV_EVENT_EOF)
		snprintf(l->reason, sizeof(l->reason), "closed by the peer");
	else
		snprintf(l->reason, sizeof(l->reason), "%s",
			 error ? strerror(error) : "connection lost");
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	int error = errno;
	struct link *l = arg;

	(void)bev;
	if (what & BEV_EVENT_CONNECTED) {
		if (l->ops.ready)
			l->ops.ready(l->ops.ctx);
		return;
	}
	if (!l->finishing)
		failure_reason(l, what, error);
	closed(l, l->reason);
}

static int link_new(struct bufferevent *bev, bool secure, const struct link_ops *ops,
		    struct link **ret_link)
{
	struct link *l = calloc(1, sizeof(*l));

	if (!bev || !l) {
		if (bev)
			bufferevent_free(bev);
		free(l);
		return -ENOMEM;
	}
	l->bev = bev;
	l->ops = *ops;
	l->secure = secure;
	l->arena = arena_new(64 * 1024);
	if (!l->arena) {
		link_free(l);
		return -ENOMEM;
	}
	/* A peer that closes without a TLS goodbye is an end like any other. */
	if (secure)
		bufferevent_openssl_set_allow_dirty_shutdown(bev, 1);
	bufferevent_setwatermark(bev, EV_READ, 0, FRAME_HEADER + READ_AHEAD);
	bufferevent_setcb(bev, on_read, on_write, on_event, l);
	bufferevent_enable(bev, EV_READ | EV_WRITE);
	*ret_link = l;
	return 0;
}

int link_connect(struct loop *loop, struct tls *tls, const char *host, int port,
		 const struct link_ops *ops, struct link **ret_link)
{
	struct ssl_st *ssl = tls_session(tls, host);
	struct bufferevent *bev =
		ssl ? bufferevent_openssl_socket_new(
			      loop_base(loop), -1, ssl, BUFFEREVENT_SSL_CONNECTING,
			      BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS)
		    : NULL;
	int r = link_new(bev, true, ops, ret_link);

	if (r < 0)
		return r;
	if (bufferevent_socket_connect_hostname((*ret_link)->bev, NULL, AF_UNSPEC, host, port) <
	    0) {
		*ret_link = link_free(*ret_link);
		return -EHOSTUNREACH;
	}
	return 0;
}

int link_accept(struct loop *loop, struct tls *tls, int fd, const struct link_ops *ops,
		struct link **ret_link)
{
	int flags = BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS;
	struct ssl_st *ssl = tls ? tls_session(tls, NULL) : NULL;
	struct bufferevent *bev = NULL;
	int r;

	evutil_make_socket_nonblocking(fd);
	if (!tls)
		bev = bufferevent_socket_new(loop_base(loop), fd, flags);
	else if (ssl)
		bev = bufferevent_openssl_socket_new(loop_base(loop), fd, ssl,
						     BUFFEREVENT_SSL_ACCEPTING, flags);
	if (!bev)
		close(fd);
	r = link_new(bev, tls != NULL, ops, ret_link);
	return r;
}

struct link *link_free(struct link *l)
{
	if (!l)
		return NULL;
	bufferevent_free(l->bev);
	arena_free(l->arena);
	free(l);
	return NULL;
}

int link_send(struct link *l, enum frame_type type, const ProtobufCMessage *message)
{
	struct arena *a = arena_new(4096);
	uint8_t *bytes;
	size_t size;
	int r = a ? frame_pack(a, type, message, &bytes, &size) : -ENOMEM;

	if (r == 0 && bufferevent_write(l->bev, bytes, size) < 0)
		r = -ENOMEM;
	arena_free(a);
	return r;
}

size_t link_pending(const struct link *l)
{
	return evbuffer_get_length(bufferevent_get_output(l->bev));
}

void link_finish(struct link *l, const char *reason)
{
	snprintf(l->reason, sizeof(l->reason), "%s", reason);
	l->finishing = true;
	link_timeout(l, 5);
	if (!link_pending(l))
		bufferevent_trigger(l->bev, EV_WRITE, BEV_TRIG_IGNORE_WATERMARKS);
}

void link_timeout(struct link *l, unsigned seconds)
{
	struct timeval tv = {seconds, 0};

	bufferevent_set_timeouts(l->bev, seconds ? &tv : NULL, NULL);
}

const struct ssl_st *link_tls(const struct link *l)
{
	return l->secure ? bufferevent_openssl_get_ssl(l->bev) : NULL;
}
