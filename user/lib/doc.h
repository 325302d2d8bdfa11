// SPDX-License-Identifier: Apache-2.0
// YAML documents as trees whose nodes know their line and column. Called by the configuration and
// by the policy's parser. The only file that knows libyaml. What would make a small text large or
// deep (aliases, nesting) is refused before a tree is made.
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct arena;

enum doc_type { DOC_SCALAR, DOC_LIST, DOC_MAP };

struct doc_node {
	enum doc_type type;
	bool plain;		      /* a scalar without quotes: may be a number, true, null */
	bool exact;		      /* a scalar whose text is in the file as it is here */
	unsigned line, column;	      /* from 1 */
	const char *text;	      /* of a scalar; ends with NUL, may hold others */
	size_t len;		      /* of the text, or number of items */
	const struct doc_node *key;   /* in a map: what this is the value of */
	const struct doc_node *first; /* of a list or map */
	const struct doc_node *next;
};

struct doc {
	struct doc *next;
	unsigned line, column;	     /* where it begins, "---" included */
	const struct doc_node *root; /* NULL: empty */
};

/* One mistake; line and column count from 1. */
typedef void (*doc_mistake_fn)(void *ctx, unsigned line, unsigned column, const char *text);

struct doc_opts {
	unsigned depth;	      /* of tokens that nest; a list in a map may be one deeper */
	const char *too_deep; /* what to say beyond it */
	doc_mistake_fn fn;
	void *ctx;
};

/*
 * Every document in the text, which need not end with NUL, in the arena. Number of mistakes told
 * (0: all was read), or -ENOMEM. Text of no document gives NULL.
 */
int doc_parse(struct arena *a, const char *text, size_t size, const struct doc_opts *opts,
	      struct doc **ret_docs);

/* A scalar's text; NULL for others and for text that holds a NUL. */
const char *doc_text(const struct doc_node *n);
/* The value of a key of a map, or NULL. */
const struct doc_node *doc_get(const struct doc_node *map, const char *key);
