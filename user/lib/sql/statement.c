// SPDX-License-Identifier: Apache-2.0
// The statement scan: one pass over the tokens, looking at what stands before a name.
#include "lib/sql/statement.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define DEPTH_MAX 2 /* SQL inside strings inside strings */

struct scan {
	struct sql_statement *s;
	enum sql_dialect dialect;
	unsigned depth;
	struct sql_token t;	 /* the present token */
	struct sql_token before; /* and the one before */
	bool expect;		 /* a relation may stand here */
	bool in_list;		 /* in a FROM list: a comma brings another */
	int paren, list_paren;
	bool selects;
	unsigned words;
};

static bool one_of(const struct sql_token *t, const char *const *list)
{
	for (; *list; list++)
		if (sql_is(t, *list))
			return true;
	return false;
}

/* After these a relation's name stands. */
static const char *const introducers[] = {"from",  "join",     "update",  "into",
					  "table", "using",    "handler", "copy",
					  "only",  "truncate", "lateral", NULL};
/* These end a FROM list. */
static const char *const clauses[] = {
	"where",  "group", "order",  "having", "limit",	 "union",     "set",	   "values", "on",
	"offset", "fetch", "window", "for",    "except", "intersect", "returning", "select", NULL};
/* Never a relation, though they may stand after an introducer. */
static const char *const modifiers[] = {
	"if",	    "not",     "exists",       "only",	  "lateral",	   "select",   "outfile",
	"dumpfile", "ignore",  "low_priority", "temp",	  "temporary",	   "unlogged", "stdin",
	"stdout",   "program", "concurrently", "delayed", "high_priority", NULL};
/* FROM inside these calls is no FROM clause: extract(year from x). */
static const char *const from_functions[] = {"extract", "substring", "trim",
					     "overlay", "position",  NULL};
static const char *const ddl_verbs[] = {"create", "alter",   "drop",	"truncate", "rename",
					"vacuum", "cluster", "reindex", "optimize", NULL};

static void relation_add(struct scan *c, const char *schema, const char *name)
{
	struct sql_statement *s = c->s;

	for (unsigned i = 0; i < s->n_relations; i++)
		if (strcmp(s->relations[i].schema, schema) == 0 &&
		    strcmp(s->relations[i].name, name) == 0)
			return;
	if (s->n_relations == SQL_RELATIONS_MAX) {
		s->more_relations = true;
		return;
	}
	snprintf(s->relations[s->n_relations].schema, SQL_NAME_MAX, "%s", schema);
	snprintf(s->relations[s->n_relations].name, SQL_NAME_MAX, "%s", name);
	s->relations[s->n_relations++].weak = c->depth > 0;
}

static bool is_name(const struct sql_token *t)
{
	return t->kind == SQL_WORD || t->kind == SQL_QUOTED;
}

static struct sql_token ahead(const struct sql_lexer *l)
{
	struct sql_lexer copy = *l;

	return sql_next(&copy);
}

/* The present token begins a name: a, a.b or a.b.c. A call is no relation. */
static void relation(struct scan *c, struct sql_lexer *l)
{
	char parts[3][SQL_NAME_MAX] = {""};
	struct sql_token next;
	unsigned n = 0;

	sql_identifier(&c->t, c->dialect, parts[n++], SQL_NAME_MAX);
	while ((next = ahead(l), sql_is_punct(&next, '.')) && n < 3) {
		sql_next(l);
		next = ahead(l);
		if (!is_name(&next))
			break;
		c->t = sql_next(l);
		sql_identifier(&c->t, c->dialect, parts[n++], SQL_NAME_MAX);
	}
	if (sql_is_punct(&next, '(') && !sql_is(&c->before, "into") &&
	    !sql_is(&c->before, "copy") && !sql_is(&c->before, "table"))
		return;
	relation_add(c, n > 1 ? parts[n - 2] : "", parts[n - 1]);
}

static void scan_text(struct scan *c, const char *text, size_t len);

/* A string may hold SQL: dblink(..., 'select'), EXECUTE IMMEDIATE, DO $$...$$, query_to_xml(). */
static void scan_string(struct scan *c)
{
	struct scan inner = {.s = c->s, .dialect = c->dialect, .depth = c->depth + 1};

	/* A call that takes a relation by name: pg_relation_filepath('staff'). */
	inner.expect = sql_is_punct(&c->before, '(');
	if (c->depth < DEPTH_MAX && (inner.expect || c->t.body_len > 6))
		scan_text(&inner, c->t.body, c->t.body_len);
}

static void first_words(struct scan *c, struct sql_lexer *l)
{
	struct sql_statement *s = c->s;
	struct sql_token next = ahead(l);
	bool prepares = sql_is(&c->t, "prepare");

	if (c->words++ == 0 && c->t.kind == SQL_WORD) {
		for (size_t i = 0; i < c->t.len && i + 1 < sizeof(s->verb); i++)
			s->verb[i] = (char)tolower((unsigned char)c->t.at[i]);
		s->ddl = one_of(&c->t, ddl_verbs);
		if (sql_is(&c->t, "execute") && is_name(&next) && !sql_is(&next, "immediate"))
			sql_identifier(&next, c->dialect, s->uses_prepared, SQL_NAME_MAX);
		if (sql_is(&c->t, "use") && is_name(&next))
			sql_identifier(&next, c->dialect, s->database, SQL_NAME_MAX);
		if (prepares && is_name(&next))
			sql_identifier(&next, c->dialect, s->prepares, SQL_NAME_MAX);
		if (sql_is(&c->t, "declare") && is_name(&next))
			sql_identifier(&next, c->dialect, s->declares, SQL_NAME_MAX);
		if (sql_is(&c->t, "start_replication"))
			snprintf(s->replication, sizeof(s->replication), "physical");
		if (sql_is(&c->t, "base_backup"))
			snprintf(s->replication, sizeof(s->replication), "base_backup");
	}
	if (sql_is(&c->t, "logical") && strcmp(s->verb, "start_replication") == 0)
		snprintf(s->replication, sizeof(s->replication), "logical");
}

/* FETCH [direction] [FROM | IN] name: the last name is the cursor. */
static void fetch_name(struct scan *c)
{
	if (c->depth == 0 && is_name(&c->t) && strcmp(c->s->verb, "fetch") == 0 && c->words > 1)
		sql_identifier(&c->t, c->dialect, c->s->uses_portal, SQL_NAME_MAX);
}

static void destinations(struct scan *c, struct sql_lexer *l)
{
	struct sql_statement *s = c->s;
	struct sql_token next = ahead(l);
	bool copy = strcmp(s->verb, "copy") == 0 && c->paren == 0;

	if (copy && sql_is(&c->t, "to"))
		s->to_server |= next.kind == SQL_STRING || sql_is(&next, "program");
	if (copy && sql_is(&c->t, "from"))
		s->copy_from = true;
	if (sql_is(&c->t, "into") && (sql_is(&next, "outfile") || sql_is(&next, "dumpfile") ||
				      strcmp(s->verb, "select") == 0))
		s->to_server = true;
	if (sql_is(&c->t, "select")) {
		if (strcmp(s->verb, "create") == 0 || strcmp(s->verb, "insert") == 0 ||
		    strcmp(s->verb, "replace") == 0)
			s->to_server = true;
		c->selects = true;
	}
	s->where |= sql_is(&c->t, "where");
	s->offset |= sql_is(&c->t, "offset");
}

static void parenthesis(struct scan *c)
{
	c->paren += sql_is_punct(&c->t, '(') ? 1 : sql_is_punct(&c->t, ')') ? -1 : 0;
	if (c->in_list && c->paren < c->list_paren)
		c->in_list = false;
}

/* Does this FROM open a FROM list? Not in DISTINCT FROM or extract(year FROM x). */
static bool introduces(const struct scan *c, bool in_function)
{
	if (!one_of(&c->t, introducers))
		return false;
	if (sql_is(&c->t, "from"))
		return !sql_is(&c->before, "distinct") && !in_function;
	/* JOIN ... USING (column): only DELETE's USING names relations. */
	if (sql_is(&c->t, "using"))
		return strcmp(c->s->verb, "delete") == 0;
	/* LOCK TABLE, ALTER TABLE, TABLE staff; not the column or function of that name. */
	return !sql_is_punct(&c->before, '.');
}

static void scan_text(struct scan *c, const char *text, size_t len)
{
	struct sql_lexer l;
	bool in_function = false;
	int function_paren = 0;

	sql_lexer_init(&l, c->dialect, text, len);
	for (; (c->t = sql_next(&l)).kind != SQL_END; c->before = c->t) {
		parenthesis(c);
		if (in_function && c->paren < function_paren)
			in_function = false;
		if (c->t.kind == SQL_STRING) {
			scan_string(c);
			c->expect = false;
			continue;
		}
		if (c->depth == 0) {
			first_words(c, &l);
			fetch_name(c);
			destinations(c, &l);
		}
		if (one_of(&c->t, from_functions) && ahead(&l).kind == SQL_PUNCT) {
			in_function = true;
			function_paren = c->paren + 1;
		}
		if (introduces(c, in_function)) {
			c->expect = true;
			c->in_list = sql_is(&c->t, "from") || sql_is(&c->t, "using") ||
				     sql_is(&c->t, "table") || sql_is(&c->t, "tables") ||
				     sql_is(&c->t, "update");
			c->list_paren = c->paren;
		} else if (c->expect && is_name(&c->t) && !one_of(&c->t, modifiers)) {
			relation(c, &l);
			c->expect = false;
		} else if (one_of(&c->t, clauses)) {
			c->expect = c->expect && sql_is(&c->t, "only");
			c->in_list = false;
		} else if (c->in_list && sql_is_punct(&c->t, ',') && c->paren == c->list_paren) {
			c->expect = true;
		} else if (c->t.kind == SQL_PUNCT && !sql_is_punct(&c->t, '(')) {
			c->expect = false;
		}
	}
}

/* Length of the text up to a top-level semicolon; *ret_empty: nothing but comments there. */
static size_t statement_length(enum sql_dialect dialect, const char *text, size_t len,
			       bool *ret_empty)
{
	struct sql_lexer l;
	struct sql_token t;

	*ret_empty = true;
	sql_lexer_init(&l, dialect, text, len);
	while ((t = sql_next(&l)).kind != SQL_END) {
		if (sql_is_punct(&t, ';'))
			return (size_t)(t.at - text);
		*ret_empty = false;
	}
	return len;
}

bool sql_statement_next(enum sql_dialect dialect, const char **text, size_t *len,
			struct sql_statement *ret)
{
	bool empty = true;
	size_t n = 0;

	while (*len && empty) {
		n = statement_length(dialect, *text, *len, &empty);
		memset(ret, 0, sizeof(*ret));
		ret->text = *text;
		ret->len = n;
		if (n < *len)
			n++;
		*text += n;
		*len -= n;
	}
	if (empty)
		return false;
	scan_text(&(struct scan){.s = ret, .dialect = dialect}, ret->text, ret->len);
	return true;
}
