// SPDX-License-Identifier: Apache-2.0
// The control socket: frames over a unix socket, a Request from the command line, then a Status or
// Events.
#include "sensor/control.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/arena.h"
#include "lib/clean.h"
#include "lib/link.h"
#include "lib/log.h"
#include "lib/loop.h"

#define GUESTS_MAX  16
#define PENDING_MAX (4 << 20) /* bytes that may wait for one slow reader */

struct guest {
	struct control *control;
	struct link *link;
	struct control_peer peer;
	bool watching;
	bool recording;	 /* it is shown what only the rules are */
	uint64_t missed; /* events since the last that it was shown */
	int measure;	 /* the kernel measures while it is open; -1 */
};

struct control {
	struct control_opts opts;
	struct loop_watch *listener;
	struct arena *arena;
	struct guest *guests[GUESTS_MAX];
	uint64_t dropped;
};

static void on_closed(void *ctx, const char *reason)
{
	struct guest *g = ctx;

	(void)reason;
	for (unsigned i = 0; i < GUESTS_MAX; i++)
		if (g->control->guests[i] == g)
			g->control->guests[i] = NULL;
	link_free(g->link);
	closep(&g->measure);
	free(g);
}

static int status_send(struct guest *g)
{
	struct control *c = g->control;
	Rollcall__Status status;
	int r;

	rollcall__status__init(&status);
	r = c->opts.status(c->opts.ctx, c->arena, &status);
	if (r == 0)
		r = link_send(g->link, FRAME_STATUS, &status.base);
	arena_reset(c->arena);
	if (r == 0)
		link_finish(g->link, "answered");
	return r;
}

/* A guest asks again at the end of each interval, and has the kernel measure until it leaves. */
static int top_send(struct guest *g)
{
	struct control *c = g->control;
	Rollcall__Top top;
	int r;

	if (g->measure < 0)
		g->measure = c->opts.measure();
	if (g->measure < 0)
		return log_warn(g->measure, "this kernel does not measure BPF programs");
	rollcall__top__init(&top);
	r = c->opts.top(c->opts.ctx, c->arena, &top);
	if (r == 0)
		r = link_send(g->link, FRAME_TOP, &top.base);
	arena_reset(c->arena);
	return r;
}

/* The socket is root's; a descriptor that root gave away is not enough. */
static int policy_send(struct guest *g, const Rollcall__Request *ask)
{
	struct control *c = g->control;
	const ProtobufCMessage *answer;
	enum frame_type type;
	int r = g->peer.uid == 0 ? c->opts.policy(c->opts.ctx, &g->peer, ask, &type, &answer)
				 : -EPERM;

	if (r == 0)
		r = link_send(g->link, type, answer);
	if (r == 0)
		link_finish(g->link, "answered");
	return r;
}

static int on_frame(void *ctx, enum frame_type type, const ProtobufCMessage *m)
{
	struct guest *g = ctx;
	const Rollcall__Request *ask = (const Rollcall__Request *)m;

	if (type != FRAME_REQUEST)
		return -EBADMSG;
	switch (ask->ask) {
	case ROLLCALL__ASK__status:
		return status_send(g);
	case ROLLCALL__ASK__watch:
	case ROLLCALL__ASK__record:
		g->watching = true;
		g->recording = ask->ask == ROLLCALL__ASK__record;
		if (g->recording)
			g->control->opts.record(g->control->opts.ctx);
		return 0;
	case ROLLCALL__ASK__top:
		return top_send(g);
	default:
		return policy_send(g, ask);
	}
}

static struct control_peer peer_of(int fd)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return (struct control_peer){.uid = (uid_t)-1};
	return (struct control_peer){cred.uid, cred.pid};
}

static void on_accept(void *ctx, int fd, const char *peer)
{
	struct control *c = ctx;
	struct guest *g = calloc(1, sizeof(*g)), **place = c->guests;
	const struct link_ops ops = {.frame = on_frame, .closed = on_closed, .ctx = g};

	(void)peer;
	while (place < c->guests + GUESTS_MAX && *place)
		place++;
	if (!g || place == c->guests + GUESTS_MAX) {
		close(fd);
		free(g);
		return;
	}
	g->control = c;
	g->measure = -1;
	g->peer = peer_of(fd);
	if (link_accept(c->opts.loop, NULL, fd, &ops, &g->link) < 0)
		free(g);
	else
		*place = g;
}

/* What a slow onlooker missed is told where it is missing. */
static int missed_send(struct guest *g, const Rollcall__Event *next)
{
	Rollcall__Event ev;
	Rollcall__Gap gap;
	static char lane[] = "watch", reason[] = "the onlooker was too slow";

	rollcall__event__init(&ev);
	rollcall__gap__init(&gap);
	gap.lane = lane;
	gap.reason = reason;
	gap.count = g->missed;
	ev.time = next->time;
	ev.host = next->host;
	ev.kind_case = ROLLCALL__EVENT__KIND_GAP;
	ev.gap = &gap;
	return link_send(g->link, FRAME_EVENT, &ev.base);
}

static int event_show(struct guest *g, const Rollcall__Event *ev)
{
	int r = link_pending(g->link) > PENDING_MAX ? -EAGAIN : 0;

	if (r == 0 && g->missed)
		r = missed_send(g, ev);
	if (r == 0)
		g->missed = 0;
	return r == 0 ? link_send(g->link, FRAME_EVENT, &ev->base) : r;
}

/* What is not kept has no id. */
bool control_event(void *ctx, const Rollcall__Event *ev)
{
	struct control *c = ctx;
	bool recorded = false;

	for (unsigned i = 0; i < GUESTS_MAX; i++) {
		struct guest *g = c->guests[i];

		recorded |= g && g->recording;
		if (!g || !g->watching || (!*ev->id && !g->recording) || event_show(g, ev) == 0)
			continue;
		g->missed++;
		c->dropped++;
	}
	return recorded;
}

uint64_t control_dropped(const struct control *c)
{
	return c->dropped;
}

/* Its directory, as systemd's RuntimeDirectory= would make it. */
static void directory_make(const char *path)
{
	char dir[256];
	char *slash;

	snprintf(dir, sizeof(dir), "%s", path);
	slash = strrchr(dir, '/');
	if (slash && slash != dir) {
		*slash = '\0';
		mkdir(dir, 0755);
	}
}

int control_new(const struct control_opts *opts, struct control **ret_control)
{
	struct control *c = calloc(1, sizeof(*c));
	int r = -ENOMEM;

	if (c)
		c->arena = arena_new(64 * 1024);
	if (c && c->arena) {
		c->opts = *opts;
		directory_make(opts->path);
		r = loop_listen(opts->loop, opts->path, on_accept, c, &c->listener);
	}
	if (r < 0) {
		control_free(c);
		return log_error(r, "control socket '%s'", opts->path);
	}
	*ret_control = c;
	return 0;
}

struct control *control_free(struct control *c)
{
	if (!c)
		return NULL;
	loop_watch_free(c->listener);
	for (unsigned i = 0; i < GUESTS_MAX; i++)
		if (c->guests[i])
			on_closed(c->guests[i], "");
	arena_free(c->arena);
	free(c);
	return NULL;
}
