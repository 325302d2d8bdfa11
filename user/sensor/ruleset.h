// SPDX-License-Identifier: Apache-2.0
// A policy ready to be in force: compiled, with its engine, its digest and where it came from. Made
// whole before it takes the place of another. Called by rules.c and reload.c.
#pragma once

#include <stdint.h>

#include "lib/digest.h"
#include "lib/sigma/diag.h"
#include "lib/sigma/engine.h"

struct compare_count;
struct fileset;
struct policy;

struct ruleset {
	struct policy *policy;
	struct engine *engine;
	char sha256[DIGEST_HEX];
	char *path;	 /* of the rules, or of the bundle; "": there are none */
	uint64_t serial; /* of the bundle; 0: files */
};

struct ruleset_opts {
	const struct fileset *files;
	const char *placeholders; /* a document, as of a profile */
	const char *path;
	uint64_t serial;
	diag_fn tell; /* mistakes and notes */
	void *tell_ctx;
	engine_fn hit;
	void *hit_ctx;
};

/* -EBADMSG: mistakes were told. */
int ruleset_new(const struct ruleset_opts *opts, struct ruleset **ret_set);
struct ruleset *ruleset_free(struct ruleset *s); /* accepts NULL, returns NULL */
void ruleset_freep(struct ruleset **s);

/* `s`, which saw no event yet, goes on where `from` is. -ENOMEM: nothing was done. */
int ruleset_carry(struct ruleset *s, struct ruleset *from, struct compare_count *ret_count);
