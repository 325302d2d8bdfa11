// SPDX-License-Identifier: Apache-2.0
// Fields, modifiers and values. One table of modifiers says what each does, and what cannot be
// combined is refused by name.
#include "lib/sigma/item.h"

#include <errno.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/doc.h"
#include "lib/sigma/diag.h"
#include "lib/sigma/encode.h"
#include "lib/sigma/placeholders.h"
#include "lib/sigma/regex.h"

#define EXPANDED_MAX 65536 /* texts of one value */

struct work {
	const struct item_opts *o;
	struct item *item;
	const struct doc_node *key;
	unsigned offset; /* of the modifier in the key */
};

struct modifier {
	const char *name;
	int (*apply)(struct work *w, const struct modifier *m);
	unsigned arg;
	int (*encode)(struct arena *a, const struct pattern *p, struct encode_list *ret_list,
		      const char **ret_why);
};

/* The modifiers whose texts are not patterns. */
static const char *kind_name(enum item_kind kind)
{
	static const char *const names[] = {"",	    "re",     "cidr",	 "a comparison",
					    "null", "exists", "fieldref"};

	return names[kind];
}

static int touched(struct work *w, const struct modifier *m)
{
	return diag_mistake_in(w->o->diag, w->key, w->offset,
			       "'%s' takes the value as it is written: no modifier that changes it "
			       "may come before",
			       m->name);
}

/* For those that take the value as it is written: nothing may have changed it. */
static int untouched(struct work *w, const struct modifier *m)
{
	const struct item *i = w->item;

	if (i->kind != ITEM_STRING)
		return diag_mistake_in(w->o->diag, w->key, w->offset, "'%s' cannot follow '%s'",
				       m->name, kind_name(i->kind));
	if (i->any_before || i->any_after || (i->values && i->values->patterns))
		return touched(w, m);
	return 0;
}

static int mod_flag(struct work *w, const struct modifier *m)
{
	bool *const flags[] = {&w->item->all, &w->item->neq, &w->item->cased};

	(void)m;
	*flags[m->arg] = true;
	return 0;
}

enum { BEFORE = 1, AFTER = 2 };

static int mod_any(struct work *w, const struct modifier *m)
{
	if (w->item->kind != ITEM_STRING && w->item->kind != ITEM_FIELD &&
	    w->item->kind != ITEM_REGEX)
		return diag_mistake_in(w->o->diag, w->key, w->offset, "'%s' cannot follow '%s'",
				       m->name, kind_name(w->item->kind));
	w->item->any_before |= m->arg & BEFORE;
	w->item->any_after |= (m->arg & AFTER) != 0;
	return 0;
}

static int mod_kind(struct work *w, const struct modifier *m)
{
	int r = untouched(w, m);

	if (r == 0)
		w->item->kind = m->arg;
	return r;
}

/* Both orders of "fieldref|contains" are in use. */
static int mod_fieldref(struct work *w, const struct modifier *m)
{
	if (w->item->kind == ITEM_STRING && !(w->item->values && w->item->values->patterns)) {
		w->item->kind = ITEM_FIELD;
		return 0;
	}
	return untouched(w, m);
}

static int mod_regex_flag(struct work *w, const struct modifier *m)
{
	if (w->item->kind != ITEM_REGEX)
		return diag_mistake_in(w->o->diag, w->key, w->offset, "'%s' comes after 're'",
				       m->name);
	w->item->regex_flags |= m->arg;
	return 0;
}

static int mod_compare(struct work *w, const struct modifier *m)
{
	if (w->item->kind == ITEM_COMPARE && w->item->part && w->item->op == ITEM_EQ) {
		w->item->op = m->arg;
		return 0;
	}
	w->item->op = m->arg;
	return mod_kind(w, &(struct modifier){m->name, NULL, ITEM_COMPARE, NULL});
}

static int mod_part(struct work *w, const struct modifier *m)
{
	if (w->item->kind == ITEM_COMPARE && !w->item->part) {
		w->item->part = m->arg;
		return 0;
	}
	w->item->part = m->arg;
	return mod_kind(w, &(struct modifier){m->name, NULL, ITEM_COMPARE, NULL});
}

/* ---- strings ---- */

static int patterns_parse(struct work *w, struct item_value *v)
{
	int r = 0;

	v->patterns = arena_alloc(w->o->arena, v->n_texts * sizeof(*v->patterns));
	v->n_patterns = v->n_texts;
	if (!v->patterns)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < v->n_texts; i++)
		r = pattern_parse(w->o->arena, v->texts[i].s, v->texts[i].len, &v->patterns[i]);
	return r;
}

/* Each pattern of a value gives one or several. */
static int value_encode(struct work *w, const struct modifier *m, struct item_value *v)
{
	struct encode_list *lists;
	struct pattern *all;
	const char *why = "";
	size_t n = 0;
	int r = v->patterns ? 0 : patterns_parse(w, v);

	lists = r < 0 ? NULL : arena_alloc(w->o->arena, v->n_patterns * sizeof(*lists));
	if (!lists)
		return -ENOMEM;
	for (size_t i = 0; i < v->n_patterns; i++) {
		r = m->encode(w->o->arena, &v->patterns[i], &lists[i], &why);
		if (r == -EINVAL)
			return diag_mistake(w->o->diag, v->at, "%s: %s", m->name, why);
		if (r < 0)
			return r;
		n += lists[i].n;
	}
	if (n > EXPANDED_MAX)
		return diag_mistake(w->o->diag, v->at, "%s: stands for more than %d texts", m->name,
				    EXPANDED_MAX);
	all = arena_alloc(w->o->arena, n * sizeof(*all));
	if (!all)
		return -ENOMEM;
	n = 0;
	for (size_t i = 0; i < v->n_patterns; n += lists[i++].n)
		memcpy(all + n, lists[i].p, lists[i].n * sizeof(*all));
	v->patterns = all;
	v->n_patterns = n;
	return 0;
}

static int mod_encode(struct work *w, const struct modifier *m)
{
	const struct item *i = w->item;
	int r = 0;

	if (i->kind != ITEM_STRING)
		return diag_mistake_in(w->o->diag, w->key, w->offset, "'%s' cannot follow '%s'",
				       m->name, kind_name(i->kind));
	if ((i->any_before || i->any_after) && m->encode != encode_windash)
		return diag_mistake_in(
			w->o->diag, w->key, w->offset,
			"'%s' cannot encode the * of a modifier before it: contains, "
			"startswith and endswith come after it",
			m->name);
	for (struct item_value *v = i->values; v && r == 0; v = v->next)
		r = value_encode(w, m, v);
	return r;
}

/* ---- expand ---- */

struct expansion {
	struct work *w;
	struct item_value *value;
	struct item_text *texts;
	size_t n, room;
};

static int text_add(struct expansion *e, const char *s, size_t len)
{
	if (e->n == EXPANDED_MAX)
		return diag_mistake(e->w->o->diag, e->value->at,
				    "expand: stands for more than %d texts", EXPANDED_MAX);
	if (e->n == e->room) {
		size_t room = e->room ? 2 * e->room : 8;
		struct item_text *more = arena_alloc(e->w->o->arena, room * sizeof(*more));

		if (!more)
			return -ENOMEM;
		if (e->n)
			memcpy(more, e->texts, e->n * sizeof(*more));
		e->texts = more;
		e->room = room;
	}
	e->texts[e->n] = (struct item_text){arena_strndup(e->w->o->arena, s, len), len};
	return e->texts[e->n++].s ? 0 : -ENOMEM;
}

static bool is_name(const char *s, size_t len)
{
	return len && strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"
				".") >= len;
}

/* The first %name% that no backslash stands before, from `from` on; NULL: none. */
static const char *placeholder_next(const char *from, size_t *ret_len)
{
	for (const char *s = strchr(from, '%'); s; s = strchr(s + 1, '%')) {
		const char *end = strchr(s + 1, '%');

		if (s > from && s[-1] == '\\')
			continue;
		if (end && is_name(s + 1, (size_t)(end - s - 1))) {
			*ret_len = (size_t)(end - s) + 1;
			return s;
		}
	}
	return NULL;
}

/* "\%" is a plain percent character. */
static int plain_add(struct expansion *e, const char *text)
{
	char *s = arena_strdup(e->w->o->arena, text);
	size_t n = 0;

	if (!s)
		return -ENOMEM;
	for (size_t i = 0; text[i]; i++)
		if (text[i] != '\\' || text[i + 1] != '%')
			s[n++] = text[i];
	return text_add(e, s, n);
}

/* Each value of the first placeholder, then what is left; depth: number of placeholders. */
static int text_expand(struct expansion *e, const char *text, size_t from, unsigned depth)
{
	const struct item_opts *o = e->w->o;
	size_t len = 0;
	const char *at = placeholder_next(text + from, &len), *near;
	const struct placeholder *p;
	int r = 0;

	if (!at)
		return plain_add(e, text);
	p = placeholders_find(o->placeholders, at + 1, len - 2);
	if (!p) {
		char *name = arena_strndup(o->arena, at + 1, len - 2);

		near = name ? diag_near(name, placeholders_name, o->placeholders) : NULL;
		return diag_mistake_in(o->diag, e->value->at, (unsigned)(at - text),
				       "placeholder '%s' is not defined%s%s%s", name ? name : "",
				       near ? "; did you mean '" : "", near ? near : "",
				       near ? "'?" : "");
	}
	if (depth == 4)
		return diag_mistake(o->diag, e->value->at, "more than four placeholders");
	for (const struct doc_node *v = p->values->first; v && r == 0; v = v->next) {
		char *whole = arena_printf(o->arena, "%.*s%s%s", (int)(at - text), text, v->text,
					   at + len);

		r = whole ? text_expand(e, whole, (size_t)(at - text) + v->len, depth + 1)
			  : -ENOMEM;
	}
	return r;
}

/* What a placeholder stands for is text of the rule, whatever the text is then taken for. */
static int mod_expand(struct work *w, const struct modifier *m)
{
	int r = w->item->kind == ITEM_EXISTS		       ? untouched(w, m)
		: w->item->values && w->item->values->patterns ? touched(w, m)
							       : 0;

	w->item->expanded = true;
	for (struct item_value *v = w->item->values; v && r == 0; v = v->next) {
		struct expansion e = {.w = w, .value = v};

		r = text_expand(&e, v->texts[0].s, 0, 0);
		v->texts = e.texts;
		v->n_texts = e.n;
	}
	return r;
}

static const struct modifier modifiers[] = {
	{"contains", mod_any, BEFORE | AFTER, NULL},
	{"startswith", mod_any, AFTER, NULL},
	{"endswith", mod_any, BEFORE, NULL},
	{"all", mod_flag, 0, NULL},
	{"neq", mod_flag, 1, NULL},
	{"cased", mod_flag, 2, NULL},
	{"exists", mod_kind, ITEM_EXISTS, NULL},
	{"windash", mod_encode, 0, encode_windash},
	{"re", mod_kind, ITEM_REGEX, NULL},
	{"i", mod_regex_flag, REGEX_I, NULL},
	{"m", mod_regex_flag, REGEX_M, NULL},
	{"s", mod_regex_flag, REGEX_S, NULL},
	{"base64", mod_encode, 0, encode_base64},
	{"base64offset", mod_encode, 0, encode_base64offset},
	{"wide", mod_encode, 0, encode_utf16le},
	{"utf16le", mod_encode, 0, encode_utf16le},
	{"utf16be", mod_encode, 0, encode_utf16be},
	{"utf16", mod_encode, 0, encode_utf16},
	{"lt", mod_compare, ITEM_LT, NULL},
	{"lte", mod_compare, ITEM_LTE, NULL},
	{"gt", mod_compare, ITEM_GT, NULL},
	{"gte", mod_compare, ITEM_GTE, NULL},
	{"minute", mod_part, WHEN_MINUTE, NULL},
	{"hour", mod_part, WHEN_HOUR, NULL},
	{"day", mod_part, WHEN_DAY, NULL},
	{"week", mod_part, WHEN_WEEK, NULL},
	{"month", mod_part, WHEN_MONTH, NULL},
	{"year", mod_part, WHEN_YEAR, NULL},
	{"cidr", mod_kind, ITEM_CIDR, NULL},
	{"expand", mod_expand, 0, NULL},
	{"fieldref", mod_fieldref, 0, NULL},
};
#define MODIFIERS (sizeof(modifiers) / sizeof(modifiers[0]))

static const char *modifier_name(const void *ctx, unsigned i)
{
	(void)ctx;
	return i < MODIFIERS ? modifiers[i].name : NULL;
}

static int modifier_apply(struct work *w, const char *name)
{
	const char *near;

	for (size_t i = 0; i < MODIFIERS; i++)
		if (strcmp(modifiers[i].name, name) == 0)
			return modifiers[i].apply(w, &modifiers[i]);
	near = diag_near(name, modifier_name, NULL);
	return diag_mistake_in(w->o->diag, w->key, w->offset, "unknown modifier '%.40s'%s%s%s",
			       name, near ? "; did you mean '" : "", near ? near : "",
			       near ? "'?" : "");
}

/* ---- values ---- */

static bool is_null(const struct doc_node *n)
{
	return n->type == DOC_SCALAR && n->plain &&
	       (!n->len || strcmp(n->text, "~") == 0 || strcasecmp(n->text, "null") == 0);
}

static int value_add(struct work *w, struct item_value ***end, const struct doc_node *n)
{
	struct item_value *v = arena_alloc(w->o->arena, sizeof(*v));
	struct item_text *text = arena_alloc(w->o->arena, sizeof(*text));

	if (!v || !text)
		return -ENOMEM;
	if (!doc_text(n))
		return diag_mistake(w->o->diag, n, "a value is expected here");
	*text = (struct item_text){n->text, n->len};
	*v = (struct item_value){.at = n, .texts = text, .n_texts = 1};
	**end = v;
	*end = &v->next;
	w->item->n_values++;
	return 0;
}

static int values_take(struct work *w, const struct doc_node *values)
{
	struct item_value **end = &w->item->values;
	int r = 0;

	if (is_null(values)) {
		w->item->kind = ITEM_NULL;
		return 0;
	}
	if (values->type != DOC_LIST)
		return value_add(w, &end, values);
	if (!values->first)
		return diag_mistake(w->o->diag, values, "an empty list matches nothing");
	for (const struct doc_node *n = values->first; n && r == 0; n = n->next)
		r = is_null(n) ? diag_mistake(w->o->diag, n,
					      "null cannot be part of a list: write a search of "
					      "its own")
			       : value_add(w, &end, n);
	return r;
}

/* ---- what the modifiers left ---- */

static int strings_finish(struct work *w)
{
	const struct item *i = w->item;
	int r = 0;

	for (struct item_value *v = i->values; v && r == 0; v = v->next) {
		r = v->patterns ? 0 : patterns_parse(w, v);
		for (size_t k = 0; r == 0 && k < v->n_patterns; k++)
			r = pattern_open(w->o->arena, &v->patterns[k], i->any_before, i->any_after,
					 &v->patterns[k]);
	}
	return r;
}

static int exists_finish(struct work *w)
{
	const struct item_value *v = w->item->values;

	if (w->item->n_values != 1 ||
	    (strcasecmp(v->texts->s, "true") != 0 && strcasecmp(v->texts->s, "false") != 0))
		return diag_mistake(w->o->diag, v->at, "exists: write true or false");
	w->item->exists = strcasecmp(v->texts->s, "true") == 0;
	return 0;
}

static int item_finish(struct work *w)
{
	struct item *i = w->item;

	if (i->kind == ITEM_NULL)
		return 0;
	if (i->all && i->neq)
		return diag_mistake(w->o->diag, w->key,
				    "neq is none of the values: all cannot be with it");
	if (i->neq && i->kind == ITEM_EXISTS)
		return diag_mistake(w->o->diag, w->key, "neq is not for exists: write exists: %s",
				    strcasecmp(i->values->texts->s, "true") == 0 ? "false"
										 : "true");
	if (i->all && i->n_values == 1 && !i->expanded)
		return diag_mistake(w->o->diag, w->key, "all is for a list of two values or more");
	if (i->cased && i->kind != ITEM_STRING && i->kind != ITEM_FIELD)
		return diag_mistake(w->o->diag, w->key, "'cased' is not for '%s'",
				    kind_name(i->kind));
	if (!*i->field && i->kind != ITEM_STRING && i->kind != ITEM_REGEX)
		return diag_mistake(w->o->diag, w->key, "'%s' needs a field", kind_name(i->kind));
	if (!*i->field && i->any_before != i->any_after)
		return diag_mistake(w->o->diag, w->key, "startswith and endswith need a field");
	if (i->kind == ITEM_REGEX && i->any_before != i->any_after)
		i->regex_flags |= i->any_after ? REGEX_BEGINS : REGEX_ENDS;
	if (!*i->field && i->kind == ITEM_STRING)
		i->any_before = i->any_after = true;
	return i->kind == ITEM_STRING	? strings_finish(w)
	       : i->kind == ITEM_EXISTS ? exists_finish(w)
					: 0;
}

static int modifiers_apply(struct work *w, const char *text)
{
	const char *bar = strchr(text, '|');
	int r = 0;

	while (bar && r == 0) {
		const char *next = strchr(bar + 1, '|');
		size_t len = next ? (size_t)(next - bar - 1) : strlen(bar + 1);
		char *name = arena_strndup(w->o->arena, bar + 1, len);

		w->offset = (unsigned)(bar + 1 - text);
		if (w->item->kind == ITEM_NULL && name && strcmp(name, "neq") != 0)
			return diag_mistake_in(w->o->diag, w->key, w->offset,
					       "'%.40s' is not for null", name);
		r = name ? modifier_apply(w, name) : -ENOMEM;
		bar = next;
	}
	return r;
}

int item_parse(const struct item_opts *o, const struct doc_node *key, const struct doc_node *values,
	       struct item *ret_item)
{
	struct item item = {.at = key ? key : values, .field = ""};
	struct work w = {.o = o, .item = &item, .key = item.at};
	const char *text = key ? doc_text(key) : "";
	int r;

	if (!text)
		return diag_mistake(o->diag, key, "a field is expected here");
	item.field = arena_strndup(o->arena, text, strcspn(text, "|"));
	if (!item.field)
		return -ENOMEM;
	r = values_take(&w, values);
	if (r == 0 && item.kind == ITEM_NULL && !*item.field)
		r = diag_mistake(o->diag, values, "null needs a field");
	if (r == 0)
		r = modifiers_apply(&w, text);
	if (r == 0)
		r = item_finish(&w);
	if (r == 0)
		*ret_item = item;
	return r;
}
