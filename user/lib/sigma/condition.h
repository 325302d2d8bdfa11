// SPDX-License-Identifier: Apache-2.0
// The condition of a rule: and, or, not, parentheses, "1 of", "all of", over its searches.
#pragma once

#include <stdbool.h>

#include "lib/sigma/expr.h"

#define CONDITION_SEARCHES_MAX 256

struct diag;
struct doc_node;

struct condition_search {
	const char *name;
	bool used; /* set when a condition names it */
};

/*
 * A text, or a list of texts of which one must hold. The leaves of the expression are the searches'
 * numbers. 0, -ENOMEM, or -EINVAL (mistakes told).
 */
int condition_parse(struct arena *a, struct diag *d, const struct doc_node *at,
		    struct condition_search *searches, size_t n, const struct expr **ret_expr);
