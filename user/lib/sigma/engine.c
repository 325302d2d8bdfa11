// SPDX-License-Identifier: Apache-2.0
// Fields, matching, correlations and hits, put together.
#include "lib/sigma/engine.h"

#include <stdlib.h>

#include "lib/sigma/correlate.h"
#include "lib/sigma/fields.h"
#include "lib/sigma/match.h"
#include "lib/sigma/policy.h"
#include "lib/sigma/program.h"
#include "lib/sigma/rule.h"

struct engine {
	const struct policy *policy;
	const struct program *program;
	struct fields *fields;
	struct match *match;
	struct correlate *correlate;
	engine_fn fn;
	void *ctx;
	const Rollcall__Event *ev; /* being looked at */
};

static void on_correlation(void *ctx, const struct correlate_hit *hit)
{
	struct engine *e = ctx;

	if (!hit->rule->silent)
		e->fn(e->ctx, hit->closed ? NULL : e->ev,
		      &(struct engine_hit){hit->rule, hit->time, hit});
}

struct engine *engine_free(struct engine *e)
{
	if (!e)
		return NULL;
	correlate_free(e->correlate);
	match_free(e->match);
	fields_free(e->fields);
	free(e);
	return NULL;
}

struct engine *engine_new(const struct policy *p, engine_fn fn, void *ctx)
{
	struct engine *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->policy = p;
	e->program = policy_program(p);
	e->fn = fn;
	e->ctx = ctx;
	e->fields = fields_new(e->program);
	e->match = match_new(e->program);
	e->correlate = correlate_new(p, on_correlation, e);
	return e->fields && e->match && e->correlate ? e : engine_free(e);
}

static void on_rule(void *ctx, uint32_t number)
{
	struct engine *e = ctx;
	const struct rule *rule = e->program->rules[number].rule;

	if (!rule->silent)
		e->fn(e->ctx, e->ev, &(struct engine_hit){rule, e->ev->time, NULL});
	correlate_rule(e->correlate, rule, e->match, e->ev->time, e->ev->id);
}

void engine_event(struct engine *e, const Rollcall__Event *ev)
{
	struct fields_view view;

	engine_time(e, ev->time);
	fields_view(e->fields, ev, &view);
	e->ev = ev;
	match_event(e->match, &view.match, on_rule, e);
}

void engine_time(struct engine *e, uint64_t now)
{
	correlate_time(e->correlate, now);
}

uint32_t engine_rules(const struct engine *e)
{
	return policy_count(e->policy);
}

uint64_t engine_gave_up(const struct engine *e)
{
	return match_gave_up(e->match);
}

uint64_t engine_dropped(const struct engine *e)
{
	return correlate_dropped(e->correlate);
}
