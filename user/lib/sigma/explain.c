// SPDX-License-Identifier: Apache-2.0
// Each line of a search, and each of its values, is compiled as a rule of its own, so that what is
// told is what the engine does and not a second opinion.
#include "lib/sigma/explain.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/clean.h"
#include "lib/doc.h"
#include "lib/event.h"
#include "lib/sigma/correlation.h"
#include "lib/sigma/fields.h"
#include "lib/sigma/match.h"
#include "lib/sigma/policy.h"
#include "lib/sigma/program.h"
#include "lib/sigma/rule.h"

#define VALUES_SHOWN 32 /* of the event, a field */
#define ASKED_SHOWN  64 /* of the rule, a line */

/* A rule or filter, and where its tests are in the program. */
struct subject {
	struct subject *next;
	const struct rule *rule;
	bool source;	  /* the event is of its log source */
	uint32_t *items;  /* test of each item */
	uint32_t *values; /* first test of each item's values; UINT32_MAX: it has none */
};

struct explain {
	struct arena *arena;
	struct program *program;
	struct diag diag;
	struct subject *first, **end;
	struct fields *fields;
	struct match *match;
	struct fields_view view;
	bool *held; /* tests */
};

static void explain_fini(struct explain *x)
{
	match_free(x->match);
	fields_free(x->fields);
	program_free(x->program);
}

static char *borrow(const char *s)
{
	return (char *)(uintptr_t)s;
}

/* The policy has compiled the rule before: there are no mistakes to tell. */
static void no_mistake(void *ctx, const struct diag_text *t)
{
	(void)ctx;
	(void)t;
}

/* ---- tests ---- */

static int test_add(struct explain *x, const struct item *item, uint32_t *ret_test)
{
	struct rule *rule = arena_alloc(x->arena, sizeof(*rule));

	if (!rule)
		return -ENOMEM;
	rule->file = "";
	rule->at = item->at;
	rule->items = arena_copy(x->arena, item, sizeof(*item));
	rule->n_items = 1;
	rule->expr = expr_leaf(x->arena, 0);
	*ret_test = x->program->n_rules;
	return rule->items && rule->expr ? program_add(x->program, &x->diag, rule, 0, NULL, 0)
					 : -ENOMEM;
}

/* What each value alone would say. */
static int values_add(struct explain *x, const struct item *item, uint32_t *ret_first)
{
	uint32_t test;
	int r = 0;

	*ret_first = UINT32_MAX;
	if (item->kind == ITEM_NULL || item->kind == ITEM_EXISTS)
		return 0;
	*ret_first = x->program->n_rules;
	for (const struct item_value *v = item->values; v && r == 0; v = v->next) {
		struct item one = *item;
		struct item_value *value = arena_copy(x->arena, v, sizeof(*v));

		if (!value)
			return -ENOMEM;
		value->next = NULL;
		one.values = value;
		one.n_values = 1;
		one.all = one.neq = false;
		r = test_add(x, &one, &test);
	}
	return r;
}

static int subject_add(struct explain *x, const struct rule *rule, bool source)
{
	struct subject *s = arena_alloc(x->arena, sizeof(*s));
	int r = 0;

	if (!s)
		return -ENOMEM;
	s->rule = rule;
	s->source = source;
	s->items = arena_alloc(x->arena, (rule->n_items + 1) * sizeof(*s->items));
	s->values = arena_alloc(x->arena, (rule->n_items + 1) * sizeof(*s->values));
	if (!s->items || !s->values)
		return -ENOMEM;
	*x->end = s;
	x->end = &s->next;
	for (size_t i = 0; i < rule->n_items && r == 0; i++) {
		r = test_add(x, &rule->items[i], &s->items[i]);
		if (r == 0)
			r = values_add(x, &rule->items[i], &s->values[i]);
	}
	return r;
}

static const struct subject *subject_of(const struct explain *x, const struct rule *rule)
{
	const struct subject *s = x->first;

	while (s && s->rule != rule)
		s = s->next;
	return s;
}

static bool holds(const struct explain *x, const struct subject *s, const struct expr *e)
{
	if (e->op == EXPR_LEAF)
		return x->held[s->items[e->leaf]];
	if (e->op == EXPR_NOT)
		return !holds(x, s, e->kids[0]);
	for (uint32_t i = 0; i < e->n; i++)
		if (holds(x, s, e->kids[i]) == (e->op == EXPR_OR))
			return e->op == EXPR_OR;
	return e->op == EXPR_AND;
}

static bool hides(const struct explain *x, const struct subject *filter)
{
	return !filter->rule->expired && holds(x, filter, filter->rule->expr);
}

static void on_rule(void *ctx, uint32_t number)
{
	((struct explain *)ctx)->held[number] = true;
}

static int tests_run(struct explain *x, const Rollcall__Event *ev)
{
	int r = program_finish(x->program);

	if (r < 0)
		return r;
	x->fields = fields_new(x->program);
	x->match = match_new(x->program);
	x->held = arena_alloc(x->arena, x->program->n_rules + 1);
	if (!x->fields || !x->match || !x->held)
		return -ENOMEM;
	fields_view(x->fields, ev, &x->view);
	match_event(x->match, &x->view.match, on_rule, x);
	return 0;
}

/* ---- items ---- */

static char *value_text(struct arena *a, const struct match_value *v)
{
	if (v->text)
		return arena_strndup(a, v->text, v->len);
	if (v->number == (double)(int64_t)v->number)
		return arena_printf(a, "%lld", (long long)v->number);
	return arena_printf(a, "%.9g", v->number);
}

static int text_add(char ***list, size_t *n, char *text)
{
	if (!text)
		return -ENOMEM;
	(*list)[(*n)++] = text;
	return 0;
}

/* What the event carries; a field that its kind has is null when it is empty. */
static int state_fill(struct explain *x, const struct item *item, Rollcall__WhyItem *m)
{
	struct match_values values = {};
	const char *near;
	uint32_t field;
	int r = program_field(x->program, item->field, &field);

	m->values = arena_alloc(x->arena, VALUES_SHOWN * sizeof(*m->values));
	if (r < 0 || !m->values)
		return -ENOMEM;
	if (!*item->field) {
		m->state = borrow("any field");
		return 0;
	}
	x->view.match.get(x->view.match.ctx, x->arena, field, &values);
	for (size_t i = 0; i < values.n && i < VALUES_SHOWN && r == 0; i++)
		r = text_add(&m->values, &m->n_values, value_text(x->arena, &values.v[i]));
	m->state = borrow(values.n ? "value"
			  : fields_schema.field(x->view.match.sources[0], item->field, &near)
				  ? "null"
				  : "missing");
	return r;
}

static int asked_add(Rollcall__WhyItem *m, char *text, bool met)
{
	int r = text_add(&m->asked, &m->n_asked, text);

	return r == 0 && met ? text_add(&m->met, &m->n_met, text) : r;
}

/* As the rule has it; what a placeholder stands for is written out. */
static int asked_fill(struct explain *x, const struct subject *s, uint32_t leaf,
		      Rollcall__WhyItem *m)
{
	const struct item *item = &s->rule->items[leaf];
	uint32_t test = s->values[leaf];
	bool held = x->held[s->items[leaf]];
	int r = 0;

	m->asked = arena_alloc(x->arena, ASKED_SHOWN * sizeof(*m->asked));
	m->met = arena_alloc(x->arena, ASKED_SHOWN * sizeof(*m->met));
	if (!m->asked || !m->met)
		return -ENOMEM;
	if (item->kind == ITEM_NULL)
		return asked_add(m, borrow("null"), held != item->neq);
	if (item->kind == ITEM_EXISTS)
		return asked_add(m, borrow(item->exists ? "true" : "false"), held);
	for (const struct item_value *v = item->values; v && r == 0 && m->n_asked < ASKED_SHOWN;
	     v = v->next, test++) {
		char *text = item->expanded || !v->at->text
				     ? arena_strndup(x->arena, v->texts->s, v->texts->len)
				     : borrow(v->at->text);

		r = asked_add(m, text, x->held[test]);
	}
	return r;
}

static int item_fill(struct explain *x, const struct subject *s, uint32_t leaf,
		     Rollcall__WhyItem **ret)
{
	const struct item *item = &s->rule->items[leaf];
	Rollcall__WhyItem *m = arena_alloc(x->arena, sizeof(*m));
	int r;

	if (!m)
		return -ENOMEM;
	rollcall__why_item__init(m);
	m->field = borrow(*item->field ? item->at->text : "(keywords)");
	m->matched = x->held[s->items[leaf]];
	r = state_fill(x, item, m);
	if (r == 0)
		r = asked_fill(x, s, leaf, m);
	*ret = m;
	return r;
}

static uint32_t leaves(const struct expr *e)
{
	uint32_t n = e->op == EXPR_LEAF;

	for (uint32_t i = 0; e->op != EXPR_LEAF && i < e->n; i++)
		n += leaves(e->kids[i]);
	return n;
}

static int items_fill(struct explain *x, const struct subject *s, const struct expr *e,
		      Rollcall__WhySearch *m)
{
	int r = 0;

	if (e->op == EXPR_LEAF)
		return item_fill(x, s, e->leaf, &m->items[m->n_items++]);
	for (uint32_t i = 0; i < e->n && r == 0; i++)
		r = items_fill(x, s, e->kids[i], m);
	return r;
}

/* ---- rules ---- */

static int searches_fill(struct explain *x, const struct subject *s, Rollcall__WhyRule *m)
{
	const struct rule *rule = s->rule;
	int r = 0;

	m->searches = arena_alloc(x->arena, (rule->n_searches + 1) * sizeof(*m->searches));
	for (size_t i = 0; i < rule->n_searches && m->searches && r == 0; i++) {
		const struct expr *e = rule->searches[i].expr;
		Rollcall__WhySearch *search = arena_alloc(x->arena, sizeof(*search));

		if (!search)
			return -ENOMEM;
		rollcall__why_search__init(search);
		search->name = borrow(rule->searches[i].name);
		search->matched = holds(x, s, e);
		search->items = arena_alloc(x->arena, (leaves(e) + 1) * sizeof(*search->items));
		r = search->items ? items_fill(x, s, e, search) : -ENOMEM;
		m->searches[m->n_searches++] = search;
	}
	return m->searches ? r : -ENOMEM;
}

static const char *condition_of(const struct rule *rule)
{
	const struct doc_node *body =
		doc_get(rule->at, rule->kind == RULE_FILTER ? "filter" : "detection");
	const struct doc_node *n = body ? doc_get(body, "condition") : NULL;

	if (n && n->type == DOC_LIST)
		return "one of a list";
	return n ? n->text : "";
}

static Rollcall__WhyRule *rule_new(struct explain *x, const struct rule *rule)
{
	Rollcall__WhyRule *m = arena_alloc(x->arena, sizeof(*m));

	if (!m)
		return NULL;
	rollcall__why_rule__init(m);
	m->rule = borrow(rule->key);
	m->title = borrow(rule->title);
	m->level = borrow(rule->level);
	m->condition = borrow(condition_of(rule));
	return m;
}

/* A filter that hides the event is one that matched. */
static int filters_fill(struct explain *x, const struct rule *rule, const struct policy *p,
			Rollcall__WhyRule *m)
{
	size_t n = 0;
	int r = 0;

	for (const struct rule *f = policy_rules(p); f; f = f->next)
		n += f->kind == RULE_FILTER;
	m->filters = arena_alloc(x->arena, (n + 1) * sizeof(*m->filters));
	if (!m->filters)
		return -ENOMEM;
	for (const struct subject *s = x->first; s && r == 0; s = s->next) {
		Rollcall__WhyRule *f;

		if (s->rule->kind != RULE_FILTER || !rule_filters(s->rule, rule))
			continue;
		f = rule_new(x, s->rule);
		if (!f)
			return -ENOMEM;
		f->level = borrow("");
		f->source = true;
		f->matched = hides(x, s);
		f->verdict = borrow(s->rule->expired ? "expired: hides nothing"
				    : f->matched     ? "hides the event"
						     : "does not hide the event");
		r = searches_fill(x, s, f);
		m->filters[m->n_filters++] = f;
	}
	return r;
}

static const char *verdict(const struct rule *rule, const Rollcall__WhyRule *m)
{
	if (!m->source)
		return "the event is not of its log source";
	if (!m->matched)
		return "does not match";
	for (size_t i = 0; i < m->n_filters; i++)
		if (m->filters[i]->matched)
			return "matches, but an exception hides it";
	return rule->silent ? "matches; only counted, by a correlation" : "matches";
}

static int detection_fill(struct explain *x, const struct subject *s, const struct policy *p,
			  Rollcall__WhyReport *report)
{
	Rollcall__WhyRule *m = rule_new(x, s->rule);
	int r;

	if (!m)
		return -ENOMEM;
	m->source = s->source;
	m->matched = holds(x, s, s->rule->expr);
	r = searches_fill(x, s, m);
	if (r == 0)
		r = filters_fill(x, s->rule, p, m);
	m->verdict = borrow(verdict(s->rule, m));
	report->rules[report->n_rules++] = m;
	return r;
}

/* Which of the rules it counts match, and the group that the event is of. */
static int correlation_fill(struct explain *x, const struct rule *rule, Rollcall__WhyReport *report)
{
	const struct correlation *c = rule->correlation;
	Rollcall__WhyRule *m = rule_new(x, rule);
	bool any = false;

	if (!m)
		return -ENOMEM;
	m->searches = arena_alloc(x->arena, CORRELATION_RULES_MAX * sizeof(*m->searches));
	for (unsigned i = 0; m->searches && i < c->n_targets; i++) {
		const struct subject *s = subject_of(x, c->targets[i]);
		Rollcall__WhySearch *search = arena_alloc(x->arena, sizeof(*search));

		if (!search)
			return -ENOMEM;
		rollcall__why_search__init(search);
		search->name = borrow(c->targets[i]->title);
		search->matched = s && s->source && holds(x, s, s->rule->expr);
		any |= search->matched;
		m->searches[m->n_searches++] = search;
	}
	m->source = any;
	m->verdict = borrow(any ? "counts this event: what it says depends on others, too"
				: "does not count this event");
	report->rules[report->n_rules++] = m;
	return m->searches ? 0 : -ENOMEM;
}

/* ---- the policy ---- */

static bool counts(const struct rule *correlation, const struct rule *rule)
{
	for (unsigned i = 0; i < correlation->correlation->n_targets; i++)
		if (correlation->correlation->targets[i] == rule)
			return true;
	return false;
}

/* Is the rule told of? `only` is NULL, or the one rule that was asked for. */
static bool chosen(const struct rule *rule, const struct rule *only, bool source)
{
	if (!only)
		return source;
	return rule == only || (only->correlation && counts(only, rule)) ||
	       (rule->kind == RULE_FILTER && only->kind == RULE_DETECTION &&
		rule_filters(rule, only));
}

static bool source_is(const struct fields_view *view, const struct rule *rule)
{
	int source = fields_schema.source(&rule->source);

	return source >= 0 && (!source || (uint32_t)source == view->match.sources[0] ||
			       (uint32_t)source == view->match.sources[1]);
}

static int subjects_add(struct explain *x, const struct policy *p, const Rollcall__Event *ev,
			const struct rule *only)
{
	int r = 0;

	x->fields = fields_new(x->program);
	if (!x->fields)
		return -ENOMEM;
	fields_view(x->fields, ev, &x->view);
	x->fields = fields_free(x->fields);
	for (const struct rule *rule = policy_rules(p); rule && r == 0; rule = rule->next) {
		bool source = rule->kind == RULE_FILTER ||
			      (rule->kind == RULE_DETECTION && source_is(&x->view, rule));

		if (rule->kind != RULE_CORRELATION && chosen(rule, only, source))
			r = subject_add(x, rule, source);
	}
	return r;
}

static int rules_fill(struct explain *x, const struct policy *p, const struct rule *only,
		      Rollcall__WhyReport *report)
{
	size_t n = 0;
	int r = 0;

	for (const struct rule *rule = policy_rules(p); rule; rule = rule->next)
		n++;
	report->rules = arena_alloc(x->arena, (n + 1) * sizeof(*report->rules));
	if (!report->rules)
		return -ENOMEM;
	for (const struct subject *s = x->first; s && r == 0; s = s->next)
		if (s->rule->kind == RULE_DETECTION)
			r = detection_fill(x, s, p, report);
	for (const struct rule *rule = policy_rules(p); rule && r == 0; rule = rule->next)
		if (rule->correlation && (!only || rule == only))
			r = correlation_fill(x, rule, report);
	return r;
}

int explain_event(struct arena *a, const struct policy *p, const Rollcall__Event *ev,
		  const char *only, Rollcall__WhyReport **ret_report)
{
	_cleanup_(explain_fini) struct explain x = {
		.arena = a, .program = program_new(fields_schema.sources), .diag.fn = no_mistake};
	Rollcall__WhyReport *report = arena_alloc(a, sizeof(*report));
	const struct rule *one = policy_rules(p);
	int r;

	x.end = &x.first;
	while (only && one &&
	       (one->kind == RULE_FILTER || (!rule_is(one, only) && strcmp(one->title, only) != 0)))
		one = one->next;
	if (only && !one)
		return -ENOENT;
	if (!x.program || !report)
		return -ENOMEM;
	rollcall__why_report__init(report);
	report->event = borrow(ev->id);
	report->kind = borrow(event_kind(ev));
	r = subjects_add(&x, p, ev, only ? one : NULL);
	if (r == 0)
		r = tests_run(&x, ev);
	if (r == 0)
		r = rules_fill(&x, p, only ? one : NULL, report);
	if (r == 0)
		*ret_report = report;
	return r;
}
