// SPDX-License-Identifier: Apache-2.0
// The event loop, on libevent.
#include "lib/loop.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <event2/util.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/clean.h"

struct loop {
	struct event_base *base;
};

struct loop_watch {
	struct event *event;
	struct evconnlistener *listener;
	loop_fn fn;
	loop_accept_fn accepted;
	void *ctx;
	char *path; /* of a unix socket, to remove at the end */
};

/*
 * libevent's usual clock is behind by up to a tick of the kernel (4 ms): for a timer shorter than a
 * few of them it is woken, finds that it is too early, and sleeps again, three times over.
 */
static struct event_base *base_new(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;

	if (config && event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER) == 0)
		base = event_base_new_with_config(config);
	if (config)
		event_config_free(config);
	return base;
}

struct loop *loop_new(void)
{
	struct loop *l = calloc(1, sizeof(*l));

	if (l)
		l->base = base_new();
	return l && l->base ? l : loop_free(l);
}

struct loop *loop_free(struct loop *l)
{
	if (l && l->base) {
		/* What a buffer has put off holds it: libevent would forget both. */
		event_base_loop(l->base, EVLOOP_NONBLOCK);
		event_base_free(l->base);
	}
	free(l);
	return NULL;
}

void loop_freep(struct loop **l)
{
	*l = loop_free(*l);
}

struct event_base *loop_base(struct loop *l)
{
	return l->base;
}

int loop_run(struct loop *l)
{
	return event_base_loop(l->base, EVLOOP_NO_EXIT_ON_EMPTY) < 0 ? -EIO : 0;
}

void loop_stop(struct loop *l)
{
	event_base_loopbreak(l->base);
}

static void fired(evutil_socket_t fd, short what, void *arg)
{
	struct loop_watch *w = arg;

	(void)fd;
	(void)what;
	w->fn(w->ctx);
}

static struct loop_watch *watch_new(struct loop *l, int fd, short what, loop_fn fn, void *ctx)
{
	struct loop_watch *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->fn = fn;
	w->ctx = ctx;
	w->event = event_new(l->base, fd, what, fired, w);
	if (!w->event || (fd >= 0 && event_add(w->event, NULL) < 0))
		return loop_watch_free(w);
	return w;
}

struct loop_watch *loop_timer(struct loop *l, loop_fn fn, void *ctx)
{
	return watch_new(l, -1, 0, fn, ctx);
}

void loop_timer_set(struct loop_watch *timer, uint32_t ms)
{
	struct timeval tv = {ms / 1000, (ms % 1000) * 1000};

	event_add(timer->event, &tv);
}

struct loop_watch *loop_signal(struct loop *l, int signo, loop_fn fn, void *ctx)
{
	return watch_new(l, signo, EV_SIGNAL | EV_PERSIST, fn, ctx);
}

struct loop_watch *loop_readable(struct loop *l, int fd, loop_fn fn, void *ctx)
{
	return watch_new(l, fd, EV_READ | EV_PERSIST, fn, ctx);
}

struct loop_watch *loop_woken(struct loop *l, int fd, loop_fn fn, void *ctx)
{
	return watch_new(l, fd, EV_READ | EV_PERSIST | EV_ET, fn, ctx);
}

struct loop_watch *loop_watch_free(struct loop_watch *w)
{
	if (!w)
		return NULL;
	if (w->event)
		event_free(w->event);
	if (w->listener)
		evconnlistener_free(w->listener);
	if (w->path)
		unlink(w->path);
	free(w->path);
	free(w);
	return NULL;
}

static void peer_text(const struct sockaddr *sa, char *text, size_t size)
{
	const struct sockaddr_in *in = (const void *)sa;
	const struct sockaddr_in6 *in6 = (const void *)sa;
	char address[INET6_ADDRSTRLEN] = "";

	if (sa->sa_family == AF_INET)
		snprintf(text, size, "%s:%u",
			 inet_ntop(AF_INET, &in->sin_addr, address, sizeof(address)),
			 ntohs(in->sin_port));
	else if (sa->sa_family == AF_INET6)
		snprintf(text, size, "[%s]:%u",
			 inet_ntop(AF_INET6, &in6->sin6_addr, address, sizeof(address)),
			 ntohs(in6->sin6_port));
	else
		snprintf(text, size, "unix");
}

static void accepted(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *sa,
		     int len, void *arg)
{
	struct loop_watch *w = arg;
	char peer[64];

	(void)listener;
	(void)len;
	peer_text(sa, peer, sizeof(peer));
	w->accepted(w->ctx, fd, peer);
}

union address {
	struct sockaddr any;
	struct sockaddr_storage storage;
	struct sockaddr_un un;
};

static int address_parse(const char *text, union address *ret_address, int *ret_len)
{
	union address a = {};
	int len = sizeof(a);

	if (text[0] == '/') {
		if (strlen(text) >= sizeof(a.un.sun_path))
			return -ENAMETOOLONG;
		a.un.sun_family = AF_UNIX;
		snprintf(a.un.sun_path, sizeof(a.un.sun_path), "%s", text);
		len = sizeof(a.un);
	} else if (!strchr(text, ':') || evutil_parse_sockaddr_port(text, &a.any, &len) < 0) {
		return -EINVAL;
	}
	*ret_address = a;
	*ret_len = len;
	return 0;
}

/* A socket that nobody listens at is what a killed process left. */
static int leftover_remove(const struct sockaddr_un *un)
{
	_cleanup_(closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)un, sizeof(*un)) == 0)
		return -EADDRINUSE;
	return unlink(un->sun_path) < 0 && errno != ENOENT ? -errno : 0;
}

int loop_listen(struct loop *l, const char *address, loop_accept_fn fn, void *ctx,
		struct loop_watch **ret_watch)
{
	struct loop_watch *w;
	union address a;
	mode_t mask;
	int len, r = address_parse(address, &a, &len);

	if (r == 0 && a.any.sa_family == AF_UNIX)
		r = leftover_remove(&a.un);
	if (r < 0)
		return r;
	w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	w->accepted = fn;
	w->ctx = ctx;
	mask = umask(0177);
	w->listener = evconnlistener_new_bind(
		l->base, accepted, w,
		LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE, 64, &a.any, len);
	r = -errno;
	umask(mask);
	if (!w->listener) {
		loop_watch_free(w);
		return r;
	}
	w->path = a.any.sa_family == AF_UNIX ? strdup(address) : NULL;
	*ret_watch = w;
	return 0;
}
