// SPDX-License-Identifier: Apache-2.0
// Signed policies that come from outside: *.bundle files in a directory, one after the other, each
// newer than the one before. Whoever writes there cannot change what is in force without the key,
// nor go back to what was. Called by reload.c.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/sigma/bundle.h"

struct fileset;
struct inbox;

struct inbox_opts {
	const char *key; /* PEM file of the public key */
	const char *directory;
	const char *accepted; /* file that keeps what was taken last */
};

struct inbox_bundle {
	const char *path;
	const struct fileset *files;
	uint64_t serial; /* 0: not known */
	bool kept;	 /* it was taken before this start */
	int error;	 /* not 0: not to be taken, `why` says it */
	char why[BUNDLE_WHY];
	const char *text;
	size_t size;
};

/* 0: it is in force now. */
typedef int (*inbox_fn)(void *ctx, const struct inbox_bundle *b);

/* Failures are told. The directory is made when missing. */
int inbox_new(const struct inbox_opts *opts, struct inbox **ret_inbox);
struct inbox *inbox_free(struct inbox *i); /* accepts NULL, returns NULL */

/* What was taken last, if anything was. */
void inbox_begin(struct inbox *i, inbox_fn fn, void *ctx);

/* At most one of the directory; it is removed, whatever comes of it. */
void inbox_look(struct inbox *i, inbox_fn fn, void *ctx);

/* Called from within `fn`: from here on only newer ones are taken, after a restart too. */
int inbox_keep(struct inbox *i, const struct inbox_bundle *b);
