// SPDX-License-Identifier: Apache-2.0
// Fields, matching, correlations and hits, put together.
#include "lib/sigma/engine.h"

#include <stdlib.h>

#include "lib/sigma/compare.h"
#include "lib/sigma/correlate.h"
#include "lib/sigma/fields.h"
#include "lib/sigma/match.h"
#include "lib/sigma/meter.h"
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
	uint64_t now, realtime;	   /* its times: for spans, and for people */
	struct hits {
		uint64_t n, last;
	} * hits; /* by number of rule */
	struct meter meter;
	unsigned matched; /* rules, by the present event */
	uint64_t gave_up; /* before this policy */
};

static void hit_count(struct engine *e, const struct rule *rule)
{
	struct hits *h = &e->hits[rule->number];

	h->n++;
	h->last = e->realtime;
}

static void on_correlation(void *ctx, const struct correlate_hit *hit)
{
	struct engine *e = ctx;

	hit_count(e, hit->rule);
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
	free(e->hits);
	free(e->meter.spent);
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
	e->hits = calloc(policy_count(p) + 1, sizeof(*e->hits));
	e->meter.spent = calloc(policy_count(p) + 1, sizeof(*e->meter.spent));
	if (!e->fields || !e->match || !e->correlate || !e->hits || !e->meter.spent)
		return engine_free(e);
	match_measure(e->match, &e->meter);
	correlate_measure(e->correlate, &e->meter);
	return e;
}

static void on_rule(void *ctx, uint32_t number)
{
	struct engine *e = ctx;
	const struct rule *rule = e->program->rules[number].rule;

	e->matched++;
	hit_count(e, rule);
	if (!rule->silent)
		e->fn(e->ctx, e->ev, &(struct engine_hit){rule, e->now, NULL});
	correlate_rule(e->correlate, rule, e->match, e->now, e->ev->id);
}

unsigned engine_event(struct engine *e, const Rollcall__Event *ev, uint64_t now)
{
	struct meter *m = &e->meter;
	struct fields_view view;
	uint64_t begun;

	m->on = m->clock && ++m->events % METER_EVERY == 0;
	begun = m->on ? m->clock() : 0;
	e->now = now;
	e->realtime = ev->time;
	engine_time(e, now);
	fields_view(e->fields, ev, &view);
	e->ev = ev;
	e->matched = 0;
	match_event(e->match, &view.match, on_rule, e);
	if (m->on) {
		m->total += m->clock() - begun;
		m->sampled++;
		m->on = false;
	}
	return e->matched;
}

void engine_time(struct engine *e, uint64_t now)
{
	correlate_time(e->correlate, now);
}

void engine_measure(struct engine *e, uint64_t (*clock)(void))
{
	e->meter.clock = clock;
}

void engine_carry(struct engine *e, struct engine *from, const struct compare *same)
{
	for (const struct rule *r = policy_rules(from->policy); r; r = r->next) {
		const struct rule *now = r->kind == RULE_FILTER ? NULL : compare_same(same, r);

		if (now)
			e->hits[now->number] = from->hits[r->number];
	}
	correlate_carry(e->correlate, from->correlate, same);
	e->gave_up = engine_gave_up(from);
}

void engine_count(const struct engine *e, const struct rule *rule, struct engine_count *ret_count)
{
	const struct hits *h = &e->hits[rule->number];
	double cost = e->meter.sampled
			      ? (double)e->meter.spent[rule->number] / (double)e->meter.sampled
			      : -1;

	*ret_count = (struct engine_count){h->n, h->last, cost};
}

double engine_cost(const struct engine *e)
{
	return e->meter.sampled ? (double)e->meter.total / (double)e->meter.sampled : -1;
}

uint32_t engine_rules(const struct engine *e)
{
	return policy_count(e->policy);
}

uint64_t engine_gave_up(const struct engine *e)
{
	return e->gave_up + match_gave_up(e->match);
}

uint64_t engine_dropped(const struct engine *e)
{
	return correlate_dropped(e->correlate);
}
