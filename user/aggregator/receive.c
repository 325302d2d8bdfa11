// SPDX-License-Identifier: Apache-2.0
// Listens for sensors and holds their sessions.
#include "aggregator/receive.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "aggregator/session.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "transport.pb-c.h"

struct receive {
	struct receive_opts opts;
	struct session_opts session;
	struct loop_watch *listener;
	struct session **sessions; /* opts.sessions_max places */
	unsigned n;
};

/* A host that comes back has lost its old connection, even if we have not noticed. */
static void accepted(void *ctx, struct session *s)
{
	struct receive *r = ctx;

	for (unsigned i = 0; i < r->n; i++)
		if (r->sessions[i] != s &&
		    strcmp(session_host(r->sessions[i]), session_host(s)) == 0)
			session_refuse(r->sessions[i], ROLLCALL__REFUSE_CODE__busy,
				       "the host has opened another connection");
}

static void closed(void *ctx, struct session *s)
{
	struct receive *r = ctx;

	for (unsigned i = 0; i < r->n; i++) {
		if (r->sessions[i] != s)
			continue;
		r->sessions[i] = r->sessions[--r->n];
		break;
	}
	session_free(s);
}

static void on_accept(void *ctx, int fd, const char *peer)
{
	struct receive *r = ctx;
	struct session *s;

	if (r->n == r->opts.sessions_max) {
		log_warn(0, "refused %s: %u sessions are open already", peer, r->n);
		close(fd);
		return;
	}
	if (session_new(&r->session, fd, peer, &s) < 0)
		log_error(0, "refused %s: out of memory", peer);
	else
		r->sessions[r->n++] = s;
}

int receive_new(const struct receive_opts *opts, struct receive **ret_receive)
{
	struct receive *r = calloc(1, sizeof(*r));
	int e = 0;

	if (r)
		r->sessions = calloc(opts->sessions_max, sizeof(*r->sessions));
	if (!r || !r->sessions) {
		receive_free(r);
		return log_error(-ENOMEM, "cannot start");
	}
	r->opts = *opts;
	r->session = (struct session_opts){
		.loop = opts->loop,
		.tls = opts->tls,
		.store = opts->store,
		.dir = opts->dir,
		.accepted = accepted,
		.closed = closed,
		.ctx = r,
	};
	e = loop_listen(opts->loop, opts->listen, on_accept, r, &r->listener);
	if (e < 0) {
		receive_free(r);
		return log_error(e, "cannot listen at '%s'", opts->listen);
	}
	*ret_receive = r;
	return 0;
}

struct receive *receive_free(struct receive *r)
{
	if (!r)
		return NULL;
	loop_watch_free(r->listener);
	while (r->n)
		session_free(r->sessions[--r->n]);
	free(r->sessions);
	free(r);
	return NULL;
}
