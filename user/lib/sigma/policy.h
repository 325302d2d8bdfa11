// SPDX-License-Identifier: Apache-2.0
// A policy: Sigma documents of files and directories, read together (a filter names rules of other
// files), checked, compiled. Immutable once finished. Made by the sensor and by `rollcall policy`.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/sigma/diag.h"

struct fileset;
struct policy;
struct program;
struct rule;
struct rule_source;

/* What events there are: log sources and their fields. */
struct policy_schema {
	uint32_t sources; /* their numbers are below this; 0 is "every event" */
	/* The number of a rule's log source, or -ENOENT: no event is of it. */
	int (*source)(const struct rule_source *s);
	/* Do events of that source have the field? If not, `*ret_near` may be one they have. */
	bool (*field)(uint32_t source, const char *name, const char **ret_near);
};

/* Mistakes and notes go to `fn`. NULL: out of memory. */
struct policy *policy_new(const struct policy_schema *schema, diag_fn fn, void *ctx);
struct policy *policy_free(struct policy *p); /* accepts NULL, returns NULL */
void policy_freep(struct policy **p);

int policy_files(struct policy *p, const struct fileset *files);
/* What time it is: exceptions that have expired are told and hide nothing. Without it each hides
 * events from before its expiry. */
void policy_now(struct policy *p, uint64_t now);
/* `file` is what mistakes are told of. */
int policy_text(struct policy *p, const char *file, const char *text, size_t size);

/* Once, after all was read. -EBADMSG: mistakes were told and the policy cannot be used. */
int policy_finish(struct policy *p);

/* Borrowed. Its rules' numbers are those of match.h. */
const struct program *policy_program(const struct policy *p);
/* Every document that had no mistake, chained by `next`; filters too. */
const struct rule *policy_rules(const struct policy *p);
/* How many rules can match: their numbers are below it; those of detections come first. */
uint32_t policy_count(const struct policy *p);
unsigned policy_mistakes(const struct policy *p);
unsigned policy_notes(const struct policy *p);
unsigned policy_warnings(const struct policy *p);
