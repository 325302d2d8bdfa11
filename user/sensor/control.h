// SPDX-License-Identifier: Apache-2.0
// The control socket: a unix socket that only root may open, where the command line asks for the
// state of the sensor and looks on at live events. Nothing listens on the network.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "control.pb-c.h"
#include "event.pb-c.h"
#include "lib/frame.h"

struct arena;
struct control;
struct loop;

/* Fills a status; what it points to must stay until the function is called again. */
typedef int (*control_status_fn)(void *ctx, struct arena *a, Rollcall__Status *status);

/* The same for the costs of the programs. */
typedef int (*control_top_fn)(void *ctx, struct arena *a, Rollcall__Top *top);

/* Who asks, as the kernel says. */
struct control_peer {
	uid_t uid;
	pid_t pid;
};

/* Answers what is asked about the policy; the answer must stay as the status. */
typedef int (*control_policy_fn)(void *ctx, const struct control_peer *who,
				 const Rollcall__Request *ask, enum frame_type *ret_type,
				 const ProtobufCMessage **ret_answer);

struct control_opts {
	struct loop *loop;
	const char *path;
	control_status_fn status;
	control_top_fn top;
	int (*measure)(void); /* the kernel measures until this descriptor is closed */
	void *ctx;
	control_policy_fn policy;
	void (*record)(void *ctx); /* somebody begins to */
};

/* Logs why not. The path's directory is made when missing. */
int control_new(const struct control_opts *opts, struct control **ret_control);
struct control *control_free(struct control *c); /* accepts NULL, returns NULL */

/* Shows an event to everybody who looks on; one without an id, which is shown to the rules alone,
 * to those who record. Does anybody? `ctx` is the control (pipeline_tap_fn). */
bool control_event(void *ctx, const Rollcall__Event *ev);

/* Events that a slow onlooker missed. */
uint64_t control_dropped(const struct control *c);
