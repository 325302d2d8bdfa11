// SPDX-License-Identifier: Apache-2.0
// Runs programs. Each test is made at most once an event; stamps tell what was already done, so
// that nothing has to be cleared between events.
#include "lib/sigma/match.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/clean.h"
#include "lib/sigma/automaton.h"
#include "lib/sigma/casefold.h"
#include "lib/sigma/meter.h"
#include "lib/sigma/program.h"
#include "lib/sigma/regex.h"

#define NUMBER_MAX 64 /* characters of a number's text */

struct field_state {
	struct match_values values;
	uint32_t got;	  /* when it was asked for */
	uint32_t scanned; /* when its literals were looked for */
};

struct atom_state {
	uint32_t held;	  /* when it last held */
	uint32_t decided; /* when it was last tested (but by a scan) */
};

struct match {
	const struct program *p;
	struct arena *arena;
	uint32_t now; /* number of this event */
	const struct match_event *ev;
	struct field_state *fields;
	struct atom_state *atoms;
	uint32_t *tried;  /* literals: in which value they were last verified */
	uint32_t values;  /* looked at, so far */
	uint32_t *listed; /* rules: when they became candidates */
	uint32_t *candidates, n_candidates;
	uint64_t gave_up;
	struct meter *meter; /* NULL: none */
};

struct match *match_free(struct match *m)
{
	if (!m)
		return NULL;
	arena_free(m->arena);
	free(m->fields);
	free(m->atoms);
	free(m->tried);
	free(m->listed);
	free(m->candidates);
	free(m);
	return NULL;
}

struct match *match_new(const struct program *p)
{
	struct match *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->p = p;
	m->arena = arena_new(64 * 1024);
	m->fields = calloc(p->n_fields + 1, sizeof(*m->fields));
	m->atoms = calloc(p->n_atoms + 1, sizeof(*m->atoms));
	m->tried = calloc(p->n_literals + 1, sizeof(*m->tried));
	m->listed = calloc(p->n_rules + 1, sizeof(*m->listed));
	m->candidates = calloc(p->n_rules + 1, sizeof(*m->candidates));
	if (!m->arena || !m->fields || !m->atoms || !m->tried || !m->listed || !m->candidates)
		return match_free(m);
	return m;
}

/* ---- values ---- */

static const struct match_values *values_of(struct match *m, uint32_t field)
{
	struct field_state *f = &m->fields[field];

	if (f->got != m->now) {
		f->got = m->now;
		f->values = (struct match_values){};
		m->ev->get(m->ev->ctx, m->arena, field, &f->values);
	}
	return &f->values;
}

/* A number as a rule would write it. */
static void number_text(struct match *m, struct match_value *v)
{
	char *text = arena_alloc(m->arena, NUMBER_MAX);

	if (!text)
		return;
	v->text = text;
	if (v->number == (double)(int64_t)v->number)
		v->len = (size_t)snprintf(text, NUMBER_MAX, "%" PRId64, (int64_t)v->number);
	else
		v->len = (size_t)snprintf(text, NUMBER_MAX, "%.9g", v->number);
}

static bool is_ascii(const char *s, size_t len)
{
	uint64_t word;
	size_t i = 0;

	for (; i + sizeof(word) <= len; i += sizeof(word)) {
		memcpy(&word, s + i, sizeof(word));
		if (word & 0x8080808080808080ull)
			return false;
	}
	for (; i < len; i++)
		if (s[i] & 0x80)
			return false;
	return true;
}

static bool value_text(struct match *m, struct match_value *v)
{
	if (!v->text && v->type == MATCH_NUMBER)
		number_text(m, v);
	return v->text != NULL;
}

/* Text without upper and lower case. */
static bool value_fold(struct match *m, struct match_value *v)
{
	char *out;

	if (v->folded)
		return true;
	if (!value_text(m, v))
		return false;
	out = arena_alloc(m->arena, 2 * v->len + 1);
	if (!out)
		return false;
	v->folded_len = casefold(v->text, v->len, out);
	v->folded = out;
	return true;
}

/* ---- scans ---- */

struct scan {
	struct match *m;
	const struct program_field *field;
	struct match_value *value;
	size_t len; /* of what is scanned */
};

static void atom_hold(struct match *m, uint32_t atom)
{
	const struct program_list *rules = &m->p->atoms[atom].rules;

	m->atoms[atom].held = m->now;
	for (uint32_t i = 0; i < rules->n; i++) {
		if (m->listed[rules->v[i]] == m->now)
			continue;
		m->listed[rules->v[i]] = m->now;
		m->candidates[m->n_candidates++] = rules->v[i];
	}
}

static bool regex_holds(struct match *m, const struct program_atom *a, struct match_value *v)
{
	int r = value_text(m, v) ? regex_match(a->regex, v->text, v->len) : 0;

	m->gave_up += r < 0;
	return r > 0;
}

/* Once a value, however often the literal is in it. */
static bool verified(struct scan *s, uint32_t id)
{
	const struct program_literal *l = &s->field->literals[id];
	uint32_t *tried = &s->m->tried[s->field->first + id];

	if (*tried == s->m->values)
		return false;
	*tried = s->m->values;
	if (!l->verify)
		return regex_holds(s->m, &s->m->p->atoms[l->atom], s->value);
	if (l->cased)
		return pattern_match(l->verify, s->value->text, s->value->len);
	return value_fold(s->m, s->value) &&
	       pattern_match(l->verify, s->value->folded, s->value->folded_len);
}

static void on_literal(void *ctx, uint32_t id, size_t end)
{
	struct scan *s = ctx;
	const struct program_literal *l = &s->field->literals[id];

	if (s->m->atoms[l->atom].held == s->m->now || (l->begins && end != l->len) ||
	    (l->ends && end != s->len))
		return;
	if ((!l->verify && !s->m->p->atoms[l->atom].regex) || verified(s, id))
		atom_hold(s->m, l->atom);
}

/* The automaton itself takes ASCII letters of both cases. */
static void field_scan(struct match *m, uint32_t field)
{
	const struct program_field *f = &m->p->fields[field];
	const struct match_values *values;

	if (m->fields[field].scanned == m->now || !f->automaton)
		return;
	m->fields[field].scanned = m->now;
	values = values_of(m, field);
	for (size_t i = 0; i < values->n; i++) {
		struct match_value *v = &values->v[i];
		struct scan s = {m, f, v, 0};
		const char *text;

		/* Numbers of values start again once in 2^32 of them. */
		if (!++m->values) {
			memset(m->tried, 0, m->p->n_literals * sizeof(*m->tried));
			m->values = 1;
		}
		if (!value_text(m, v))
			continue;
		s.len = v->len;
		text = v->text;
		if (!is_ascii(text, v->len)) {
			if (!value_fold(m, v))
				continue;
			text = v->folded;
			s.len = v->folded_len;
		}
		automaton_scan(f->automaton, text, s.len, on_literal, &s);
	}
}

/* ---- atoms ---- */

static bool loose_holds(struct match *m, const struct program_atom *a)
{
	const struct match_values *values = a->n_loose ? values_of(m, a->field) : NULL;

	for (size_t i = 0; values && i < values->n; i++) {
		struct match_value *v = &values->v[i];

		if (!(a->cased ? value_text(m, v) : value_fold(m, v)))
			continue;
		for (uint32_t k = 0; k < a->n_loose; k++)
			if (a->cased ? pattern_match(&a->loose[k], v->text, v->len)
				     : pattern_match(&a->loose[k], v->folded, v->folded_len))
				return true;
	}
	return false;
}

static bool value_number(const struct match_value *v, double *ret_number)
{
	char copy[NUMBER_MAX], *end;

	*ret_number = v->number;
	if (v->type != MATCH_TEXT)
		return v->type == MATCH_NUMBER;
	if (!v->len || v->len >= sizeof(copy))
		return false;
	memcpy(copy, v->text, v->len);
	copy[v->len] = '\0';
	*ret_number = strtod(copy, &end);
	return !*end && !copy[strspn(copy, "0123456789.+-eE")];
}

static bool compare_holds(const struct program_atom *a, const struct match_value *v)
{
	uint64_t time = v->time;
	double n;

	if (!a->part) {
		if (!value_number(v, &n))
			return false;
	} else {
		if (v->type == MATCH_NUMBER ||
		    (v->type == MATCH_TEXT && when_parse(v->text, v->len, &time) < 0))
			return false;
		n = when_part(time, a->part);
	}
	switch (a->op) {
	case ITEM_LT:
		return n < a->number;
	case ITEM_LTE:
		return n <= a->number;
	case ITEM_GT:
		return n > a->number;
	case ITEM_GTE:
		return n >= a->number;
	case ITEM_EQ:
		break;
	}
	return n == a->number;
}

/* What the modifiers startswith, endswith and contains ask of two values. */
static bool part_of(const struct program_atom *a, const char *whole, size_t whole_len,
		    const char *part, size_t len)
{
	if (whole_len < len || (!len && (a->any_before || a->any_after)))
		return false;
	if (a->any_before && a->any_after)
		return memmem(whole, whole_len, part, len) != NULL;
	if (!a->any_before && !a->any_after && whole_len != len)
		return false;
	return memcmp(a->any_before ? whole + whole_len - len : whole, part, len) == 0;
}

static bool field_holds(struct match *m, const struct program_atom *a, struct match_value *v)
{
	const struct match_values *others = values_of(m, a->other);

	for (size_t i = 0; i < others->n; i++) {
		struct match_value *o = &others->v[i];

		if (!value_fold(m, v) || !value_fold(m, o))
			continue;
		if (a->cased ? part_of(a, v->text, v->len, o->text, o->len)
			     : part_of(a, v->folded, v->folded_len, o->folded, o->folded_len))
			return true;
	}
	return false;
}

static bool value_holds(struct match *m, const struct program_atom *a, struct match_value *v)
{
	switch (a->kind) {
	case ITEM_REGEX:
		return regex_holds(m, a, v);
	case ITEM_CIDR:
		return value_text(m, v) && cidr_match(&a->net, v->text, v->len);
	case ITEM_COMPARE:
		return compare_holds(a, v);
	case ITEM_FIELD:
		return field_holds(m, a, v);
	default:
		return false;
	}
}

static bool atom_test(struct match *m, uint32_t atom)
{
	const struct program_atom *a = &m->p->atoms[atom];
	const struct match_values *values;

	if (a->kind == ITEM_STRING || a->trigger) {
		field_scan(m, a->field);
		return m->atoms[atom].held == m->now || loose_holds(m, a);
	}
	values = values_of(m, a->field);
	if (a->kind == ITEM_EXISTS)
		return values->exists;
	if (a->kind == ITEM_NULL)
		return !values->n;
	for (size_t i = 0; i < values->n; i++)
		if (value_holds(m, a, &values->v[i]))
			return true;
	return false;
}

static bool atom_holds(struct match *m, uint32_t atom)
{
	struct atom_state *s = &m->atoms[atom];

	if (s->held == m->now)
		return true;
	if (s->decided == m->now)
		return false;
	s->decided = m->now;
	if (!atom_test(m, atom))
		return false;
	s->held = m->now;
	return true;
}

static bool expr_holds(struct match *m, const struct expr *e)
{
	if (e->op == EXPR_LEAF)
		return atom_holds(m, e->leaf);
	if (e->op == EXPR_NOT)
		return !expr_holds(m, e->kids[0]);
	for (uint32_t i = 0; i < e->n; i++)
		if (expr_holds(m, e->kids[i]) == (e->op == EXPR_OR))
			return e->op == EXPR_OR;
	return e->op == EXPR_AND;
}

/* ---- events ---- */

static void source_list(struct match *m, const struct program_source *s)
{
	for (uint32_t i = 0; i < s->scans.n; i++)
		field_scan(m, s->scans.v[i]);
	for (uint32_t i = 0; i < s->always.n; i++)
		if (m->listed[s->always.v[i]] != m->now) {
			m->listed[s->always.v[i]] = m->now;
			m->candidates[m->n_candidates++] = s->always.v[i];
		}
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static bool is_of_event(const struct match *m, uint32_t source)
{
	return !source || source == m->ev->sources[0] || source == m->ev->sources[1];
}

/* Stamps start again once in 2^32 events. */
static void begin(struct match *m, const struct match_event *ev)
{
	arena_reset(m->arena);
	m->ev = ev;
	m->n_candidates = 0;
	if (++m->now)
		return;
	m->now = 1;
	memset(m->fields, 0, m->p->n_fields * sizeof(*m->fields));
	memset(m->atoms, 0, m->p->n_atoms * sizeof(*m->atoms));
	memset(m->listed, 0, m->p->n_rules * sizeof(*m->listed));
}

/* The first rule that asks for a field pays for it. */
static bool rule_holds(struct match *m, uint32_t rule)
{
	const struct program_rule *r = &m->p->rules[rule];
	uint64_t begun = m->meter && m->meter->on ? m->meter->clock() : 0;
	bool holds = is_of_event(m, r->source) && expr_holds(m, r->expr);

	if (begun)
		m->meter->spent[rule] += m->meter->clock() - begun;
	return holds;
}

void match_event(struct match *m, const struct match_event *ev, match_fn fn, void *ctx)
{
	const struct program *p = m->p;
	uint32_t n;

	begin(m, ev);
	source_list(m, &p->sources[0]);
	for (unsigned i = 0; i < 2; i++)
		if (ev->sources[i])
			source_list(m, &p->sources[ev->sources[i]]);
	n = m->n_candidates;
	if (n > 1)
		qsort(m->candidates, n, sizeof(*m->candidates), by_number);
	for (uint32_t i = 0; i < n; i++)
		if (rule_holds(m, m->candidates[i]))
			fn(ctx, m->candidates[i]);
}

void match_measure(struct match *m, struct meter *meter)
{
	m->meter = meter;
}

const char *match_text(struct match *m, uint32_t field)
{
	const struct match_values *values = values_of(m, field);

	if (!values->n || !value_text(m, &values->v[0]))
		return NULL;
	return arena_strndup(m->arena, values->v[0].text, values->v[0].len);
}

bool match_number(struct match *m, uint32_t field, double *ret_number)
{
	const struct match_values *values = values_of(m, field);

	return values->n && value_number(&values->v[0], ret_number);
}

uint64_t match_gave_up(const struct match *m)
{
	return m->gave_up;
}
