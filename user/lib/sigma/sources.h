// SPDX-License-Identifier: Apache-2.0
// The log sources of our events, as numbers: 0 is every event, then come the taxonomy's categories,
// then the kinds of event.proto. A kind is the index of its field in Event. Called by fields.c.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "event.pb-c.h"

struct rule_source;
struct sources;

/* The number of a rule's log source, or -ENOENT: no event is of it. */
int sources_find(const struct rule_source *s);
/* Are events of that kind of the log source? 0 has every kind, and what is none has no source. */
bool sources_has(uint32_t source, uint32_t kind);

struct sources *sources_new(void);
struct sources *sources_free(struct sources *s); /* accepts NULL, returns NULL */

/* Of an event: its kind, its own log source and that of its category. */
void sources_of(const struct sources *s, const Rollcall__Event *ev, uint32_t *ret_kind,
		uint32_t ret_sources[2]);
