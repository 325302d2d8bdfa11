// SPDX-License-Identifier: Apache-2.0
// What is wrong with a policy, and where: passed along by all that reads one. A mistake refuses its
// document; a note is something its author should know; a warning is a note that whoever runs it
// should know.
#pragma once

#include <stdbool.h>

struct doc_node;

struct diag_text {
	const char *file;
	unsigned line, column; /* from 1 */
	bool mistake;	       /* else a note */
	const char *text;
	bool warning;
};
typedef void (*diag_fn)(void *ctx, const struct diag_text *t);

struct diag {
	diag_fn fn;
	void *ctx;
	const char *file;
	unsigned mistakes, notes, warnings;
};

/* Returns -EINVAL. `offset`: of the character meant within the scalar `at`. */
int diag_mistake(struct diag *d, const struct doc_node *at, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
int diag_mistake_in(struct diag *d, const struct doc_node *at, unsigned offset, const char *fmt,
		    ...) __attribute__((format(printf, 4, 5)));
void diag_note(struct diag *d, const struct doc_node *at, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void diag_warning(struct diag *d, const struct doc_node *at, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* As doc_mistake_fn: a mistake of YAML; `ctx` is the diag. */
void diag_yaml(void *ctx, unsigned line, unsigned column, const char *text);

/* The nearest of the names (`next` gives them until NULL), or NULL when none is near. */
const char *diag_near(const char *name, const char *(*next)(const void *ctx, unsigned i),
		      const void *ctx);
