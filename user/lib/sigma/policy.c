// SPDX-License-Identifier: Apache-2.0
// Reads a policy: first every document, then placeholders, then rules, then what refers to rules.
#include "lib/sigma/policy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/clean.h"
#include "lib/doc.h"
#include "lib/sigma/correlation.h"
#include "lib/sigma/fileset.h"
#include "lib/sigma/observe.h"
#include "lib/sigma/placeholders.h"
#include "lib/sigma/program.h"
#include "lib/sigma/rule.h"

#define YAML_DEPTH_MAX 16
#define FILTERS_MAX    64 /* of one rule */
#define CHAIN_MAX      8  /* correlations of correlations */

struct document {
	struct document *next;
	const char *file;
	const struct doc_node *root;
};

struct policy {
	const struct policy_schema *schema;
	struct arena *arena;
	struct diag diag;
	struct document *documents, **documents_end;
	struct placeholders placeholders;
	struct rule *rules, **rules_end;
	struct program *program;
	uint32_t count; /* of rules that can match */
	uint64_t now;
};

struct policy *policy_new(const struct policy_schema *schema, diag_fn fn, void *ctx)
{
	struct policy *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->schema = schema;
	p->diag = (struct diag){.fn = fn, .ctx = ctx};
	p->documents_end = &p->documents;
	p->rules_end = &p->rules;
	p->arena = arena_new(64 * 1024);
	p->program = program_new(schema->sources);
	return p->arena && p->program ? p : policy_free(p);
}

struct policy *policy_free(struct policy *p)
{
	if (!p)
		return NULL;
	program_free(p->program);
	arena_free(p->arena);
	free(p);
	return NULL;
}

void policy_freep(struct policy **p)
{
	*p = policy_free(*p);
}

void policy_now(struct policy *p, uint64_t now)
{
	p->now = now;
}

/* ---- files ---- */

int policy_text(struct policy *p, const char *file, const char *text, size_t size)
{
	struct doc *docs = NULL;
	int r;

	p->diag.file = arena_strdup(p->arena, file);
	if (!p->diag.file)
		return -ENOMEM;
	r = doc_parse(p->arena, text, size,
		      &(struct doc_opts){YAML_DEPTH_MAX, "a Sigma rule needs no more than 6 levels",
					 diag_yaml, &p->diag},
		      &docs);
	if (r)
		return r < 0 ? r : 0;
	for (; docs; docs = docs->next) {
		struct document *d = arena_alloc(p->arena, sizeof(*d));

		if (!d)
			return -ENOMEM;
		*d = (struct document){NULL, p->diag.file, docs->root};
		*p->documents_end = d;
		p->documents_end = &d->next;
	}
	return 0;
}

int policy_files(struct policy *p, const struct fileset *files)
{
	int r = 0;

	for (const struct fileset_file *f = fileset_files(files); f && r == 0; f = f->next)
		r = policy_text(p, f->path, f->text, f->size);
	return r;
}

/* ---- documents ---- */

static int placeholders_take(struct policy *p)
{
	int r = 0;

	for (struct document *d = p->documents; d && r != -ENOMEM; d = d->next) {
		p->diag.file = d->file;
		if (placeholders_are(d->root))
			r = placeholders_read(&p->placeholders, p->arena, &p->diag, d->root);
	}
	return r == -ENOMEM ? r : 0;
}

static const struct rule *rule_find(const struct policy *p, const char *reference)
{
	for (const struct rule *r = p->rules; r; r = r->next)
		if (r->kind != RULE_FILTER && rule_is(r, reference))
			return r;
	return NULL;
}

/* Ids and names are what filters, correlations and findings call a rule. */
static int rule_keep(struct policy *p, struct rule *r)
{
	const struct rule *id = *r->id ? rule_find(p, r->id) : NULL;
	const struct rule *name = *r->name ? rule_find(p, r->name) : NULL;
	const struct rule *same = id ? id : name;

	if (same && r->kind != RULE_FILTER)
		return diag_mistake(&p->diag, doc_get(r->at, id ? "id" : "name"),
				    "'%.80s' is the %s of '%.80s' in %s", id ? r->id : r->name,
				    id ? "id" : "name", same->title, same->file);
	*p->rules_end = r;
	p->rules_end = &r->next;
	return 0;
}

static int rules_take(struct policy *p)
{
	const struct item_opts opts = {p->arena, &p->diag, &p->placeholders};
	struct rule *rule;
	int r = 0;

	for (struct document *d = p->documents; d && r != -ENOMEM; d = d->next) {
		const char *text = d->root->type == DOC_SCALAR ? doc_text(d->root) : NULL;

		p->diag.file = d->file;
		if (placeholders_are(d->root) || observe_is(d->root) || (text && !*text))
			continue;
		r = rule_parse(&opts, d->root, &rule);
		if (r == 0)
			r = rule_keep(p, rule);
	}
	return r == -ENOMEM ? r : 0;
}

static void observed_mark(struct policy *p)
{
	for (struct document *d = p->documents; d; d = d->next) {
		p->diag.file = d->file;
		if (observe_is(d->root))
			observe_mark(&p->diag, d->root, p->rules);
	}
}

static int references_check(struct policy *p, const struct rule *filter)
{
	for (const struct doc_node *n = filter->rules ? filter->rules->first : NULL; n;
	     n = n->next) {
		const struct rule *rule = doc_text(n) ? rule_find(p, n->text) : NULL;

		if (!rule)
			return diag_mistake(&p->diag, n, "no rule has the id or name '%.80s'",
					    n->type == DOC_SCALAR ? n->text : "");
		if (rule->correlation)
			return diag_mistake(&p->diag, n,
					    "'%.80s' is a correlation: a filter hides events, name "
					    "the rules that it counts",
					    n->text);
	}
	return 0;
}

static void field_check(struct policy *p, const struct rule *r, const struct doc_node *at,
			const char *name)
{
	const char *near = NULL;

	if (*name && !p->schema->field((uint32_t)r->events, name, &near))
		diag_note(&p->diag, at, "no event of this log source has the field '%.60s'%s%s%s",
			  name, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

/* Fields that no event of the source has are told: the rule cannot see them. */
static void fields_check(struct policy *p, const struct rule *r)
{
	for (size_t i = 0; i < r->n_items; i++) {
		const struct item *item = &r->items[i];
		const struct item_value *v = item->kind == ITEM_FIELD ? item->values : NULL;

		field_check(p, r, item->at, item->field);
		for (; v; v = v->next)
			for (size_t k = 0; k < v->n_texts; k++)
				field_check(p, r, v->at, v->texts[k].s);
	}
}

/* Of detections and filters. */
static void sources_find(struct policy *p)
{
	for (struct rule *r = p->rules; r; r = r->next) {
		const struct rule_source *s = &r->source;

		if (r->kind == RULE_CORRELATION)
			continue;
		p->diag.file = r->file;
		r->events = p->schema->source(s);
		if (r->events >= 0)
			fields_check(p, r);
		else
			diag_mistake(&p->diag, s->at,
				     "no event of this sensor is of category '%.40s', product "
				     "'%.40s', service '%.40s'",
				     s->category, s->product, s->service);
	}
}

/* A rule with the filters that name it. */
static int detection_add(struct policy *p, struct rule *rule)
{
	const struct rule *filters[FILTERS_MAX];
	size_t n = 0;

	if (rule->events < 0)
		return 0;
	for (const struct rule *f = p->rules; f; f = f->next) {
		if (f->kind != RULE_FILTER || f->expired || !rule_filters(f, rule))
			continue;
		if (n == FILTERS_MAX)
			return diag_mistake(&p->diag, rule->at, "more than %d filters name it",
					    FILTERS_MAX);
		filters[n++] = f;
	}
	rule->number = p->program->n_rules;
	return program_add(p->program, &p->diag, rule, (uint32_t)rule->events, filters, n);
}

/* ---- what refers to rules ---- */

/* Correlations may count correlations, but none itself: that would have no depth. */
static void depths_check(struct policy *p)
{
	for (unsigned round = 0; round <= CHAIN_MAX + 1; round++)
		for (struct rule *r = p->rules; r; r = r->next)
			for (unsigned i = 0; r->correlation && i < r->correlation->n_targets; i++)
				if (r->depth <= r->correlation->targets[i]->depth)
					r->depth = r->correlation->targets[i]->depth + 1;
	for (const struct rule *r = p->rules; r; r = r->next) {
		p->diag.file = r->file;
		if (r->depth > CHAIN_MAX)
			diag_mistake(&p->diag, r->correlation->rules,
				     "correlations count themselves, or are more than %d deep",
				     CHAIN_MAX);
	}
}

/* A correlation by a field that the events of its rules have not would never hold. */
static void groups_check(struct policy *p, const struct correlation *c)
{
	for (unsigned i = 0; i < c->n_targets; i++) {
		const struct rule *target = c->targets[i];
		int source = target->correlation ? -1 : target->events;

		for (unsigned k = 0; source >= 0 && k < c->n_groups + c->n_values; k++) {
			uint32_t field = k < c->n_groups ? c->group_fields[i][k]
							 : c->value_fields[k - c->n_groups];
			const char *name = p->program->fields[field].name, *near = NULL;

			if (!p->schema->field((uint32_t)source, name, &near))
				diag_note(&p->diag, c->at,
					  "no event of rule '%.60s' has the field '%.60s'%s%s%s",
					  target->title, name, near ? "; did you mean '" : "",
					  near ? near : "", near ? "'?" : "");
		}
	}
}

/* A rule that is counted speaks for itself only where a correlation says `generate`. */
static void counted_mark(struct policy *p)
{
	for (struct rule *rule = p->rules; rule; rule = rule->next) {
		bool speaks = false;

		for (const struct rule *r = p->rules; r; r = r->next)
			for (unsigned i = 0; r->correlation && i < r->correlation->n_targets; i++) {
				if (r->correlation->targets[i] != rule)
					continue;
				rule->counted = true;
				speaks |= r->correlation->generate;
			}
		rule->silent = rule->counted && !speaks;
	}
}

static int correlations_link(struct policy *p)
{
	int r = 0;

	p->count = p->program->n_rules;
	for (struct rule *rule = p->rules; rule && r != -ENOMEM; rule = rule->next) {
		p->diag.file = rule->file;
		if (!rule->correlation)
			continue;
		r = correlation_link(rule->correlation, &p->diag, p->program, p->rules);
		if (r == 0)
			groups_check(p, rule->correlation);
		rule->number = p->count++;
	}
	depths_check(p);
	counted_mark(p);
	return r == -ENOMEM ? r : 0;
}

/* Filters that name what is not there must not be compiled into anything. */
static int filters_check(struct policy *p)
{
	unsigned before = p->diag.mistakes;

	for (struct rule *rule = p->rules; rule; rule = rule->next) {
		p->diag.file = rule->file;
		if (rule->kind != RULE_FILTER)
			continue;
		references_check(p, rule);
		rule->expired = rule->expiry && rule->expiry <= p->now;
		if (rule->expired)
			diag_warning(&p->diag, doc_get(rule->at, "expiry"),
				     "the exception '%.80s' of '%.80s' expired on %.40s: it hides "
				     "nothing",
				     rule->title, rule->owner, rule->until);
	}
	return p->diag.mistakes > before ? -EINVAL : 0;
}

static int rules_compile(struct policy *p)
{
	int r = 0;

	sources_find(p);
	if (filters_check(p) < 0)
		return 0;
	for (struct rule *rule = p->rules; rule && r != -ENOMEM; rule = rule->next) {
		p->diag.file = rule->file;
		if (rule->kind == RULE_DETECTION)
			r = detection_add(p, rule);
	}
	return r == -ENOMEM ? r : correlations_link(p);
}

int policy_finish(struct policy *p)
{
	int r = placeholders_take(p);

	if (r == 0)
		r = rules_take(p);
	if (r == 0)
		observed_mark(p);
	if (r == 0)
		r = rules_compile(p);
	if (r == 0)
		r = program_finish(p->program);
	if (r < 0)
		return r;
	return p->diag.mistakes ? -EBADMSG : 0;
}

const struct program *policy_program(const struct policy *p)
{
	return p->program;
}

const struct rule *policy_rules(const struct policy *p)
{
	return p->rules;
}

uint32_t policy_count(const struct policy *p)
{
	return p->count;
}

unsigned policy_mistakes(const struct policy *p)
{
	return p->diag.mistakes;
}

unsigned policy_notes(const struct policy *p)
{
	return p->diag.notes;
}

unsigned policy_warnings(const struct policy *p)
{
	return p->diag.warnings;
}
