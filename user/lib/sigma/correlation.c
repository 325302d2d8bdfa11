// SPDX-License-Identifier: Apache-2.0
// Correlation rules: their keys, and the rules and fields they name.
#include "lib/sigma/correlation.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/doc.h"
#include "lib/sigma/diag.h"
#include "lib/sigma/program.h"
#include "lib/sigma/rule.h"

#define SECOND 1000000000ull
#define DAY    86400u

struct read {
	const struct item_opts *o;
	struct correlation *c;
	bool typed;
};

static const char *const types[] = {
	[CORRELATION_EVENT_COUNT] = "event_count",
	[CORRELATION_VALUE_COUNT] = "value_count",
	[CORRELATION_VALUE_SUM] = "value_sum",
	[CORRELATION_VALUE_AVG] = "value_avg",
	[CORRELATION_VALUE_PERCENTILE] = "value_percentile",
	[CORRELATION_TEMPORAL] = "temporal",
	[CORRELATION_TEMPORAL_ORDERED] = "temporal_ordered",
};
static const char *const ops[] = {"gt", "gte", "lt", "lte", "eq", "neq"};
#define LENGTH(a) (sizeof(a) / sizeof((a)[0]))

/* ---- values of keys ---- */

static const char *type_name(const void *ctx, unsigned i)
{
	(void)ctx;
	return i < LENGTH(types) ? types[i] : NULL;
}

static int take_type(struct read *r, const struct doc_node *n)
{
	const char *text = doc_text(n), *near;

	for (unsigned i = 0; text && i < LENGTH(types); i++)
		if (strcmp(text, types[i]) == 0) {
			r->c->type = i;
			r->typed = true;
			return 0;
		}
	near = text ? diag_near(text, type_name, NULL) : NULL;
	return diag_mistake(r->o->diag, n, "type: '%.40s' is no type of correlation%s%s%s",
			    text ? text : "", near ? "; did you mean '" : "", near ? near : "",
			    near ? "'?" : "");
}

static int take_list(struct read *r, const struct doc_node *n, const struct doc_node **ret)
{
	if (n->type != DOC_LIST || !n->len)
		return diag_mistake(r->o->diag, n, "%s: a list is expected here", n->key->text);
	for (const struct doc_node *i = n->first; i; i = i->next)
		if (!doc_text(i))
			return diag_mistake(r->o->diag, i, "%s: a text is expected here",
					    n->key->text);
	*ret = n;
	return 0;
}

static int take_rules(struct read *r, const struct doc_node *n)
{
	return take_list(r, n, &r->c->rules);
}

static int take_groups(struct read *r, const struct doc_node *n)
{
	return take_list(r, n, &r->c->groups);
}

static int take_aliases(struct read *r, const struct doc_node *n)
{
	r->c->aliases = n;
	if (n->type != DOC_MAP)
		return diag_mistake(r->o->diag, n, "aliases: names and maps are expected here");
	for (const struct doc_node *a = n->first; a; a = a->next) {
		if (a->type != DOC_MAP || !a->len)
			return diag_mistake(r->o->diag, a,
					    "aliases: for each rule a field is expected here");
		for (const struct doc_node *f = a->first; f; f = f->next)
			if (!doc_text(f) || !doc_text(f->key))
				return diag_mistake(r->o->diag, f,
						    "aliases: a rule and its field are expected");
	}
	return 0;
}

static int take_timespan(struct read *r, const struct doc_node *n)
{
	static const struct {
		char letter;
		uint32_t seconds;
	} units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', DAY}};
	const char *text = doc_text(n);
	size_t digits = text ? strspn(text, "0123456789") : 0;

	for (unsigned i = 0; digits && digits < 7 && i < LENGTH(units); i++) {
		uint64_t seconds = strtoull(text, NULL, 10) * units[i].seconds;

		if (text[digits] == units[i].letter && !text[digits + 1] && seconds &&
		    seconds <= 366 * DAY) {
			r->c->span = seconds * SECOND;
			return 0;
		}
	}
	return diag_mistake(r->o->diag, n,
			    "timespan: write a number and s, m, h or d, for example 10m; at most a "
			    "year");
}

static int take_generate(struct read *r, const struct doc_node *n)
{
	const char *text = doc_text(n);

	if (!text || (strcasecmp(text, "true") != 0 && strcasecmp(text, "false") != 0))
		return diag_mistake(r->o->diag, n, "generate: write true or false");
	r->c->generate = strcasecmp(text, "true") == 0;
	return 0;
}

static int bound_take(struct read *r, const struct doc_node *n)
{
	const char *key = doc_text(n->key), *text = doc_text(n);
	struct correlation *c = r->c;
	char *end;

	for (unsigned i = 0; key && i < LENGTH(ops); i++) {
		if (strcmp(key, ops[i]) != 0)
			continue;
		if (c->n_bounds == LENGTH(c->bounds))
			return diag_mistake(r->o->diag, n->key,
					    "condition: at most two comparisons");
		c->bounds[c->n_bounds].op = i;
		c->bounds[c->n_bounds].n = text ? strtod(text, &end) : 0;
		if (!text || !*text || *end || text[strspn(text, "0123456789.+-eE")])
			return diag_mistake(r->o->diag, n, "%s: a number is expected here", key);
		c->n_bounds++;
		return 0;
	}
	return diag_mistake(r->o->diag, n->key,
			    "condition: '%.40s' is none of field, gt, gte, lt, lte, eq, neq",
			    key ? key : "");
}

static int take_condition(struct read *r, const struct doc_node *n)
{
	int e = 0;

	if (n->type != DOC_MAP || !n->len)
		return diag_mistake(r->o->diag, n,
				    "condition: a comparison is expected, for example gte: 10");
	for (const struct doc_node *i = n->first; i && e == 0; i = i->next) {
		if (i->key->type != DOC_SCALAR || strcmp(i->key->text, "field") != 0)
			e = bound_take(r, i);
		else if (i->type == DOC_LIST)
			e = take_list(r, i, &r->c->values);
		else if (!doc_text(i))
			e = diag_mistake(r->o->diag, i, "field: a field is expected here");
		else
			r->c->values = i;
	}
	return e;
}

static const struct {
	const char *name;
	int (*take)(struct read *r, const struct doc_node *n);
} keys[] = {
	{"type", take_type},	       {"rules", take_rules},	    {"group-by", take_groups},
	{"aliases", take_aliases},     {"timespan", take_timespan}, {"generate", take_generate},
	{"condition", take_condition},
};

static const char *key_name(const void *ctx, unsigned i)
{
	(void)ctx;
	return i < LENGTH(keys) ? keys[i].name : NULL;
}

static int key_take(struct read *r, const struct doc_node *n)
{
	const char *name = doc_text(n->key), *near;

	for (unsigned i = 0; name && i < LENGTH(keys); i++)
		if (strcmp(keys[i].name, name) == 0)
			return keys[i].take(r, n);
	near = name ? diag_near(name, key_name, NULL) : NULL;
	return diag_mistake(r->o->diag, n->key, "unknown key '%.80s' of a correlation%s%s%s",
			    name ? name : "", near ? "; did you mean '" : "", near ? near : "",
			    near ? "'?" : "");
}

/* ---- what belongs together ---- */

static bool only_grows(const struct correlation *c)
{
	for (unsigned i = 0; i < c->n_bounds; i++)
		if (c->bounds[i].op != CORRELATION_GT && c->bounds[i].op != CORRELATION_GTE)
			return false;
	return c->type != CORRELATION_VALUE_AVG;
}

/* Numbers of which one meets the condition, if any does; whole ones of what is counted. */
static unsigned candidates(const struct correlation *c, bool counts, double *out)
{
	unsigned n = 0;

	out[n++] = 1;
	out[n++] = (c->bounds[0].n + c->bounds[c->n_bounds - 1].n) / 2;
	for (unsigned i = 0; i < c->n_bounds; i++)
		for (int k = -1; k <= 1; k++)
			out[n++] = c->bounds[i].n + k;
	for (unsigned i = 0; counts && i < n; i++)
		out[i] = fabs(out[i]) < 1e15 ? (double)(int64_t)out[i] : out[i];
	return n;
}

/*
 * A condition that nothing meets would be silent for ever. There is no group of no events: it is
 * an event that begins one.
 */
static int bounds_check(const struct read *r)
{
	const struct correlation *c = r->c;
	bool temporal = c->type >= CORRELATION_TEMPORAL;
	bool counts = temporal || c->type <= CORRELATION_VALUE_COUNT;
	bool percent = c->type == CORRELATION_VALUE_PERCENTILE;
	double low = counts ? 1 : percent ? 0 : -INFINITY;
	double high = temporal ? (double)c->rules->len : percent ? 100 : INFINITY;
	double some[8];
	unsigned n = c->n_bounds ? candidates(c, counts, some) : 0;

	for (unsigned i = 0; i < n; i++)
		if (some[i] >= low && some[i] <= high && correlation_holds(c, some[i]))
			return 0;
	return n ? diag_mistake(r->o->diag, c->at, "%s: no number%s meets the condition",
				types[c->type], counts ? " of events" : "")
		 : 0;
}

static int finish(struct read *r)
{
	struct correlation *c = r->c;
	struct diag *d = r->o->diag;
	bool temporal = c->type >= CORRELATION_TEMPORAL;
	bool valued = c->type >= CORRELATION_VALUE_COUNT && !temporal;

	if (!r->typed || !c->rules || !c->span)
		return diag_mistake(d, c->at, "correlation: '%s' is missing",
				    !r->typed	? "type"
				    : !c->rules ? "rules"
						: "timespan");
	if (!temporal && !c->n_bounds)
		return diag_mistake(d, c->at, "%s: a condition is missing", types[c->type]);
	if (valued != (c->values != NULL))
		return diag_mistake(d, c->values ? c->values : c->at, "%s: %s", types[c->type],
				    valued ? "the condition's field is missing"
					   : "its condition has no field");
	if (c->type != CORRELATION_VALUE_COUNT && c->values && c->values->type == DOC_LIST)
		return diag_mistake(d, c->values, "%s: one field is expected here", types[c->type]);
	if (c->type == CORRELATION_TEMPORAL_ORDERED && c->n_bounds)
		return diag_mistake(d, c->at,
				    "temporal_ordered: all its rules must match, in "
				    "their order; a condition is not for it");
	for (unsigned i = 0; i < c->n_bounds; i++)
		if (c->type == CORRELATION_VALUE_COUNT && c->bounds[i].n > CORRELATION_DISTINCT_MAX)
			return diag_mistake(d, c->at, "value_count: at most %d values are counted",
					    CORRELATION_DISTINCT_MAX);
	if (bounds_check(r) < 0)
		return -EINVAL;
	if (temporal && !c->n_bounds)
		c->bounds[c->n_bounds++] =
			(struct correlation_bound){CORRELATION_GTE, (double)c->rules->len};
	c->sums_rows =
		c->type == CORRELATION_VALUE_SUM &&
		(strcmp(c->values->text, "Rows") == 0 || strcmp(c->values->text, "db.rows") == 0 ||
		 strcmp(c->values->text, "db.response.returned_rows") == 0);
	c->closes = c->type != CORRELATION_VALUE_PERCENTILE && !only_grows(c);
	return 0;
}

int correlation_parse(const struct item_opts *o, const struct doc_node *n,
		      struct correlation **ret_correlation)
{
	struct correlation *c = arena_alloc(o->arena, sizeof(*c));
	struct read r = {o, c, false};
	int e = 0;

	if (!c)
		return -ENOMEM;
	c->at = n;
	if (n->type != DOC_MAP)
		return diag_mistake(o->diag, n, "type, rules and timespan are expected here");
	for (const struct doc_node *i = n->first; i && e == 0; i = i->next)
		e = key_take(&r, i);
	if (e == 0)
		e = finish(&r);
	if (e == 0)
		*ret_correlation = c;
	return e;
}

/* ---- links ---- */

static int targets_link(struct correlation *c, struct diag *d, const struct rule *rules)
{
	for (const struct doc_node *n = c->rules->first; n; n = n->next) {
		const struct rule *rule = rules;

		while (rule && (rule->kind == RULE_FILTER || !rule_is(rule, n->text)))
			rule = rule->next;
		if (!rule)
			return diag_mistake(d, n, "no rule has the id or name '%.80s'", n->text);
		for (unsigned i = 0; i < c->n_targets; i++)
			if (c->targets[i] == rule)
				return diag_mistake(d, n, "'%.80s' was given before", n->text);
		if (rule->correlation && rule->correlation->closes)
			return diag_mistake(
				d, n,
				"'%.80s' is decided when its timespan is over and cannot "
				"be part of another correlation",
				n->text);
		if (c->n_targets == CORRELATION_RULES_MAX)
			return diag_mistake(d, n, "more than %d rules", CORRELATION_RULES_MAX);
		c->targets[c->n_targets++] = rule;
	}
	return 0;
}

/* What a group-by calls a field, in the events of one rule. */
static const char *alias_of(const struct correlation *c, const struct doc_node *group,
			    const struct rule *rule)
{
	const struct doc_node *alias = c->aliases ? doc_get(c->aliases, group->text) : NULL;

	for (const struct doc_node *f = alias ? alias->first : NULL; f; f = f->next)
		if (rule_is(rule, f->key->text))
			return f->text;
	return alias ? NULL : group->text;
}

static int group_link(struct correlation *c, struct diag *d, struct program *p,
		      const struct doc_node *group)
{
	unsigned k = c->n_groups;

	if (k == CORRELATION_GROUPS_MAX)
		return diag_mistake(d, group, "group-by: at most %d fields",
				    CORRELATION_GROUPS_MAX);
	c->group_names[c->n_groups++] = group->text;
	for (unsigned i = 0; i < c->n_targets; i++) {
		const char *field = alias_of(c, group, c->targets[i]);

		if (!field)
			return diag_mistake(d, group,
					    "alias '%.60s' says no field for rule '%.60s'",
					    group->text, c->targets[i]->title);
		if (program_field(p, field, &c->group_fields[i][k]) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* An alias that nothing uses, or of a rule that is not counted, is a slip. */
static int aliases_check(const struct correlation *c, struct diag *d)
{
	for (const struct doc_node *a = c->aliases ? c->aliases->first : NULL; a; a = a->next) {
		bool used = false;

		for (unsigned i = 0; i < c->n_groups; i++)
			used |= strcmp(c->group_names[i], a->key->text) == 0;
		if (!used)
			return diag_mistake(d, a->key, "alias '%.60s' is not in group-by",
					    a->key->text);
		for (const struct doc_node *f = a->first; f; f = f->next) {
			unsigned i = 0;

			while (i < c->n_targets && !rule_is(c->targets[i], f->key->text))
				i++;
			if (i == c->n_targets)
				return diag_mistake(d, f->key, "'%.60s' is none of the rules",
						    f->key->text);
		}
	}
	return 0;
}

int correlation_link(struct correlation *c, struct diag *d, struct program *p,
		     const struct rule *rules)
{
	const struct doc_node *v =
		c->values && c->values->type == DOC_LIST ? c->values->first : c->values;
	int e = targets_link(c, d, rules);

	for (const struct doc_node *g = c->groups ? c->groups->first : NULL; g && e == 0;
	     g = g->next)
		e = group_link(c, d, p, g);
	if (e == 0)
		e = aliases_check(c, d);
	for (; v && e == 0; v = c->values->type == DOC_LIST ? v->next : NULL) {
		if (c->n_values == CORRELATION_GROUPS_MAX)
			return diag_mistake(d, v, "field: at most %d fields",
					    CORRELATION_GROUPS_MAX);
		e = program_field(p, v->text, &c->value_fields[c->n_values++]);
	}
	return e;
}

bool correlation_holds(const struct correlation *c, double value)
{
	for (unsigned i = 0; i < c->n_bounds; i++) {
		double n = c->bounds[i].n;
		const bool holds[] = {value > n,  value >= n, value < n,
				      value <= n, value == n, value != n};

		if (!holds[c->bounds[i].op])
			return false;
	}
	return true;
}
