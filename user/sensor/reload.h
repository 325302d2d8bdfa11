// SPDX-License-Identifier: Apache-2.0
// Another policy while the sensor runs: asked for by the control socket, by SIGHUP or by a signed
// bundle in the inbox. It is compiled whole, then takes the old one's place between two events; one
// with mistakes changes nothing. Each attempt is an event and a line in the log. Called by
// sensor.c.
#pragma once

#include "control.pb-c.h"
#include "lib/frame.h"

struct control_peer;
struct pipeline;
struct reload;

struct reload_opts {
	struct pipeline *pipeline;
	const char *path;     /* of the rules; "": RULES_PATH */
	const char *key;      /* public key of bundles; "": none is taken */
	const char *inbox;    /* directory */
	const char *accepted; /* file: the bundle that was taken last */
};

/* Failures are told. */
int reload_new(const struct reload_opts *opts, struct reload **ret_reload);
struct reload *reload_free(struct reload *r); /* accepts NULL, returns NULL */

/* Once the rules are read: takes the bundle that was in force before. Failures are told. */
void reload_begin(struct reload *r);

/* A question about the policy; the answer stays until the next. -EBADMSG: it is none. */
int reload_request(struct reload *r, const struct control_peer *who, const Rollcall__Request *ask,
		   enum frame_type *ret_type, const ProtobufCMessage **ret_answer);

/* SIGHUP: the rules are read again. */
void reload_signal(struct reload *r);

/* Once a second: at most one bundle is taken out of the inbox. */
void reload_tick(struct reload *r);
