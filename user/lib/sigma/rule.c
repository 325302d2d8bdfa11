// SPDX-License-Identifier: Apache-2.0
// Sigma documents: their keys, log source, searches and condition.
#include "lib/sigma/rule.h"

#include <errno.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/doc.h"
#include "lib/sigma/condition.h"
#include "lib/sigma/correlation.h"
#include "lib/sigma/diag.h"
#include "lib/sigma/logsource.h"
#include "lib/sigma/when.h"

#define TITLE_MAX 256
#define KEYS_MAX  512 /* of one map */

struct read {
	const struct item_opts *o;
	struct rule *rule;
	size_t room; /* in rule->items */
};

struct key {
	const char *name;
	int (*take)(struct read *p, const struct doc_node *n, size_t offset);
	size_t offset;
};

/* ---- values of keys ---- */

static int take_nothing(struct read *p, const struct doc_node *n, size_t offset)
{
	(void)p;
	(void)n;
	(void)offset;
	return 0;
}

static int take_text(struct read *p, const struct doc_node *n, size_t offset)
{
	const char *text = doc_text(n);

	if (!text)
		return diag_mistake(p->o->diag, n, "%s: a text is expected here", n->key->text);
	*(const char **)(void *)((char *)p->rule + offset) = text;
	return 0;
}

static int take_texts(struct read *p, const struct doc_node *n, size_t offset)
{
	struct rule_texts *t = (void *)((char *)p->rule + offset);

	if (n->type != DOC_LIST)
		return diag_mistake(p->o->diag, n, "%s: a list is expected here", n->key->text);
	t->s = arena_alloc(p->o->arena, (n->len + 1) * sizeof(*t->s));
	if (!t->s)
		return -ENOMEM;
	for (const struct doc_node *i = n->first; i; i = i->next) {
		t->s[t->n] = doc_text(i);
		if (!t->s[t->n++])
			return diag_mistake(p->o->diag, i, "%s: a text is expected here",
					    n->key->text);
	}
	return 0;
}

static int one_of(struct read *p, const struct doc_node *n, size_t offset,
		  const char *const *allowed, const char *list)
{
	int r = take_text(p, n, offset);

	for (size_t i = 0; r == 0 && allowed[i]; i++)
		if (strcmp(n->text, allowed[i]) == 0)
			return 0;
	return r < 0 ? r
		     : diag_mistake(p->o->diag, n, "%s: '%.40s' is none of %s", n->key->text,
				    n->text, list);
}

static int take_level(struct read *p, const struct doc_node *n, size_t offset)
{
	static const char *const levels[] = {"informational", "low",	  "medium",
					     "high",	      "critical", NULL};

	return one_of(p, n, offset, levels, "informational, low, medium, high, critical");
}

static int take_status(struct read *p, const struct doc_node *n, size_t offset)
{
	static const char *const all[] = {"stable",	"test",	       "experimental",
					  "deprecated", "unsupported", NULL};

	return one_of(p, n, offset, all, "stable, test, experimental, deprecated, unsupported");
}

static int take_taxonomy(struct read *p, const struct doc_node *n, size_t offset)
{
	static const char *const all[] = {"sigma", "ecs", "rollcall", NULL};

	return one_of(p, n, offset, all, "sigma, ecs, rollcall");
}

static int take_title(struct read *p, const struct doc_node *n, size_t offset)
{
	int r = take_text(p, n, offset);

	if (r == 0 && (!n->len || n->len > TITLE_MAX))
		return diag_mistake(p->o->diag, n, "title: 1 to %d characters", TITLE_MAX);
	return r;
}

static int take_date(struct read *p, const struct doc_node *n, size_t offset)
{
	uint64_t day;

	(void)offset;
	if (n->len != strlen("YYYY-MM-DD") || !doc_text(n) || when_parse(n->text, n->len, &day) < 0)
		return diag_mistake(p->o->diag, n, "%s: write YYYY-MM-DD", n->key->text);
	return 0;
}

/* Sigma 1 had documents that were the begin of all others. */
static int take_action(struct read *p, const struct doc_node *n, size_t offset)
{
	(void)offset;
	return diag_mistake(p->o->diag, n->key, "action is of Sigma 1: write each document whole");
}

/* A date is until its end. */
static int take_expiry(struct read *p, const struct doc_node *n, size_t offset)
{
	int r = take_text(p, n, offset);

	if (r == 0 && when_parse(n->text, n->len, &p->rule->expiry) < 0)
		return diag_mistake(p->o->diag, n, "expiry: write YYYY-MM-DD, or a time in UTC");
	if (r == 0 && n->len == strlen("YYYY-MM-DD"))
		p->rule->expiry += 86400 * 1000000000ull;
	return r;
}

static int take_source(struct read *p, const struct doc_node *n, size_t offset)
{
	(void)offset;
	return logsource_parse(p->o->diag, n, &p->rule->source);
}

/* ---- searches ---- */

static const struct expr *item_take(struct read *p, const struct doc_node *key,
				    const struct doc_node *values, int *ret_error)
{
	const struct expr *e;

	if (p->rule->n_items == p->room) {
		size_t room = p->room ? 2 * p->room : 16;
		struct item *more = arena_alloc(p->o->arena, room * sizeof(*more));

		*ret_error = -ENOMEM;
		if (!more)
			return NULL;
		if (p->room)
			memcpy(more, p->rule->items, p->room * sizeof(*more));
		p->rule->items = more;
		p->room = room;
	}
	*ret_error = item_parse(p->o, key, values, &p->rule->items[p->rule->n_items]);
	if (*ret_error < 0)
		return NULL;
	e = expr_leaf(p->o->arena, (uint32_t)p->rule->n_items++);
	*ret_error = e ? 0 : -ENOMEM;
	return e;
}

/* All of a map's lines. */
static int map_take(struct read *p, const struct doc_node *map, const struct expr **ret)
{
	const struct expr **kids = arena_alloc(p->o->arena, (map->len + 1) * sizeof(*kids));
	size_t n = 0;
	int r = 0;

	if (!kids)
		return -ENOMEM;
	if (!map->len)
		return diag_mistake(p->o->diag, map, "an empty search matches nothing");
	for (const struct doc_node *v = map->first; v && r == 0; v = v->next)
		kids[n++] = item_take(p, v->key, v, &r);
	if (r < 0)
		return r;
	*ret = expr_list(p->o->arena, EXPR_AND, kids, n);
	return *ret ? 0 : -ENOMEM;
}

/* One of a list's maps and keywords. Keywords next to each other are one item. */
static int list_take(struct read *p, const struct doc_node *list, const struct expr **ret)
{
	const struct expr **kids = arena_alloc(p->o->arena, (list->len + 1) * sizeof(*kids));
	bool keywords = true;
	size_t n = 0;
	int r = 0;

	if (!kids)
		return -ENOMEM;
	if (!list->len)
		return diag_mistake(p->o->diag, list, "an empty search matches nothing");
	for (const struct doc_node *i = list->first; i; i = i->next)
		keywords &= i->type == DOC_SCALAR;
	if (keywords) {
		*ret = item_take(p, NULL, list, &r);
		return r;
	}
	for (const struct doc_node *i = list->first; i && r == 0; i = i->next) {
		if (i->type == DOC_MAP)
			r = map_take(p, i, &kids[n++]);
		else if (i->type == DOC_SCALAR)
			kids[n++] = item_take(p, NULL, i, &r);
		else
			r = diag_mistake(p->o->diag, i, "a map of fields is expected here");
	}
	if (r < 0)
		return r;
	*ret = expr_list(p->o->arena, EXPR_OR, kids, n);
	return *ret ? 0 : -ENOMEM;
}

static int search_take(struct read *p, const struct doc_node *n, const struct expr **ret)
{
	int r = 0;

	if (n->type == DOC_MAP)
		return map_take(p, n, ret);
	if (n->type == DOC_LIST)
		return list_take(p, n, ret);
	*ret = item_take(p, NULL, n, &r);
	return r;
}

struct searches {
	struct condition_search names[CONDITION_SEARCHES_MAX];
	const struct expr *exprs[CONDITION_SEARCHES_MAX];
	const struct doc_node *at[CONDITION_SEARCHES_MAX];
	size_t n;
};

static const struct expr *search_expr(void *ctx, uint32_t leaf)
{
	return ((const struct searches *)ctx)->exprs[leaf];
}

/* Every key but those named is a search. */
static int searches_take(struct read *p, const struct doc_node *map, struct searches *s)
{
	int r = 0;

	for (const struct doc_node *n = map->first; n && r == 0; n = n->next) {
		const char *name = doc_text(n->key);

		if (!name)
			return diag_mistake(p->o->diag, n->key,
					    "the name of a search is expected here");
		if (strcmp(name, "condition") == 0 ||
		    (p->rule->kind == RULE_FILTER && strcmp(name, "rules") == 0))
			continue;
		if (strcmp(name, "timeframe") == 0)
			return diag_mistake(p->o->diag, n->key,
					    "timeframe is of Sigma 1: write a correlation rule");
		if (s->n == CONDITION_SEARCHES_MAX)
			return diag_mistake(p->o->diag, n->key, "more than %d searches",
					    CONDITION_SEARCHES_MAX);
		s->names[s->n].name = name;
		s->at[s->n] = n->key;
		r = search_take(p, n, &s->exprs[s->n]);
		s->n++;
	}
	return r;
}

static int searches_keep(struct read *p, const struct searches *s)
{
	struct rule_search *kept = arena_alloc(p->o->arena, (s->n + 1) * sizeof(*kept));

	for (size_t i = 0; kept && i < s->n; i++)
		kept[i] = (struct rule_search){s->names[i].name, s->exprs[i]};
	p->rule->searches = kept;
	p->rule->n_searches = s->n;
	return kept ? 0 : -ENOMEM;
}

static int detection_take(struct read *p, const struct doc_node *n)
{
	const struct doc_node *condition = doc_get(n, "condition");
	struct searches s = {.n = 0};
	const struct expr *e;
	int r;

	if (n->type != DOC_MAP)
		return diag_mistake(p->o->diag, n, "searches and a condition are expected here");
	if (!condition)
		return diag_mistake(p->o->diag, n, "the condition is missing");
	r = searches_take(p, n, &s);
	if (r == 0)
		r = condition_parse(p->o->arena, p->o->diag, condition, s.names, s.n, &e);
	for (size_t i = 0; r == 0 && i < s.n; i++)
		if (!s.names[i].used && s.names[i].name[0] != '_')
			r = diag_mistake(p->o->diag, s.at[i],
					 "search '%.60s' is not used by the condition",
					 s.names[i].name);
	if (r < 0)
		return r;
	p->rule->expr = expr_map(p->o->arena, e, search_expr, &s);
	return p->rule->expr ? searches_keep(p, &s) : -ENOMEM;
}

/* ---- filters ---- */

/* Nothing but negations: what it selects is all the rest. */
static bool is_negative(const struct expr *e)
{
	bool negative = e->op != EXPR_LEAF;

	if (e->op == EXPR_NOT)
		return !is_negative(e->kids[0]);
	for (uint32_t i = 0; i < e->n; i++)
		negative &= is_negative(e->kids[i]);
	return negative;
}

/* The time of the event is one more thing that the filter selects by. */
static int expiry_add(struct read *p, const struct doc_node *at)
{
	static const char key[] = "event.time|lt";
	const struct expr *both[2] = {p->rule->expr, NULL};
	const char *text = arena_printf(p->o->arena, "%llu", (unsigned long long)p->rule->expiry);
	struct doc_node *n = arena_alloc(p->o->arena, 2 * sizeof(*n));
	int r;

	if (!text || !n)
		return -ENOMEM;
	n[0] = (struct doc_node){.text = key, .len = strlen(key), .line = at->line};
	n[1] = (struct doc_node){.text = text, .len = strlen(text), .plain = true, .key = &n[0]};
	n[0].column = n[1].column = at->column;
	n[1].line = at->line;
	both[1] = item_take(p, &n[0], &n[1], &r);
	if (r < 0)
		return r;
	p->rule->expr = expr_list(p->o->arena, EXPR_AND, both, 2);
	return p->rule->expr ? 0 : -ENOMEM;
}

/* A list; one name; or "any": every rule of the filter's log source. */
static int filter_rules_take(struct read *p, const struct doc_node *filter)
{
	const struct doc_node *rules = doc_get(filter, "rules");
	const char *name = rules ? doc_text(rules) : NULL;
	struct doc_node *list, *one;

	if (!rules)
		return diag_mistake(p->o->diag, filter,
				    "filter: 'rules' is missing: a list of ids and names, or any");
	if (name && strcasecmp(name, "any") == 0)
		return 0;
	p->rule->rules = rules;
	if (rules->type == DOC_LIST && rules->len)
		return 0;
	if (!name || !*name)
		return diag_mistake(p->o->diag, rules,
				    "filter: a list of ids and names is expected, or any");
	list = arena_alloc(p->o->arena, sizeof(*list));
	one = arena_alloc(p->o->arena, sizeof(*one));
	if (!list || !one)
		return -ENOMEM;
	*one = *rules;
	one->next = NULL;
	*list = (struct doc_node){.type = DOC_LIST,
				  .line = rules->line,
				  .column = rules->column,
				  .first = one,
				  .len = 1};
	p->rule->rules = list;
	return 0;
}

/*
 * The specification's filter hides what its condition selects; in practice filters are written
 * "not selection" and joined to the rule with "and". Both are taken: what has nothing but negations
 * hides what it does not select.
 */
static int filter_take(struct read *p, const struct doc_node *n)
{
	const struct doc_node *expiry = doc_get(p->rule->at, "expiry");
	int r = detection_take(p, n);

	if (r == 0 && is_negative(p->rule->expr))
		p->rule->expr = expr_not(p->o->arena, p->rule->expr);
	if (r == 0 && !p->rule->expr)
		r = -ENOMEM;
	if (r == 0 && expiry)
		r = expiry_add(p, expiry);
	return r < 0 ? r : filter_rules_take(p, n);
}

/* ---- documents ---- */

#define AT(f) offsetof(struct rule, f)

static const struct key keys[] = {
	{"title", take_title, AT(title)},
	{"id", take_text, AT(id)},
	{"name", take_text, AT(name)},
	{"related", take_nothing, 0},
	{"taxonomy", take_taxonomy, AT(taxonomy)},
	{"status", take_status, AT(status)},
	{"description", take_text, AT(description)},
	{"license", take_nothing, 0},
	{"references", take_nothing, 0},
	{"author", take_nothing, 0},
	{"date", take_date, 0},
	{"modified", take_date, 0},
	{"logsource", take_source, 0},
	{"detection", take_nothing, 0},
	{"filter", take_nothing, 0},
	{"correlation", take_nothing, 0},
	{"fields", take_texts, AT(fields)},
	{"falsepositives", take_texts, AT(falsepositives)},
	{"level", take_level, AT(level)},
	{"tags", take_texts, AT(tags)},
	{"scope", take_nothing, 0},
	{"action", take_action, 0},
	{"attack_version", take_text, AT(attack_version)}, /* ours: of the ids in the tags */
	{"owner", take_text, AT(owner)},		   /* ours: of exceptions */
	{"reason", take_text, AT(reason)},
	{"expiry", take_expiry, AT(until)},
};
#define KEYS (sizeof(keys) / sizeof(keys[0]))

static const char *key_name(const void *ctx, unsigned i)
{
	(void)ctx;
	return i < KEYS ? keys[i].name : NULL;
}

/* Sigma allows keys of one's own; one that is nearly a known key is a mistake. */
static int key_take(struct read *p, const struct doc_node *n)
{
	const char *name = doc_text(n->key), *near;

	if (!name)
		return diag_mistake(p->o->diag, n->key, "a key is expected here");
	for (size_t i = 0; i < KEYS; i++)
		if (strcmp(keys[i].name, name) == 0)
			return keys[i].take(p, n, keys[i].offset);
	near = diag_near(name, key_name, NULL);
	if (near)
		return diag_mistake(p->o->diag, n->key, "unknown key '%.80s'; did you mean '%s'?",
				    name, near);
	diag_note(p->o->diag, n->key, "'%.80s' is no key of Sigma: it is not read", name);
	return 0;
}

/* No map of a document has a key twice: YAML leaves open which would hold. */
static int keys_once(struct diag *d, const struct doc_node *n)
{
	int r = 0;

	if (n->type == DOC_MAP && n->len > KEYS_MAX)
		return diag_mistake(d, n, "more than %d keys", KEYS_MAX);
	for (const struct doc_node *i = n->first; i && r == 0; i = i->next) {
		for (const struct doc_node *k = n->first; n->type == DOC_MAP && k != i; k = k->next)
			if (i->key->type == DOC_SCALAR && k->key->type == DOC_SCALAR &&
			    strcmp(i->key->text, k->key->text) == 0)
				return diag_mistake(d, i->key, "'%.80s' was given before",
						    i->key->text);
		r = keys_once(d, i);
	}
	return r;
}

static int body_take(struct read *p, const struct doc_node *root)
{
	static const char *const names[] = {
		[RULE_DETECTION] = "detection",
		[RULE_FILTER] = "filter",
		[RULE_CORRELATION] = "correlation",
	};
	const struct doc_node *body = NULL;

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const struct doc_node *n = doc_get(root, names[i]);

		if (n && body)
			return diag_mistake(p->o->diag, n->key,
					    "a document is a detection, a filter or a correlation");
		if (n)
			p->rule->kind = i;
		body = n ? n : body;
	}
	if (!body)
		return diag_mistake(p->o->diag, root,
				    "'detection', 'correlation' or 'filter' is missing");
	if (p->rule->kind != RULE_CORRELATION && !p->rule->source.at)
		return diag_mistake(p->o->diag, root, "'logsource' is missing");
	if (p->rule->kind != RULE_FILTER && doc_get(root, "expiry"))
		return diag_mistake(p->o->diag, doc_get(root, "expiry"), "only filters expire");
	if (p->rule->kind == RULE_CORRELATION)
		return correlation_parse(p->o, body, &p->rule->correlation);
	return p->rule->kind == RULE_FILTER ? filter_take(p, body) : detection_take(p, body);
}

static uint64_t bytes_hash(const void *bytes, size_t len, uint64_t h)
{
	for (size_t i = 0; i < len; i++)
		h = (h ^ ((const unsigned char *)bytes)[i]) * 0x100000001b3ull;
	return h;
}

/* Comments, layout and place change nothing. */
static uint64_t text_hash(const struct doc_node *n, uint64_t h)
{
	const unsigned char head[] = {(unsigned char)n->type, n->plain};

	h = bytes_hash(head, sizeof(head), h);
	h = bytes_hash(&n->len, sizeof(n->len), h);
	if (n->type == DOC_SCALAR)
		return bytes_hash(n->text, n->len, h);
	for (const struct doc_node *i = n->first; i; i = i->next) {
		if (n->type == DOC_MAP)
			h = text_hash(i->key, h);
		h = text_hash(i, h);
	}
	return h;
}

int rule_parse(const struct item_opts *o, const struct doc_node *root, struct rule **ret_rule)
{
	struct rule *rule = arena_alloc(o->arena, sizeof(*rule));
	struct read p = {o, rule, 0};
	int r;

	if (!rule)
		return -ENOMEM;
	rule->file = o->diag->file;
	rule->at = root;
	rule->id = rule->name = rule->status = rule->description = rule->attack_version = "";
	rule->owner = rule->reason = rule->until = "";
	rule->level = "medium";
	rule->taxonomy = "sigma";
	if (root->type != DOC_MAP)
		return diag_mistake(o->diag, root, "a Sigma document is a map of keys");
	r = keys_once(o->diag, root);
	for (const struct doc_node *n = root->first; n && r == 0; n = n->next)
		r = key_take(&p, n);
	if (r == 0 && !rule->title)
		r = diag_mistake(o->diag, root, "'title' is missing");
	if (r == 0)
		r = body_take(&p, root);
	if (r < 0)
		return r;
	rule->key = *rule->id ? rule->id : *rule->name ? rule->name : rule->title;
	rule->text = text_hash(root, 0xcbf29ce484222325ull);
	*ret_rule = rule;
	return 0;
}

bool rule_is(const struct rule *r, const char *reference)
{
	return (*r->id && strcasecmp(r->id, reference) == 0) ||
	       (*r->name && strcmp(r->name, reference) == 0);
}

bool rule_filters(const struct rule *filter, const struct rule *r)
{
	if (!filter->rules)
		return !filter->events || filter->events == r->events;
	for (const struct doc_node *n = filter->rules->first; n; n = n->next)
		if (rule_is(r, n->text))
			return true;
	return false;
}
