// SPDX-License-Identifier: Apache-2.0
// The statement scan: one pass over the tokens, looking at what stands before a name.
#include "lib/sql/statement.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define DEPTH_MAX 2 /* SQL inside strings inside strings */

struct scan {
	struct sql_statement *s;
	enum sql_dialect dialect;
	unsigned depth;
	struct sql_token t;	      /* the present token */
	struct sql_token before;      /* and the one before */
	bool expect;		      /* a relation may stand here */
	const char *const *modifiers; /* what may stand before it */
	bool callable;		      /* a name and a parenthesis are a call there */
	unsigned paren;		      /* how many are open */
	uint64_t lists;		      /* in which of them a comma brings another relation */
	bool inserts;
	bool writes; /* relations here are written, not read; MySQL */
	bool heads;  /* between CREATE and what it creates */
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
static const char *const introducers[] = {"from",     "join",	       "update",  "into",
					  "table",    "using",	       "handler", "copy",
					  "truncate", "straight_join", NULL};
/* After these a comma brings another. */
static const char *const list_openers[] = {"from",  "join", "straight_join", "using", "update",
					   "table", NULL};
/* These end a FROM list. */
static const char *const clauses[] = {"where",	   "group", "order",  "having", "limit",
				      "union",	   "set",   "values", "offset", "fetch",
				      "window",	   "for",   "except", "select", "intersect",
				      "returning", NULL};
/* Never a relation, though they may stand after an introducer: FROM, COPY, the others. */
static const char *const from_modifiers[] = {"only", "lateral", "select", "values", "with", NULL};
static const char *const copy_modifiers[] = {"binary", NULL};
static const char *const modifiers[] = {"if",	    "not",	    "exists",	     "only",
					"select",   "outfile",	    "dumpfile",	     "ignore",
					"temp",	    "low_priority", "high_priority", "temporary",
					"unlogged", "delayed",	    "concurrently",  NULL};
/* FROM inside these calls is no FROM clause: extract(year from x). */
static const char *const from_functions[] = {"extract", "substring", "trim",
					     "overlay", "position",  NULL};
/* Between these the tables stand whose triggers run. */
static const char *const write_verbs[] = {"insert", "replace", "update", "delete", "load", NULL};
static const char *const write_ends[] = {"select", "set", "value", "values", "where", NULL};
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
		s->more_names = true;
		return;
	}
	snprintf(s->relations[s->n_relations].schema, SQL_RELATION_MAX, "%s", schema);
	snprintf(s->relations[s->n_relations].name, SQL_RELATION_MAX, "%s", name);
	s->relations[s->n_relations].written = c->writes;
	s->relations[s->n_relations++].weak = c->depth > 0;
}

static bool is_name(const struct sql_token *t)
{
	return t->kind == SQL_WORD || t->kind == SQL_QUOTED;
}

static bool same_text(const struct sql_token *a, const struct sql_token *b)
{
	return a->kind == b->kind && a->len == b->len &&
	       (!a->len || memcmp(a->at, b->at, a->len) == 0);
}

static bool call_known(const struct sql_statement *s, const struct sql_call *call)
{
	for (unsigned i = 0; i < s->n_calls; i++)
		if (same_text(&s->calls[i].name, &call->name) &&
		    same_text(&s->calls[i].schema, &call->schema))
			return true;
	return false;
}

/* The present token begins a name: f(...), s.f(...), CALL p. */
static void call(struct scan *c, const struct sql_lexer *l)
{
	struct sql_statement *s = c->s;
	struct sql_lexer copy = *l;
	struct sql_call found = {.name = c->t};
	struct sql_token next = sql_next(&copy);

	while (sql_is_punct(&next, '.')) {
		found.schema = found.name;
		found.name = sql_next(&copy);
		next = sql_next(&copy);
	}
	if (!is_name(&found.name) || !(sql_is_punct(&next, '(') || sql_is(&c->before, "call")) ||
	    call_known(s, &found))
		return;
	if (s->n_calls == SQL_CALLS_MAX)
		s->more_names = true;
	else
		s->calls[s->n_calls++] = found;
}

/* Where a relation is expected, MySQL's "..." names one: ANSI_QUOTES is set then. */
static bool is_relation(const struct scan *c, const struct sql_token *t)
{
	return is_name(t) || (c->dialect == SQL_MYSQL && t->kind == SQL_STRING && *t->at == '"');
}

static struct sql_token ahead(const struct sql_lexer *l)
{
	struct sql_lexer copy = *l;

	return sql_next(&copy);
}

/* The present token begins a name: a, a.b or a.b.c. A call is no relation. */
static void relation(struct scan *c, struct sql_lexer *l)
{
	size_t max = c->dialect == SQL_POSTGRESQL ? SQL_NAME_MAX : SQL_RELATION_MAX;
	char parts[3][SQL_RELATION_MAX] = {""};
	struct sql_token next;
	unsigned n = 0;

	sql_identifier(&c->t, c->dialect, parts[n++], max);
	while ((next = ahead(l), sql_is_punct(&next, '.')) && n < 3) {
		sql_next(l);
		next = ahead(l);
		if (!is_relation(c, &next))
			break;
		c->t = sql_next(l);
		sql_identifier(&c->t, c->dialect, parts[n++], max);
	}
	if (!c->callable || !sql_is_punct(&next, '('))
		relation_add(c, n > 1 ? parts[n - 2] : "", parts[n - 1]);
}

static void scan_text(struct scan *c, const char *text, size_t len);

/* A string may hold SQL: dblink(..., 'select'), EXECUTE IMMEDIATE, DO $$...$$, query_to_xml(). */
static void scan_string(struct scan *c)
{
	struct scan inner = {
		.s = c->s,
		.dialect = c->dialect,
		.depth = c->depth + 1,
		.modifiers = modifiers,
	};

	/* A call that takes a relation by name: pg_relation_filepath('staff'). MySQL has none. */
	inner.expect = c->dialect == SQL_POSTGRESQL && sql_is_punct(&c->before, '(');
	if (c->depth < DEPTH_MAX && (inner.expect || c->t.body_len > 6))
		scan_text(&inner, c->t.body, c->t.body_len);
}

static void first_words(struct scan *c, struct sql_lexer *l)
{
	struct sql_statement *s = c->s;
	struct sql_token next = ahead(l);
	bool prepares = sql_is(&c->t, "prepare");

	/* EXECUTE may follow EXPLAIN and CREATE TABLE ... AS. */
	if (sql_is(&c->t, "execute") && is_name(&next) && !sql_is(&next, "immediate") &&
	    (c->words == 0 || sql_is(&c->before, "as") || strcmp(s->verb, "explain") == 0))
		sql_identifier(&next, c->dialect, s->uses_prepared, SQL_NAME_MAX);
	if (c->words == 0 && sql_is_punct(&c->t, '('))
		return;
	if (c->words++ == 0 && c->t.kind == SQL_WORD) {
		for (size_t i = 0; i < c->t.len && i + 1 < sizeof(s->verb); i++)
			s->verb[i] = (char)tolower((unsigned char)c->t.at[i]);
		s->ddl = one_of(&c->t, ddl_verbs);
		c->heads = sql_is(&c->t, "create") || sql_is(&c->t, "alter");
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

/* a, or a.b, from `t` on; what follows is read with the copy. */
static void name_read(const struct scan *c, struct sql_lexer *copy, struct sql_token t,
		      struct sql_relation *r)
{
	size_t max = c->dialect == SQL_POSTGRESQL ? SQL_NAME_MAX : SQL_RELATION_MAX;

	while (is_relation(c, &t)) {
		memcpy(r->schema, r->name, sizeof(r->schema));
		sql_identifier(&t, c->dialect, r->name, max);
		t = sql_next(copy);
		if (!sql_is_punct(&t, '.'))
			return;
		t = sql_next(copy);
	}
}

/* The name behind VIEW, FUNCTION and so on. */
static void created_name(struct scan *c, const struct sql_lexer *l)
{
	static const char *const before_name[] = {"if", "not", "exists", "body", NULL};
	struct sql_lexer copy = *l;
	struct sql_token t = sql_next(&copy);

	while (one_of(&t, before_name))
		t = sql_next(&copy);
	name_read(c, &copy, t, &c->s->created);
}

/* RENAME TABLE a TO b, c TO d; ALTER TABLE a RENAME [TO | AS | =] b, but RENAME COLUMN and so on.
 */
static void renames(struct scan *c, const struct sql_lexer *l)
{
	static const char *const parts[] = {"column", "index", "key", NULL};
	static const char *const before_name[] = {"to", "as", NULL};
	bool alters = strcmp(c->s->verb, "alter") == 0 && sql_is(&c->t, "rename");
	struct sql_lexer copy = *l;
	struct sql_token t = sql_next(&copy);

	if (!alters && !(strcmp(c->s->verb, "rename") == 0 && sql_is(&c->t, "to")))
		return;
	if (alters && one_of(&t, parts))
		return;
	while (alters && (one_of(&t, before_name) || sql_is_punct(&t, '=')))
		t = sql_next(&copy);
	if (c->s->n_renamed == SQL_RENAMED_MAX)
		c->s->more_names = true;
	else
		name_read(c, &copy, t, &c->s->renamed[c->s->n_renamed++]);
}

/* CREATE [OR REPLACE] [DEFINER = u@h] ... VIEW v AS; TRIGGER t BEFORE INSERT ON its_table */
static void creates(struct scan *c, const struct sql_lexer *l)
{
	static const char *const routines[] = {"function", "procedure", "package", NULL};
	static const char *const others[] = {"table", "index", "as", NULL};
	bool my = c->dialect == SQL_MYSQL;
	struct sql_statement *s = c->s;

	if (sql_is(&c->t, "view"))
		s->creates = SQL_CREATES_VIEW;
	else if (my && one_of(&c->t, routines))
		s->creates = SQL_CREATES_ROUTINE;
	else if (my && sql_is(&c->t, "trigger"))
		s->creates = SQL_CREATES_TRIGGER;
	c->heads = !one_of(&c->t, others) && !sql_is_punct(&c->t, '(');
	if (!s->creates || (s->creates == SQL_CREATES_TRIGGER && !sql_is(&c->t, "on")))
		return;
	created_name(c, l);
	c->heads = false;
}

/* FETCH [direction] [FROM | IN] name: the last name is the cursor. */
static void fetch_name(struct scan *c)
{
	if (c->depth == 0 && is_name(&c->t) && strcmp(c->s->verb, "fetch") == 0 && c->words > 1)
		sql_identifier(&c->t, c->dialect, c->s->uses_portal, SQL_NAME_MAX);
}

static bool verb_is(const struct scan *c, const char *verb)
{
	return strcmp(c->s->verb, verb) == 0;
}

/* A query stands here, as SELECT or as TABLE name. */
static bool begins_query(const struct scan *c)
{
	return sql_is(&c->t, "select") ||
	       (sql_is(&c->t, "table") &&
		(c->inserts || sql_is(&c->before, "as") || sql_is_punct(&c->before, '(')));
}

static void destinations(struct scan *c, struct sql_lexer *l)
{
	struct sql_statement *s = c->s;
	struct sql_token next = ahead(l);
	bool copy = verb_is(c, "copy") && c->paren == 0;

	if (copy && sql_is(&c->t, "to"))
		s->to_server |= next.kind == SQL_STRING || sql_is(&next, "program");
	if (copy && sql_is(&c->t, "from"))
		s->copy_from = true;
	/* WITH ... INSERT, WITH ... SELECT INTO too. */
	c->inserts |= verb_is(c, "insert") || verb_is(c, "replace") ||
		      (sql_is(&c->t, "insert") && sql_is(&next, "into"));
	if (sql_is(&c->t, "into") &&
	    (sql_is(&next, "outfile") || sql_is(&next, "dumpfile") ||
	     (!c->inserts && (verb_is(c, "select") || verb_is(c, "with")))))
		s->to_server = true;
	if ((c->inserts || verb_is(c, "create")) && begins_query(c))
		s->to_server = true;
	s->where |= sql_is(&c->t, "where");
	s->offset |= sql_is(&c->t, "offset");
}

/* Beyond 63 open parentheses any comma may bring a relation. */
static uint64_t list_bit(const struct scan *c)
{
	return 1ull << (c->paren < 63 ? c->paren : 63);
}

static void parenthesis(struct scan *c)
{
	if (sql_is_punct(&c->t, '(')) {
		c->paren++;
		/* FROM (a, b), but COPY (query) */
		if (c->modifiers == copy_modifiers)
			c->expect = false;
		c->lists &= ~list_bit(c);
		if (c->expect || c->paren >= 63)
			c->lists |= list_bit(c);
	} else if (sql_is_punct(&c->t, ')') && c->paren) {
		c->paren--;
	}
}

/* Does this word bring a relation? Not FROM in DISTINCT FROM or extract(year FROM x). */
static bool introduces(const struct scan *c, const struct sql_lexer *l, bool in_function)
{
	struct sql_token next;

	if (!one_of(&c->t, introducers))
		return false;
	if (sql_is(&c->t, "from"))
		return !sql_is(&c->before, "distinct") && !in_function &&
		       !(verb_is(c, "copy") && c->paren == 0);
	/* JOIN ... USING (column): only that of DELETE and MERGE names relations. */
	if (sql_is(&c->t, "using")) {
		next = ahead(l);
		return (verb_is(c, "delete") || verb_is(c, "merge") || verb_is(c, "with")) &&
		       (!sql_is_punct(&next, '(') || verb_is(c, "merge"));
	}
	/* ON DUPLICATE KEY UPDATE, ON CONFLICT DO UPDATE, FOR UPDATE. */
	if (sql_is(&c->t, "update"))
		return !sql_is(&c->before, "key") && !sql_is(&c->before, "do") &&
		       !sql_is(&c->before, "for");
	if (sql_is(&c->t, "join") && sql_is(&c->before, "for"))
		return false;
	/* SELECT STRAIGHT_JOIN columns FROM */
	if (sql_is(&c->t, "straight_join") && sql_is(&c->before, "select"))
		return false;
	/* LOCK TABLE, ALTER TABLE, TABLE staff; not the column or function of that name. */
	return !sql_is_punct(&c->before, '.');
}

static void introduce(struct scan *c)
{
	bool copy = sql_is(&c->t, "copy");

	c->expect = true;
	c->callable = sql_is(&c->t, "from") || sql_is(&c->t, "join") ||
		      sql_is(&c->t, "straight_join") || sql_is(&c->t, "using");
	c->modifiers = c->callable ? from_modifiers : copy ? copy_modifiers : modifiers;
	if (one_of(&c->t, list_openers))
		c->lists |= list_bit(c);
}

/* Does SET begin assignments? In PostgreSQL it may be an alias: FROM a SET, b. */
static bool assigns(const struct sql_lexer *l)
{
	struct sql_lexer copy = *l;
	struct sql_token name = sql_next(&copy), next = sql_next(&copy);

	return is_name(&name) && next.kind == SQL_PUNCT && strchr("=.[:", *next.at);
}

/* Does this word end a FROM list? Where a name may stand it is an alias or a hint. */
static bool ends_list(const struct scan *c, const struct sql_lexer *l)
{
	struct sql_token next;

	if (!one_of(&c->t, clauses))
		return false;
	/* MariaDB: USE INDEX FOR JOIN (i), FOR ORDER BY (i) */
	if (sql_is(&c->before, "for") ||
	    (sql_is(&c->t, "for") && (sql_is(&c->before, "index") || sql_is(&c->before, "key"))))
		return false;
	if (sql_is(&c->t, "values"))
		return sql_is_punct(&c->before, '(');
	if (sql_is(&c->t, "set"))
		return assigns(l);
	next = ahead(l);
	return !sql_is_punct(&next, ',');
}

/* A verb that writes: not the functions insert() and replace(), nor FOR UPDATE and its like. */
static bool begins_write(const struct scan *c, const struct sql_lexer *l)
{
	struct sql_token next;

	if (!one_of(&c->t, write_verbs) || sql_is(&c->before, "key") || sql_is(&c->before, "for"))
		return false;
	next = ahead(l);
	return !sql_is_punct(&next, '(');
}

/* MySQL: what is written, and what is called. */
static void effects(struct scan *c, const struct sql_lexer *l)
{
	if (begins_write(c, l))
		c->writes = true;
	else if (c->writes && one_of(&c->t, write_ends))
		c->writes = false;
	if (is_name(&c->t) && !sql_is_punct(&c->before, '.'))
		call(c, l);
}

static void scan_relations(struct scan *c, struct sql_lexer *l, bool in_function)
{
	if (introduces(c, l, in_function)) {
		introduce(c);
	} else if (c->expect && is_relation(c, &c->t) && !one_of(&c->t, c->modifiers)) {
		/* MySQL: FROM { OJ a LEFT JOIN b } */
		if (sql_is(&c->t, "oj") && sql_is_punct(&c->before, '{'))
			return;
		relation(c, l);
		c->expect = false;
	} else if (ends_list(c, l)) {
		c->expect = false;
		if (c->paren < 63)
			c->lists &= ~list_bit(c);
	} else if (sql_is_punct(&c->t, ',') && c->lists & list_bit(c)) {
		c->expect = c->callable = true;
		c->modifiers = from_modifiers;
	} else if (c->t.kind == SQL_PUNCT && !strchr("({.", *c->t.at)) {
		c->expect = false;
	}
}

static void scan_text(struct scan *c, const char *text, size_t len)
{
	struct sql_lexer l;
	unsigned function_paren = 0; /* of extract( and the like */

	sql_lexer_init(&l, c->dialect, text, len);
	for (; (c->t = sql_next(&l)).kind != SQL_END; c->before = c->t) {
		parenthesis(c);
		if (c->paren < function_paren)
			function_paren = 0;
		if (c->t.kind == SQL_STRING && !(c->expect && is_relation(c, &c->t))) {
			scan_string(c);
			c->expect = false;
			continue;
		}
		if (c->depth == 0) {
			first_words(c, &l);
			if (c->heads)
				creates(c, &l);
			if (c->dialect == SQL_MYSQL)
				renames(c, &l);
			fetch_name(c);
			destinations(c, &l);
		}
		if (c->dialect == SQL_MYSQL)
			effects(c, &l);
		if (one_of(&c->t, from_functions) && ahead(&l).kind == SQL_PUNCT)
			function_paren = c->paren + 1;
		scan_relations(c, &l, function_paren && c->paren == function_paren);
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
	const char *from = *text;
	size_t n, used = 0;

	while (*len && empty) {
		from = *text;
		used = n = statement_length(dialect, *text, *len, &empty);
		if (n < *len)
			n++;
		*text += n;
		*len -= n;
	}
	if (empty)
		return false;
	memset(ret, 0, sizeof(*ret));
	ret->text = from;
	ret->len = used;
	scan_text(&(struct scan){.s = ret, .dialect = dialect, .modifiers = modifiers}, ret->text,
		  ret->len);
	return true;
}
