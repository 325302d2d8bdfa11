// SPDX-License-Identifier: Apache-2.0
// Lists of rules.
#include "lib/sigma/listing.h"

#include <errno.h>

#include "lib/arena.h"
#include "lib/doc.h"
#include "lib/sigma/engine.h"
#include "lib/sigma/policy.h"
#include "lib/sigma/rule.h"

static int rule_fill(struct arena *a, const struct rule *rule, const struct engine *e,
		     Rollcall__PolicyRule *m)
{
	static const char *const kinds[] = {
		[RULE_DETECTION] = "detection",
		[RULE_FILTER] = "filter",
		[RULE_CORRELATION] = "correlation",
	};
	struct engine_count n = {.cost = -1};

	rollcall__policy_rule__init(m);
	if (e && rule->kind != RULE_FILTER)
		engine_count(e, rule, &n);
	m->id = arena_strdup(a, rule->key);
	m->title = arena_strdup(a, rule->title);
	m->level = arena_strdup(a, rule->level);
	m->kind = arena_strdup(a, kinds[rule->kind]);
	m->mode = arena_strdup(a, rule->observes ? "observe" : "alert");
	m->file = arena_strdup(a, rule->file);
	m->line = rule->at->line;
	m->hits = n.hits;
	m->last_hit = n.last;
	m->nanoseconds = n.cost;
	return m->id && m->title && m->level && m->kind && m->mode && m->file ? 0 : -ENOMEM;
}

int listing_fill(struct arena *a, const struct policy *p, const struct engine *e,
		 Rollcall__PolicyList *list)
{
	size_t n = 0;
	int r = 0;

	for (const struct rule *rule = policy_rules(p); rule; rule = rule->next)
		n++;
	list->rules = arena_alloc(a, (n + 1) * sizeof(*list->rules));
	if (!list->rules)
		return -ENOMEM;
	for (const struct rule *rule = policy_rules(p); rule && r == 0; rule = rule->next) {
		Rollcall__PolicyRule *m = arena_alloc(a, sizeof(*m));

		r = m ? rule_fill(a, rule, e, m) : -ENOMEM;
		list->rules[list->n_rules++] = m;
	}
	list->event_nanoseconds = e ? engine_cost(e) : -1;
	return r;
}
