// SPDX-License-Identifier: Apache-2.0
// Rules from files, for the commands that try them; mistakes and expired exceptions are told.
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "lib/sigma/policy.h"

struct fileset;

#define POLICY_LOAD_INSTALLED "/etc/rollcall/rules"

struct policy_load_opts {
	FILE *to;   /* where mistakes, warnings and notes are told */
	bool notes; /* notes too */
	bool some;  /* a path without any rules is a mistake */
	/* A product profile, by name or path: its placeholders, and its mistakes. NULL: none. */
	const char *profile;
	/* Read after the paths: text that is not in a file yet. NULL: none. */
	const char *text;
	/* Read already, in place of paths. NULL: none. */
	const struct fileset *files;
};

/* Adds what is in `path`. Errors are told with the file's name; -ENOENT: also when `some` were
 * expected and none are there. */
int policy_load_files(struct fileset *files, const char *path, bool some);

/* `paths` ends with NULL; without any, or files, it is what is installed. -EBADMSG and others:
 * told. The policy is given in any case but when out of memory. */
int policy_load(const struct policy_load_opts *opts, char *const *paths,
		struct policy **ret_policy);
