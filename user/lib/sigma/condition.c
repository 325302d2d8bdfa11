// SPDX-License-Identifier: Apache-2.0
// Conditions, by recursive descent: or < and < not < x of < ( ).
#include "lib/sigma/condition.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/doc.h"
#include "lib/sigma/diag.h"

#define DEPTH_MAX 64

struct parse {
	struct arena *arena;
	struct diag *diag;
	const struct doc_node *at;
	struct condition_search *searches;
	size_t n_searches;
	const char *next;  /* not yet read */
	const char *token; /* the present one */
	size_t len;	   /* 0: the end */
	unsigned depth;
};

#define SPACES " \t\r\n"

static void advance(struct parse *p)
{
	p->token = p->next + strspn(p->next, SPACES);
	p->len = *p->token == '(' || *p->token == ')' || *p->token == '|'
			 ? 1
			 : strcspn(p->token, SPACES "()|");
	p->next = p->token + p->len;
}

static bool token_is(const struct parse *p, const char *word)
{
	return strlen(word) == p->len && strncasecmp(p->token, word, p->len) == 0;
}

static int wrong(struct parse *p, const char *what)
{
	unsigned offset = (unsigned)(p->token - p->at->text);

	if (p->len)
		return diag_mistake_in(p->diag, p->at, offset, "condition: '%.*s': %s",
				       (int)(p->len < 60 ? p->len : 60), p->token, what);
	return diag_mistake_in(p->diag, p->at, offset, "condition: at its end: %s", what);
}

/* "*" any number of characters; nothing else is special. */
static bool name_matches(const char *pattern, size_t len, const char *name)
{
	size_t k = 0, star = SIZE_MAX;
	const char *mark = name;

	while (*name) {
		if (k < len && pattern[k] == '*') {
			star = k++;
			mark = name;
		} else if (k < len && pattern[k] == *name) {
			k++;
			name++;
		} else if (star != SIZE_MAX) {
			k = star + 1;
			name = ++mark;
		} else {
			return false;
		}
	}
	while (k < len && pattern[k] == '*')
		k++;
	return k == len;
}

static const char *search_name(const void *ctx, unsigned i)
{
	const struct parse *p = ctx;

	return i < p->n_searches ? p->searches[i].name : NULL;
}

static int search_take(struct parse *p, const struct expr **ret)
{
	char *name = arena_strndup(p->arena, p->token, p->len);
	const char *near;
	char text[200];

	if (!name)
		return -ENOMEM;
	for (size_t i = 0; i < p->n_searches; i++) {
		if (strcmp(p->searches[i].name, name) != 0)
			continue;
		p->searches[i].used = true;
		advance(p);
		*ret = expr_leaf(p->arena, (uint32_t)i);
		return *ret ? 0 : -ENOMEM;
	}
	near = diag_near(name, search_name, p);
	snprintf(text, sizeof(text), "no such search%s%.80s%s", near ? "; did you mean '" : "",
		 near ? near : "", near ? "'?" : "");
	return wrong(p, text);
}

/* After "1 of" or "all of". */
static int group_take(struct parse *p, enum expr_op op, const struct expr **ret)
{
	const struct expr *kids[CONDITION_SEARCHES_MAX];
	bool them = token_is(p, "them");
	size_t n = 0;

	if (!p->len || token_is(p, "(") || token_is(p, ")"))
		return wrong(p, "'them' or a pattern of names is expected here");
	for (size_t i = 0; i < p->n_searches && n < CONDITION_SEARCHES_MAX; i++) {
		const char *name = p->searches[i].name;

		if (them ? *name == '_' : !name_matches(p->token, p->len, name))
			continue;
		p->searches[i].used = true;
		kids[n++] = expr_leaf(p->arena, (uint32_t)i);
	}
	if (!n)
		return wrong(p, "no search has such a name");
	advance(p);
	*ret = expr_list(p->arena, op, kids, n);
	return *ret ? 0 : -ENOMEM;
}

static int or_take(struct parse *p, const struct expr **ret);

static int nested_take(struct parse *p, const struct expr **ret)
{
	int r;

	advance(p);
	r = or_take(p, ret);
	if (r == 0 && !token_is(p, ")"))
		return wrong(p, "')' is expected here");
	if (r == 0)
		advance(p);
	return r;
}

static int unit_take(struct parse *p, const struct expr **ret)
{
	bool all = token_is(p, "all"), number = p->len && strspn(p->token, "0123456789") >= p->len;
	const char *after = p->next + strspn(p->next, SPACES);
	bool of = strncasecmp(after, "of", 2) == 0 && strchr(SPACES "(", after[2]);

	if (token_is(p, "("))
		return nested_take(p, ret);
	if (of && token_is(p, "any"))
		return wrong(p, "write '1 of'");
	if (of && number && !token_is(p, "1"))
		return wrong(p, "only '1 of' and 'all of' are Sigma");
	if (of && (all || number)) {
		advance(p);
		advance(p);
		return group_take(p, all ? EXPR_AND : EXPR_OR, ret);
	}
	if (token_is(p, "|"))
		return wrong(p, "aggregations are of Sigma 1: write a correlation rule");
	if (!p->len || token_is(p, ")") || token_is(p, "and") || token_is(p, "or"))
		return wrong(p, "the name of a search is expected here");
	return search_take(p, ret);
}

static int not_take(struct parse *p, const struct expr **ret)
{
	bool negated = token_is(p, "not");
	int r;

	if (!negated)
		return unit_take(p, ret);
	if (++p->depth > DEPTH_MAX)
		return wrong(p, "nested too deep");
	advance(p);
	r = not_take(p, ret);
	p->depth--;
	if (r < 0)
		return r;
	*ret = expr_not(p->arena, *ret);
	return *ret ? 0 : -ENOMEM;
}

/* One or more, with `word` between them. */
static int list_take(struct parse *p, enum expr_op op, const struct expr **ret)
{
	const char *word = op == EXPR_AND ? "and" : "or";
	const struct expr *kids[CONDITION_SEARCHES_MAX];
	size_t n = 0;
	int r;

	do {
		if (n)
			advance(p);
		if (n == CONDITION_SEARCHES_MAX)
			return wrong(p, "too long a list");
		r = op == EXPR_AND ? not_take(p, &kids[n++]) : list_take(p, EXPR_AND, &kids[n++]);
	} while (r == 0 && token_is(p, word));
	if (r < 0)
		return r;
	*ret = expr_list(p->arena, op, kids, n);
	return *ret ? 0 : -ENOMEM;
}

static int or_take(struct parse *p, const struct expr **ret)
{
	int r;

	if (++p->depth > DEPTH_MAX)
		return wrong(p, "nested too deep");
	r = list_take(p, EXPR_OR, ret);
	p->depth--;
	return r;
}

static int text_parse(struct parse *p, const struct doc_node *at, const struct expr **ret)
{
	int r;

	p->at = at;
	p->next = doc_text(at);
	if (!p->next)
		return diag_mistake(p->diag, at, "condition: a text is expected here");
	p->depth = 0;
	advance(p);
	r = or_take(p, ret);
	if (r == 0 && p->len)
		return wrong(p, token_is(p, "|")
					? "aggregations are of Sigma 1: write a correlation rule"
					: "'and' or 'or' is expected here");
	return r;
}

int condition_parse(struct arena *a, struct diag *d, const struct doc_node *at,
		    struct condition_search *searches, size_t n, const struct expr **ret_expr)
{
	struct parse p = {.arena = a, .diag = d, .searches = searches, .n_searches = n};
	const struct expr *kids[CONDITION_SEARCHES_MAX];
	size_t k = 0;
	int r = 0;

	if (at->type != DOC_LIST)
		return text_parse(&p, at, ret_expr);
	if (!at->len || at->len > CONDITION_SEARCHES_MAX)
		return diag_mistake(d, at, "condition: 1 to %d texts are expected here",
				    CONDITION_SEARCHES_MAX);
	for (const struct doc_node *i = at->first; i && r == 0; i = i->next)
		r = text_parse(&p, i, &kids[k++]);
	if (r < 0)
		return r;
	*ret_expr = expr_list(a, EXPR_OR, kids, k);
	return *ret_expr ? 0 : -ENOMEM;
}
