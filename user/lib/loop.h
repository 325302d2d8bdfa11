// SPDX-License-Identifier: Apache-2.0
// The event loop: timers, signals, readable descriptors, listening sockets. With link.c the only
// file that knows libevent. One loop a process, no threads.
#pragma once

#include <stdint.h>

struct event_base;
struct loop;
struct loop_watch; /* a timer, a signal, a descriptor or a listener */

typedef void (*loop_fn)(void *ctx);
/* `fd` is the callback's; `peer` is text such as "192.0.2.1:4711" or "unix". */
typedef void (*loop_accept_fn)(void *ctx, int fd, const char *peer);

struct loop *loop_new(void);
struct loop *loop_free(struct loop *l); /* after its watches */
void loop_freep(struct loop **l);
struct event_base *loop_base(struct loop *l); /* for link.c */

int loop_run(struct loop *l); /* until loop_stop */
void loop_stop(struct loop *l);

/* Each: NULL when out of memory. A timer sleeps until loop_timer_set. */
struct loop_watch *loop_timer(struct loop *l, loop_fn fn, void *ctx);
void loop_timer_set(struct loop_watch *timer, uint32_t ms);
struct loop_watch *loop_signal(struct loop *l, int signo, loop_fn fn, void *ctx);
struct loop_watch *loop_readable(struct loop *l, int fd, loop_fn fn, void *ctx);
/* Once for each time that it is woken, whether or not there is something to be read before or
 * after. */
struct loop_watch *loop_woken(struct loop *l, int fd, loop_fn fn, void *ctx);

/*
 * Listens at "ADDRESS:PORT", "[ADDRESS]:PORT" or "/path" (a unix socket that only its owner may
 * open; one that is left over is replaced). Negative errno; -EINVAL: not an address.
 */
int loop_listen(struct loop *l, const char *address, loop_accept_fn fn, void *ctx,
		struct loop_watch **ret_watch);

struct loop_watch *loop_watch_free(struct loop_watch *w); /* accepts NULL, returns NULL */
