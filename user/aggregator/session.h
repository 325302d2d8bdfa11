// SPDX-License-Identifier: Apache-2.0
// One connection of one host: TLS, Hello, batches, acknowledgements. Trusts nothing that it
// receives; a session that misbehaves is refused with a reason, the others go on.
#pragma once

#include <stdint.h>

struct loop;
struct session;
struct store;
struct tls;

struct session_opts {
	struct loop *loop;
	struct tls *tls;
	struct store *store;
	const char *dir; /* of the authority */
	/* Another session of the same host ends when this one is accepted. May be called once. */
	void (*accepted)(void *ctx, struct session *s);
	/* It is over: free it. */
	void (*closed)(void *ctx, struct session *s);
	void *ctx;
};

/* Takes `fd`, also on failure. `opts` must outlive the session. */
int session_new(const struct session_opts *opts, int fd, const char *peer,
		struct session **ret_session);
struct session *session_free(struct session *s); /* accepts NULL, returns NULL */

const char *session_host(const struct session *s); /* "" until accepted */

/* Tells the host why, then closes. */
void session_refuse(struct session *s, int code, const char *reason);
