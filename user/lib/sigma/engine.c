// SPDX-License-Identifier: Apache-2.0
// Fields, matching and hits, put together.
#include "lib/sigma/engine.h"

#include <stdlib.h>

#include "lib/sigma/fields.h"
#include "lib/sigma/match.h"
#include "lib/sigma/policy.h"
#include "lib/sigma/program.h"

struct engine {
	const struct program *program;
	struct fields *fields;
	struct match *match;
	engine_fn fn;
	void *ctx;
	const Rollcall__Event *ev; /* being looked at */
};

struct engine *engine_free(struct engine *e)
{
	if (!e)
		return NULL;
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
	e->program = policy_program(p);
	e->fn = fn;
	e->ctx = ctx;
	e->fields = fields_new(e->program);
	e->match = match_new(e->program);
	return e->fields && e->match ? e : engine_free(e);
}

static void on_rule(void *ctx, uint32_t rule)
{
	struct engine *e = ctx;

	e->fn(e->ctx, e->ev, &(struct engine_hit){e->program->rules[rule].rule, rule});
}

void engine_event(struct engine *e, const Rollcall__Event *ev)
{
	struct fields_view view;

	fields_view(e->fields, ev, &view);
	e->ev = ev;
	match_event(e->match, &view.match, on_rule, e);
}

uint32_t engine_rules(const struct engine *e)
{
	return e->program->n_rules;
}

uint64_t engine_gave_up(const struct engine *e)
{
	return match_gave_up(e->match);
}
