// SPDX-License-Identifier: Apache-2.0
// Rules to programs: items to atoms, literals to one automaton a field, and for each rule the atoms
// of which at least one must hold.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/clean.h"
#include "lib/doc.h"
#include "lib/sigma/automaton.h"
#include "lib/sigma/casefold.h"
#include "lib/sigma/diag.h"
#include "lib/sigma/program.h"
#include "lib/sigma/regex.h"
#include "lib/sigma/rule.h"

struct program_name {
	struct program_name *next;
	size_t len;
	uint32_t number;
	char bytes[];
};

struct compile {
	struct program *p;
	struct diag *d;
	const struct rule *rule;
	int error;
};

/* ---- growing lists ---- */

static int grow(void **v, uint32_t n, uint32_t *room, size_t size)
{
	uint32_t more = *room ? 2 * *room : 8;
	void *q;

	if (n < *room)
		return 0;
	q = realloc(*v, more * size);
	if (!q)
		return -ENOMEM;
	*v = q;
	*room = more;
	return 0;
}

/* Adds what is not yet there last. */
static int list_add(struct program_list *l, uint32_t n)
{
	int r = grow((void **)&l->v, l->n, &l->room, sizeof(*l->v));

	if (r == 0)
		l->v[l->n++] = n;
	return r;
}

static bool list_has(const struct program_list *l, uint32_t n)
{
	for (uint32_t i = 0; i < l->n; i++)
		if (l->v[i] == n)
			return true;
	return false;
}

/* ---- names: what was made before is used again ---- */

static struct program_name *name_get(struct program *p, const void *bytes, size_t len,
				     bool *ret_new)
{
	uint32_t h = 2166136261u;
	struct program_name **n;

	for (size_t i = 0; i < len; i++)
		h = (h ^ ((const uint8_t *)bytes)[i]) * 16777619u;
	n = &p->names[h % (sizeof(p->names) / sizeof(p->names[0]))];
	while (*n && ((*n)->len != len || memcmp((*n)->bytes, bytes, len) != 0))
		n = &(*n)->next;
	*ret_new = !*n;
	if (!*n) {
		*n = arena_alloc(p->arena, sizeof(**n) + len);
		if (*n) {
			(*n)->len = len;
			memcpy((*n)->bytes, bytes, len);
		}
	}
	return *n;
}

int program_field(struct program *p, const char *name, uint32_t *ret_field)
{
	char *key = arena_printf(p->arena, "field %s", name);
	bool new;
	struct program_name *n = key ? name_get(p, key, strlen(key), &new) : NULL;

	if (!n || grow((void **)&p->fields, p->n_fields, &p->fields_room, sizeof(*p->fields)) < 0)
		return -ENOMEM;
	if (new) {
		p->fields[p->n_fields] =
			(struct program_field){.name = arena_strdup(p->arena, name)};
		n->number = p->n_fields++;
	}
	*ret_field = n->number;
	return p->fields[n->number].name ? 0 : -ENOMEM;
}

/* ---- atoms ---- */

/* What makes two atoms the same: written out, so that they can be compared as bytes. */
struct key {
	char *bytes;
	size_t len;
	FILE *f;
};

static void key_close(struct key *k)
{
	if (k->f)
		fclose(k->f);
	free(k->bytes);
}

static void key_put(struct key *k, const void *bytes, size_t len)
{
	fwrite(&len, sizeof(len), 1, k->f);
	fwrite(bytes, 1, len, k->f);
}

/* A new atom for the key, or the one that has it. `*ret_new` is set. */
static int atom_get(struct compile *c, struct key *k, const struct program_atom *atom,
		    uint32_t *ret_atom, bool *ret_new)
{
	struct program *p = c->p;
	struct program_name *n;

	if (fflush(k->f) != 0 ||
	    grow((void **)&p->atoms, p->n_atoms, &p->atoms_room, sizeof(*p->atoms)) < 0)
		return -ENOMEM;
	n = name_get(p, k->bytes, k->len, ret_new);
	if (!n)
		return -ENOMEM;
	if (*ret_new) {
		p->atoms[p->n_atoms] = *atom;
		n->number = p->n_atoms++;
	}
	*ret_atom = n->number;
	return 0;
}

static int key_open(struct key *k, const struct program_atom *a)
{
	uint32_t head[] = {(uint32_t)a->kind, a->field, a->cased,	 a->any_before,
			   a->any_after,      a->other, (uint32_t)a->op, (uint32_t)a->part};

	k->f = open_memstream(&k->bytes, &k->len);
	if (!k->f)
		return -ENOMEM;
	key_put(k, head, sizeof(head));
	key_put(k, &a->number, sizeof(a->number));
	key_put(k, &a->net, sizeof(a->net));
	return 0;
}

/* ---- strings ---- */

static int loose_add(struct compile *c, uint32_t atom, const struct pattern *p)
{
	struct program_atom *a = &c->p->atoms[atom];
	struct pattern *more = arena_alloc(c->p->arena, (a->n_loose + 1) * sizeof(*more));

	if (!more)
		return -ENOMEM;
	if (a->n_loose)
		memcpy(more, a->loose, a->n_loose * sizeof(*more));
	more[a->n_loose++] = *p;
	a->loose = more;
	a->trigger = false;
	return 0;
}

static int literal_add(struct compile *c, uint32_t atom, const struct program_literal *l,
		       const char *text)
{
	struct program_field *f = &c->p->fields[c->p->atoms[atom].field];
	int r = grow((void **)&f->literals, f->n_literals, &f->room, sizeof(*f->literals));

	if (r == 0 && !f->automaton) {
		f->automaton = automaton_new();
		r = f->automaton ? 0 : -ENOMEM;
	}
	if (r == 0)
		r = automaton_add(f->automaton, text, l->len, f->n_literals);
	if (r == 0)
		f->literals[f->n_literals++] = *l;
	if (r == -E2BIG)
		return diag_mistake(c->d, c->rule->at, "too many texts to look for in field '%s'",
				    f->name);
	return r;
}

static int pattern_add(struct compile *c, uint32_t atom, const struct pattern *p)
{
	struct arena *arena = c->p->arena;
	bool cased = c->p->atoms[atom].cased;
	struct pattern_literal l;
	struct pattern folded, *verify = arena_alloc(arena, sizeof(*verify));
	struct program_atom *a;
	int r = pattern_fold(arena, p, &folded);

	if (r == 0)
		r = pattern_literal(arena, &folded, &l);
	if (r < 0 || !verify)
		return -ENOMEM;
	*verify = cased ? *p : folded;
	if (!l.len)
		return loose_add(c, atom, verify);
	a = &c->p->atoms[atom];
	a->shortest = l.len < a->shortest ? (uint32_t)l.len : a->shortest;
	return literal_add(c, atom,
			   &(struct program_literal){.atom = atom,
						     .len = (uint32_t)l.len,
						     .begins = l.begins,
						     .ends = l.ends,
						     .cased = cased,
						     .verify = cased || !l.whole ? verify : NULL},
			   l.text);
}

/* One atom for all patterns of the values from `v` on; of that one only when `one`. */
static int string_atom(struct compile *c, const struct item_value *v, bool one,
		       struct program_atom *atom, uint32_t *ret_atom)
{
	_cleanup_(key_close) struct key k = {};
	bool new;
	int r = key_open(&k, atom);

	for (const struct item_value *w = v; w && r == 0; w = one ? NULL : w->next)
		for (size_t n = 0; n < w->n_patterns; n++)
			key_put(&k, w->patterns[n].t, w->patterns[n].n * sizeof(*w->patterns[n].t));
	atom->trigger = true;
	atom->shortest = UINT32_MAX;
	if (r == 0)
		r = atom_get(c, &k, atom, ret_atom, &new);
	for (; v && r == 0 && new; v = one ? NULL : v->next)
		for (size_t n = 0; n < v->n_patterns && r == 0; n++)
			r = pattern_add(c, *ret_atom, &v->patterns[n]);
	return r;
}

/* ---- other kinds ---- */

static int regex_fill(struct compile *c, const struct item *i, const struct item_value *v,
		      const struct item_text *t, struct program_atom *atom)
{
	char why[160];
	unsigned offset;
	int r = regex_new(t->s, t->len, i->regex_flags, &atom->regex, why, sizeof(why), &offset);

	return r == -EINVAL ? diag_mistake_in(c->d, v->at, i->expanded ? 0 : offset,
					      "re: '%.60s': %s", t->s, why)
			    : r;
}

static int number_fill(struct compile *c, const struct item_value *v, const struct item_text *t,
		       struct program_atom *atom)
{
	char *end;

	atom->number = strtod(t->s, &end);
	if (!t->len || *end || t->s[strspn(t->s, "0123456789.+-eE")])
		return diag_mistake(c->d, v->at, "'%.60s' is not a number", t->s);
	if (atom->op == ITEM_EQ && !when_has(atom->part, atom->number))
		return diag_mistake(c->d, v->at, "'%.60s' is no %s", t->s, when_name(atom->part));
	return 0;
}

static int text_fill(struct compile *c, const struct item *i, const struct item_value *v,
		     const struct item_text *t, struct program_atom *atom)
{
	const char *why;

	if (i->kind == ITEM_REGEX)
		return regex_fill(c, i, v, t, atom);
	if (i->kind == ITEM_COMPARE)
		return number_fill(c, v, t, atom);
	if (i->kind == ITEM_FIELD)
		return program_field(c->p, t->s, &atom->other);
	if (cidr_parse(t->s, &atom->net, &why) < 0)
		return diag_mistake(c->d, v->at, "cidr: '%.60s': %s", t->s, why);
	return 0;
}

#define REGEX_LITERAL_MIN 3 /* what is shorter is in too many values */

/* Where it can only match with a certain text in the value, it is run for those values only. */
static int regex_literal_add(struct compile *c, uint32_t atom, const struct item_text *t)
{
	struct program_literal l = {.atom = atom};
	char *text = arena_alloc(c->p->arena, t->len + 1);
	size_t len = text ? regex_literal(t->s, t->len, text) : 0;
	char *folded = arena_alloc(c->p->arena, 2 * len + 1);

	if (!text || !folded)
		return -ENOMEM;
	if (len < REGEX_LITERAL_MIN)
		return 0;
	l.len = (uint32_t)casefold(text, len, folded);
	c->p->atoms[atom].trigger = true;
	c->p->atoms[atom].shortest = l.len;
	return literal_add(c, atom, &l, folded);
}

/* A regular expression belongs to the program once an atom has it. */
static int text_atom(struct compile *c, const struct item *i, const struct item_value *v,
		     const struct item_text *t, struct program_atom atom, uint32_t *ret_atom)
{
	_cleanup_(key_close) struct key k = {};
	uint32_t flags = i->regex_flags;
	bool new = false;
	int r = text_fill(c, i, v, t, &atom);

	if (r == 0)
		r = key_open(&k, &atom);
	if (r == 0 && i->kind == ITEM_REGEX) {
		key_put(&k, &flags, sizeof(flags));
		key_put(&k, t->s, t->len);
	}
	if (r == 0)
		r = atom_get(c, &k, &atom, ret_atom, &new);
	if (!new)
		regex_free(atom.regex);
	return r == 0 && new && i->kind == ITEM_REGEX ? regex_literal_add(c, *ret_atom, t) : r;
}

/* ---- items to expressions ---- */

static const struct expr *leaf(struct compile *c, int r, uint32_t atom)
{
	const struct expr *e = r < 0 ? NULL : expr_leaf(c->p->arena, atom);

	if (!e && !c->error)
		c->error = r < 0 ? r : -ENOMEM;
	return e;
}

/* One value: its texts are alternatives. */
static const struct expr *value_expr(struct compile *c, const struct item *i,
				     const struct item_value *v, struct program_atom *atom)
{
	const struct expr **kids, *e;
	uint32_t n = 0;

	if (i->kind == ITEM_STRING) {
		int r = string_atom(c, v, true, atom, &n);

		return leaf(c, r, n);
	}
	kids = arena_alloc(c->p->arena, (v->n_texts + 1) * sizeof(*kids));
	for (size_t k = 0; kids && k < v->n_texts; k++) {
		int r = text_atom(c, i, v, &v->texts[k], *atom, &n);

		kids[k] = leaf(c, r, n);
	}
	e = kids ? expr_list(c->p->arena, EXPR_OR, kids, v->n_texts) : NULL;
	if (!e && !c->error)
		c->error = -ENOMEM;
	return e;
}

static const struct expr *values_expr(struct compile *c, const struct item *i,
				      struct program_atom *atom)
{
	const struct expr **kids = arena_alloc(c->p->arena, (i->n_values + 1) * sizeof(*kids));
	size_t n = 0;

	for (const struct item_value *v = i->values; v && kids; v = v->next)
		kids[n++] = value_expr(c, i, v, atom);
	return kids ? expr_list(c->p->arena, i->all ? EXPR_AND : EXPR_OR, kids, n) : NULL;
}

static const struct expr *plain_atom(struct compile *c, struct program_atom *atom)
{
	_cleanup_(key_close) struct key k = {};
	uint32_t number = 0;
	bool new;
	int r = key_open(&k, atom);

	if (r == 0)
		r = atom_get(c, &k, atom, &number, &new);
	return leaf(c, r, number);
}

static const struct expr *item_expr(void *ctx, uint32_t number)
{
	struct compile *c = ctx;
	const struct item *i = &c->rule->items[number];
	struct program_atom atom = {.kind = i->kind,
				    .cased = i->cased,
				    .any_before = i->kind == ITEM_FIELD && i->any_before,
				    .any_after = i->kind == ITEM_FIELD && i->any_after,
				    .op = i->op,
				    .part = i->part};
	const struct expr *e;
	uint32_t n = 0;
	int r = program_field(c->p, i->field, &atom.field);

	if (r < 0) {
		c->error = r;
		return NULL;
	}
	if (i->kind == ITEM_NULL || i->kind == ITEM_EXISTS) {
		e = plain_atom(c, &atom);
	} else if (i->kind == ITEM_STRING && !i->all) {
		r = string_atom(c, i->values, false, &atom, &n);
		e = leaf(c, r, n);
	} else {
		e = values_expr(c, i, &atom);
	}
	if (e && (i->neq || (i->kind == ITEM_EXISTS && !i->exists)))
		e = expr_not(c->p->arena, e);
	return e;
}

static const struct expr *rule_expr(struct compile *c, const struct rule *rule)
{
	const struct expr *e;

	c->rule = rule;
	c->d->file = rule->file;
	e = expr_map(c->p->arena, rule->expr, item_expr, c);
	if (!e && !c->error)
		c->error = -ENOMEM;
	return e;
}

/* ---- triggers ---- */

/* Atoms of which one must hold for `e` to hold, and how short their shortest literal is. */
struct need {
	struct program_list atoms;
	uint32_t shortest; /* 0: there are no such atoms */
};

static void need_free(struct need *n)
{
	free(n->atoms.v);
}

static int need_of(const struct program *p, const struct expr *e, struct need *ret_need);

/* AND: that of the most telling kid. OR: of all kids, if each has one. */
static int need_join(const struct program *p, const struct expr *e, struct need *ret_need)
{
	struct need best = {.shortest = e->op == EXPR_OR ? UINT32_MAX : 0};
	int r = 0;

	for (uint32_t i = 0; i < e->n && r == 0; i++) {
		_cleanup_(need_free) struct need kid = {};

		r = need_of(p, e->kids[i], &kid);
		if (r == 0 && e->op == EXPR_AND && kid.shortest > best.shortest) {
			struct need swap = best;

			best = kid;
			kid = swap;
		}
		if (e->op == EXPR_AND)
			continue;
		best.shortest = kid.shortest < best.shortest ? kid.shortest : best.shortest;
		for (uint32_t k = 0; k < kid.atoms.n && r == 0; k++)
			r = list_add(&best.atoms, kid.atoms.v[k]);
	}
	*ret_need = best;
	return r;
}

static int need_of(const struct program *p, const struct expr *e, struct need *ret_need)
{
	const struct program_atom *a;

	*ret_need = (struct need){};
	if (e->op == EXPR_NOT)
		return 0;
	if (e->op != EXPR_LEAF)
		return need_join(p, e, ret_need);
	a = &p->atoms[e->leaf];
	if (!a->trigger)
		return 0;
	ret_need->shortest = a->shortest;
	return list_add(&ret_need->atoms, e->leaf);
}

static int triggers_set(struct program *p, uint32_t rule)
{
	_cleanup_(need_free) struct need need = {};
	struct program_source *s = &p->sources[p->rules[rule].source];
	int r = need_of(p, p->rules[rule].expr, &need);

	if (r == 0 && !need.shortest)
		return list_add(&s->always, rule);
	for (uint32_t i = 0; i < need.atoms.n && r == 0; i++) {
		struct program_atom *a = &p->atoms[need.atoms.v[i]];

		r = list_add(&a->rules, rule);
		if (r == 0 && !list_has(&s->scans, a->field))
			r = list_add(&s->scans, a->field);
	}
	return r;
}

/* ---- programs ---- */

struct program *program_new(uint32_t sources)
{
	struct program *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->arena = arena_new(64 * 1024);
	p->sources = calloc(sources, sizeof(*p->sources));
	p->n_sources = sources;
	return p->arena && p->sources ? p : program_free(p);
}

struct program *program_free(struct program *p)
{
	if (!p)
		return NULL;
	for (uint32_t i = 0; i < p->n_atoms; i++) {
		regex_free(p->atoms[i].regex);
		free(p->atoms[i].rules.v);
	}
	for (uint32_t i = 0; i < p->n_fields; i++) {
		automaton_free(p->fields[i].automaton);
		free(p->fields[i].literals);
	}
	for (uint32_t i = 0; p->sources && i < p->n_sources; i++) {
		free(p->sources[i].scans.v);
		free(p->sources[i].always.v);
	}
	free(p->atoms);
	free(p->fields);
	free(p->sources);
	free(p->rules);
	arena_free(p->arena);
	free(p);
	return NULL;
}

int program_add(struct program *p, struct diag *d, const struct rule *rule, uint32_t source,
		const struct rule *const *filters, size_t n_filters)
{
	struct compile c = {.p = p, .d = d};
	const struct expr *e = rule_expr(&c, rule), *pair[2];

	for (size_t i = 0; e && i < n_filters; i++) {
		pair[0] = e;
		pair[1] = rule_expr(&c, filters[i]);
		if (pair[1])
			pair[1] = expr_not(p->arena, pair[1]);
		e = pair[1] ? expr_list(p->arena, EXPR_AND, pair, 2) : NULL;
	}
	if (!e)
		return c.error ? c.error : -ENOMEM;
	if (grow((void **)&p->rules, p->n_rules, &p->rules_room, sizeof(*p->rules)) < 0)
		return -ENOMEM;
	p->rules[p->n_rules++] = (struct program_rule){rule, e, source};
	return 0;
}

int program_finish(struct program *p)
{
	int r = 0;

	for (uint32_t i = 0; i < p->n_fields && r == 0; i++) {
		p->fields[i].first = p->n_literals;
		p->n_literals += p->fields[i].n_literals;
		if (p->fields[i].automaton)
			r = automaton_build(p->fields[i].automaton);
	}
	for (uint32_t i = 0; i < p->n_rules && r == 0; i++)
		r = triggers_set(p, i);
	return r;
}
