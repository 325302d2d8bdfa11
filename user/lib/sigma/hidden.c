// SPDX-License-Identifier: Apache-2.0
// A filter turned around selects what it hides: a pair of a rule and such a filter is a rule.
#include "lib/sigma/hidden.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/clean.h"
#include "lib/sigma/fields.h"
#include "lib/sigma/match.h"
#include "lib/sigma/policy.h"
#include "lib/sigma/program.h"
#include "lib/sigma/rule.h"

struct pair {
	const struct rule *filter, *rule;
};

struct hidden {
	struct program *program;
	struct pair *pairs; /* by the program's numbers */
	size_t room;
	struct fields *fields;
	struct match *match;
	hidden_fn fn;
	void *ctx;
};

struct hidden *hidden_free(struct hidden *h)
{
	if (!h)
		return NULL;
	match_free(h->match);
	fields_free(h->fields);
	program_free(h->program);
	free(h->pairs);
	free(h);
	return NULL;
}

/* The policy has compiled both before: there are no mistakes to tell. */
static void no_mistake(void *ctx, const struct diag_text *t)
{
	(void)ctx;
	(void)t;
}

static int pair_add(struct hidden *h, const struct rule *filter, const struct rule *rule)
{
	struct diag diag = {.fn = no_mistake};
	struct rule selects = *filter;
	const struct rule *filters[] = {&selects};
	int source = fields_schema.source(&rule->source);

	if (source < 0)
		return source;
	if (h->program->n_rules == h->room) {
		size_t room = h->room ? 2 * h->room : 16;
		struct pair *more = reallocarray(h->pairs, room, sizeof(*more));

		if (!more)
			return -ENOMEM;
		h->pairs = more;
		h->room = room;
	}
	selects.expr = expr_not(h->program->arena, filter->expr);
	if (!selects.expr)
		return -ENOMEM;
	h->pairs[h->program->n_rules] = (struct pair){filter, rule};
	return program_add(h->program, &diag, rule, (uint32_t)source, filters, 1);
}

static int pairs_add(struct hidden *h, const struct policy *p)
{
	int r = 0;

	for (const struct rule *f = policy_rules(p); f && r == 0; f = f->next)
		for (const struct rule *rule = policy_rules(p);
		     rule && r == 0 && f->kind == RULE_FILTER && !f->expired; rule = rule->next)
			if (rule->kind == RULE_DETECTION && rule_filters(f, rule))
				r = pair_add(h, f, rule);
	return r == 0 ? program_finish(h->program) : r;
}

struct hidden *hidden_new(const struct policy *p)
{
	struct hidden *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	h->program = program_new(fields_schema.sources);
	if (!h->program || pairs_add(h, p) < 0)
		return hidden_free(h);
	h->fields = fields_new(h->program);
	h->match = match_new(h->program);
	return h->fields && h->match ? h : hidden_free(h);
}

static void on_rule(void *ctx, uint32_t number)
{
	struct hidden *h = ctx;

	h->fn(h->ctx, h->pairs[number].filter, h->pairs[number].rule);
}

void hidden_event(struct hidden *h, const Rollcall__Event *ev, hidden_fn fn, void *ctx)
{
	struct fields_view view;

	h->fn = fn;
	h->ctx = ctx;
	fields_view(h->fields, ev, &view);
	match_event(h->match, &view.match, on_rule, h);
}
