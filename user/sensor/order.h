// SPDX-License-Identifier: Apache-2.0
// What the aggregator orders: a signed policy, which the stream process puts into the sensor's
// inbox. It only carries it: the sensor verifies the signature. Called by stream.c.
#pragma once

#include <sys/types.h>

#include "transport.pb-c.h"

struct order;

struct order_opts {
	const char *inbox; /* directory; "": no policy is taken from outside */
	gid_t gid;	   /* of the stream process: may make files there */
	int own;	   /* directory of what is remembered; the caller's */
};

/* While still root. The directory is made when missing. Failures are told. */
int order_new(const struct order_opts *opts, struct order **ret_order);
struct order *order_free(struct order *o); /* accepts NULL, returns NULL */

/* The directory, for the sandbox; -1: there is none. */
int order_inbox(const struct order *o);
/* The id of the last one; "": none yet. */
const char *order_last(const struct order *o);

/* -EBADMSG: the peer breaks the contract. What cannot be delivered is told, and Hello says so. */
int order_take(struct order *o, const Rollcall__Order *m);
