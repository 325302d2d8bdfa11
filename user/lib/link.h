// SPDX-License-Identifier: Apache-2.0
// A connection that carries frames: TCP with TLS to an aggregator, or the control socket. Made of
// libevent's buffered sockets. Any malformed frame closes the connection with a reason.
#pragma once

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>

#include "lib/frame.h"

struct arena;
struct link;
struct loop;
struct ssl_st;
struct tls;

struct link_ops {
	/* Connected, and TLS is done: may send. */
	void (*ready)(void *ctx);
	/* A frame whose message is in the arena until this returns. Negative errno closes. */
	int (*frame)(void *ctx, enum frame_type type, const ProtobufCMessage *message);
	/* All that was sent is with the kernel. May be NULL. */
	void (*drained)(void *ctx);
	/* It is over; the link must be freed, here or later. Nothing else is called after. */
	void (*closed)(void *ctx, const char *reason);
	void *ctx;
};

/* `host` may be a name; it is looked up. Failure to connect is told by closed(). */
int link_connect(struct loop *loop, struct tls *tls, const char *host, int port,
		 const struct link_ops *ops, struct link **ret_link);
/* Takes `fd`, also on failure. `tls` NULL: clear text (unix sockets). */
int link_accept(struct loop *loop, struct tls *tls, int fd, const struct link_ops *ops,
		struct link **ret_link);
struct link *link_free(struct link *l); /* closes; accepts NULL, returns NULL */

/* Queues one frame. -EMSGSIZE: above what its type may have. */
int link_send(struct link *l, enum frame_type type, const ProtobufCMessage *message);
/* Bytes that wait to be sent. */
size_t link_pending(const struct link *l);
/* Reads no more, sends what is queued, then closes and calls closed(reason). */
void link_finish(struct link *l, const char *reason);

/* A read is due within this many seconds, else it is closed. 0: no limit. */
void link_timeout(struct link *l, unsigned seconds);

/* The TLS session; NULL for clear text. */
const struct ssl_st *link_tls(const struct link *l);
