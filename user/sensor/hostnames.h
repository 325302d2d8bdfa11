// SPDX-License-Identifier: Apache-2.0
// By which name a peer's address was asked for: the DNS answers that processes of this host read,
// kept for a day. Bounded: the answer that was read longest ago makes room. Called by the pipeline.
#pragma once

#include <stdint.h>

#include "event.pb-c.h"

struct arena;
struct hostnames;

#define HOSTNAMES_MAX	  4096
#define HOSTNAMES_SECONDS (24 * 3600ull)

struct hostnames *hostnames_new(void);		       /* NULL: out of memory */
struct hostnames *hostnames_free(struct hostnames *h); /* accepts NULL, returns NULL */

/* Learns from an answer; gives a connection its peer's name. Time is the event's. */
void hostnames_event(struct hostnames *h, struct arena *a, Rollcall__Event *ev);
