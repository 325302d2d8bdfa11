// SPDX-License-Identifier: Apache-2.0
// Exceptions as texts: Sigma filter documents with an owner, a reason and an expiry, and what they
// hide of a recording. Used by `rollcall policy except` and `suggest`.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct arena;
struct rule;
struct stable_fields;

#define EXCEPTION_EVENTS_SHOWN 5

struct exception {
	const struct rule *rule; /* a detection, with an id or a name */
	const struct stable_fields *fields;
	const char *about; /* whom the finding was of */
	const char *owner, *reason, *until;
};

/* One document, with its comments above it when `comment` is not NULL (lines without "# "). */
int exception_write(FILE *out, const struct exception *e, const char *comment);

/* YYYY-MM-DD, not over yet. -EINVAL: logged. */
int exception_until(const char *text);
/* What a filter can say of its author. -EINVAL: logged. */
int exception_said(const char *option, const char *text);

/* What one filter hid. */
struct exception_use {
	uint64_t matches, findings; /* findings: principals, at most EXCEPTION_FINDINGS_MAX */
	const char *first[EXCEPTION_EVENTS_SHOWN]; /* ids of events; line numbers without one */
	size_t n_first;
	struct exception_seen *seen;
};
#define EXCEPTION_FINDINGS_MAX 10000

/*
 * Replays the recording through the rules in `paths` and the documents in `text`: for each of these
 * what it hides, in their order, in the arena. Errors are logged.
 */
int exception_measure(struct arena *a, char *const *paths, const char *text, const char *recording,
		      struct exception_use *uses, size_t n);
