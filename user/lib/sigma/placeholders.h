// SPDX-License-Identifier: Apache-2.0
// What %name% stands for under the modifier `expand`: documents with the key `placeholders`, read
// before any rule is.
#pragma once

#include <stddef.h>

struct arena;
struct diag;
struct doc_node;

struct placeholder {
	struct placeholder *next;
	const char *name;
	const struct doc_node *values; /* a list of scalars */
};

struct placeholders {
	struct placeholder *first;
};

/* Is this document one of placeholders? */
int placeholders_are(const struct doc_node *root);
/* 0, -ENOMEM, or -EINVAL when its mistakes were told. The document's arena outlives them. */
int placeholders_read(struct placeholders *p, struct arena *a, struct diag *d,
		      const struct doc_node *root);
const struct placeholder *placeholders_find(const struct placeholders *p, const char *name,
					    size_t len);
/* For diag_near. */
const char *placeholders_name(const void *p, unsigned i);
