// SPDX-License-Identifier: Apache-2.0
// Boolean expressions, in an arena.
#include "lib/sigma/expr.h"

#include <string.h>

#include "lib/arena.h"

static struct expr *node(struct arena *a, enum expr_op op, size_t n)
{
	struct expr *e = arena_alloc(a, sizeof(*e));

	if (!e)
		return NULL;
	e->op = op;
	e->n = (uint32_t)n;
	e->kids = arena_alloc(a, n * sizeof(const struct expr *));
	return e->kids ? e : NULL;
}

const struct expr *expr_leaf(struct arena *a, uint32_t leaf)
{
	struct expr *e = node(a, EXPR_LEAF, 0);

	if (e)
		e->leaf = leaf;
	return e;
}

const struct expr *expr_not(struct arena *a, const struct expr *kid)
{
	return expr_list(a, EXPR_NOT, &kid, 1);
}

const struct expr *expr_list(struct arena *a, enum expr_op op, const struct expr *const *kids,
			     size_t n)
{
	struct expr *e;

	for (size_t i = 0; i < n; i++)
		if (!kids[i])
			return NULL;
	if (n == 1 && op != EXPR_NOT)
		return kids[0];
	e = node(a, op, n);
	for (size_t i = 0; e && i < n; i++)
		e->kids[i] = kids[i];
	return e;
}

const struct expr *expr_map(struct arena *a, const struct expr *e, expr_leaf_fn of, void *ctx)
{
	struct expr *m;

	if (e->op == EXPR_LEAF)
		return of(ctx, e->leaf);
	m = node(a, e->op, e->n);
	for (uint32_t i = 0; m && i < e->n; i++) {
		m->kids[i] = expr_map(a, e->kids[i], of, ctx);
		if (!m->kids[i])
			return NULL;
	}
	return m;
}
