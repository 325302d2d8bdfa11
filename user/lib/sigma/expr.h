// SPDX-License-Identifier: Apache-2.0
// A boolean expression over numbered leaves: what conditions, searches and compiled rules are.
#pragma once

#include <stddef.h>
#include <stdint.h>

struct arena;

enum expr_op { EXPR_LEAF, EXPR_NOT, EXPR_AND, EXPR_OR };

struct expr {
	enum expr_op op;
	uint32_t leaf;
	uint32_t n;
	const struct expr **kids; /* one of EXPR_NOT */
};

/* NULL: out of memory. One kid of an AND or OR is returned as it is. */
const struct expr *expr_leaf(struct arena *a, uint32_t leaf);
const struct expr *expr_not(struct arena *a, const struct expr *kid);
const struct expr *expr_list(struct arena *a, enum expr_op op, const struct expr *const *kids,
			     size_t n);

/* Each leaf replaced by what `of` gives for it. */
typedef const struct expr *(*expr_leaf_fn)(void *ctx, uint32_t leaf);
const struct expr *expr_map(struct arena *a, const struct expr *e, expr_leaf_fn of, void *ctx);
