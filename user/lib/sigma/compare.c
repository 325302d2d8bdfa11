// SPDX-License-Identifier: Apache-2.0
// Compares policies: the rules of each sorted by key and text.
#include "lib/sigma/compare.h"

#include <stdlib.h>
#include <string.h>

#include "lib/clean.h"
#include "lib/sigma/policy.h"
#include "lib/sigma/rule.h"

struct side {
	const struct rule **rules;
	size_t n;
};

struct compare {
	struct side before, after;
};

static int by_key(const void *a, const void *b)
{
	const struct rule *x = *(const struct rule *const *)a, *y = *(const struct rule *const *)b;

	return strcmp(x->key, y->key);
}

static int by_text(const void *a, const void *b)
{
	const struct rule *x = *(const struct rule *const *)a, *y = *(const struct rule *const *)b;
	int r = by_key(a, b);

	return r ? r : x->text < y->text ? -1 : x->text > y->text;
}

static int side_fill(struct side *s, const struct policy *p)
{
	size_t n = 0;

	for (const struct rule *r = policy_rules(p); r; r = r->next)
		n++;
	s->rules = calloc(n + 1, sizeof(const struct rule *));
	for (const struct rule *r = policy_rules(p); r && s->rules; r = r->next)
		s->rules[s->n++] = r;
	if (s->n)
		qsort(s->rules, s->n, sizeof(const struct rule *), by_text);
	return s->rules ? 0 : -1;
}

struct compare *compare_new(const struct policy *before, const struct policy *after)
{
	_cleanup_(compare_freep) struct compare *c = calloc(1, sizeof(*c));

	if (!c || side_fill(&c->before, before) < 0 || side_fill(&c->after, after) < 0)
		return NULL;
	return take_ptr(c);
}

struct compare *compare_free(struct compare *c)
{
	if (!c)
		return NULL;
	free(c->before.rules);
	free(c->after.rules);
	free(c);
	return NULL;
}

void compare_freep(struct compare **c)
{
	*c = compare_free(*c);
}

static const struct rule *side_find(const struct side *s, const struct rule *rule,
				    int (*order)(const void *, const void *))
{
	const struct rule **found =
		s->n ? bsearch(&rule, s->rules, s->n, sizeof(const struct rule *), order) : NULL;

	return found ? *found : NULL;
}

const struct rule *compare_same(const struct compare *c, const struct rule *before)
{
	return side_find(&c->after, before, by_text);
}

void compare_count(const struct compare *c, struct compare_count *ret_count)
{
	struct compare_count n = {};

	for (size_t i = 0; i < c->before.n; i++) {
		const struct rule *rule = c->before.rules[i], *same = compare_same(c, rule);

		if (same)
			n.changed += same->observes != rule->observes;
		else if (side_find(&c->after, rule, by_key))
			n.changed++;
		else
			n.removed++;
	}
	for (size_t i = 0; i < c->after.n; i++)
		n.added += !side_find(&c->before, c->after.rules[i], by_key);
	*ret_count = n;
}
