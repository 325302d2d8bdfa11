// SPDX-License-Identifier: Apache-2.0
// Events as Sigma rules see them: log sources and fields of the taxonomy, and any path of
// event.proto ("db.rows", "process.unit", "exe_age"). Resolved once for a program.
#pragma once

#include "event.pb-c.h"
#include "lib/sigma/match.h"
#include "lib/sigma/policy.h"

struct fields;

/* For policy_new. */
extern const struct policy_schema fields_schema;

/* NULL: out of memory. The program must outlive it. */
struct fields *fields_new(const struct program *p);
struct fields *fields_free(struct fields *f); /* accepts NULL, returns NULL */

/* An event as match_event takes it; all of it is valid as long as the event. */
struct fields_view {
	const struct fields *fields;
	const Rollcall__Event *ev;
	uint32_t kind;
	struct match_event match;
};
void fields_view(const struct fields *f, const Rollcall__Event *ev, struct fields_view *ret_view);
