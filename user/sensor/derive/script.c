// SPDX-License-Identifier: Apache-2.0
// Texts to queries: the SQL scan of the library, matched against the watch set.
#include "sensor/derive/script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/sql/fold.h"
#include "lib/sql/statement.h"
#include "sensor/watch.h"

#define FOLDED_MAX 2048

/* More names than a statement's lists hold: any watched table may be among them. */
static void query_all_tables(struct query *q, Rollcall__System system, const struct watch *watch,
			     const char *database)
{
	bool pg = system == ROLLCALL__SYSTEM__postgresql;

	for (unsigned i = 0; i < watch_count(watch); i++) {
		const struct watchname *t = watch_table(watch, i);

		q->weak |= watch_match_name(watch, system, database, pg ? t->schema : t->database,
					    t->table);
	}
}

static void query_tables(struct query *q, const struct sql_statement *st, Rollcall__System system,
			 const struct watch *watch, const char *database)
{
	for (unsigned i = 0; i < st->n_relations; i++) {
		const struct sql_relation *r = &st->relations[i];
		uint64_t mask = watch_match_name(watch, system, database, r->schema, r->name);

		if (r->weak)
			q->weak |= mask;
		else
			q->strong |= mask;
		if (r->written)
			q->routine |=
				watch_match_trigger(watch, system, database, r->schema, r->name);
	}
	if (st->more_names)
		query_all_tables(q, system, watch, database);
}

static void query_routines(struct query *q, const struct sql_statement *st, Rollcall__System system,
			   const struct watch *watch, const char *database)
{
	for (unsigned i = 0; i < st->n_calls; i++) {
		const struct sql_call *call = &st->calls[i];
		char schema[SQL_RELATION_MAX] = "", name[SQL_RELATION_MAX];

		if (call->schema.len)
			sql_identifier(&call->schema, SQL_MYSQL, schema, sizeof(schema));
		sql_identifier(&call->name, SQL_MYSQL, name, sizeof(name));
		q->routine |= watch_match_routine(watch, system, database, schema, name);
		/* Of a package's routines the qualifier is the package (sql_mode ORACLE). */
		if (*schema)
			q->routine |= watch_match_routine(watch, system, database, "", schema);
	}
}

/* What a statement that has no query of its own does, the last one may do. */
static void query_add(struct query *q, const struct sql_statement *st, Rollcall__System system,
		      const struct watch *watch, const char *database)
{
	q->copy_from &= st->copy_from;
	q->server_copy |= st->to_server;
	q->point &= st->where && !st->offset;
	query_tables(q, st, system, watch, database);
	query_routines(q, st, system, watch, database);
}

/* NULL when there are none, or no memory. */
static struct sql_relation *relations_copy(const struct sql_relation *r, unsigned n)
{
	struct sql_relation *copy = n ? calloc(n, sizeof(*copy)) : NULL;

	if (copy)
		memcpy(copy, r, n * sizeof(*copy));
	return copy;
}

static void query_fill(struct query *q, const struct sql_statement *st, Rollcall__System system,
		       const struct watch *watch, const char *database)
{
	enum sql_dialect dialect =
		system == ROLLCALL__SYSTEM__postgresql ? SQL_POSTGRESQL : SQL_MYSQL;
	char folded[FOLDED_MAX];
	uint64_t hash = sql_fold(dialect, st->text, st->len, folded, sizeof(folded));

	snprintf(q->fingerprint, sizeof(q->fingerprint), "%016llx", (unsigned long long)hash);
	q->folded = strdup(folded);
	memcpy(q->declares, st->declares, sizeof(q->declares));
	memcpy(q->prepares, st->prepares, sizeof(q->prepares));
	memcpy(q->uses_portal, st->uses_portal, sizeof(q->uses_portal));
	memcpy(q->uses_prepared, st->uses_prepared, sizeof(q->uses_prepared));
	memcpy(q->database, st->database, sizeof(q->database));
	memcpy(q->replication, st->replication, sizeof(q->replication));
	q->copy_from = st->copy_from;
	q->server_copy = st->to_server;
	q->point = st->where && !st->offset;
	q->ddl = st->ddl;
	q->creates = st->creates;
	q->created = relations_copy(&st->created, st->creates != SQL_CREATES_NOTHING);
	q->renamed = relations_copy(st->renamed, st->n_renamed);
	q->n_renamed = q->renamed ? st->n_renamed : 0;
	q->call = dialect == SQL_MYSQL && strcmp(st->verb, "call") == 0;
	query_tables(q, st, system, watch, database);
	query_routines(q, st, system, watch, database);
}

struct script *script_new(const char *text, size_t len, Rollcall__System system,
			  const struct watch *watch, const char *database)
{
	enum sql_dialect dialect =
		system == ROLLCALL__SYSTEM__postgresql ? SQL_POSTGRESQL : SQL_MYSQL;
	struct sql_statement st;
	struct script *s = calloc(1, sizeof(*s) + sizeof(s->queries[0])), *grown;

	if (!s)
		return NULL;
	s->refs = 1;
	while (sql_statement_next(dialect, &text, &len, &st)) {
		if (s->n == SCRIPT_STATEMENTS_MAX) {
			query_add(&s->queries[s->n - 1], &st, system, watch, database);
			continue;
		}
		grown = realloc(s, sizeof(*s) + (s->n + 1) * sizeof(s->queries[0]));
		if (!grown)
			break;
		s = grown;
		memset(&s->queries[s->n], 0, sizeof(s->queries[0]));
		query_fill(&s->queries[s->n], &st, system, watch, database);
		s->n++;
	}
	return s;
}

struct script *script_ref(struct script *s)
{
	if (s)
		s->refs++;
	return s;
}

void script_unref(struct script *s)
{
	if (!s || --s->refs)
		return;
	for (unsigned i = 0; i < s->n; i++) {
		free(s->queries[i].folded);
		free(s->queries[i].created);
		free(s->queries[i].renamed);
	}
	free(s);
}

uint64_t script_query_tables(const struct query *q)
{
	return q->strong | q->weak | q->routine;
}

uint64_t script_created(const struct script *s, const struct query *q)
{
	uint64_t mask = q->created ? script_query_tables(q) : 0;

	/* Semicolons in a body end no statement. */
	if (q->creates == SQL_CREATES_ROUTINE || q->creates == SQL_CREATES_TRIGGER)
		for (const struct query *body = q + 1; body < s->queries + s->n; body++)
			mask |= script_query_tables(body);
	return mask;
}

const struct query *script_query(const struct script *s, unsigned nth)
{
	if (!s || !s->n)
		return NULL;
	return &s->queries[nth < s->n ? nth : s->n - 1];
}

bool script_is_select(const struct script *s)
{
	const struct query *q = s && s->n == 1 ? &s->queries[0] : NULL;

	return q && q->folded && strncasecmp(q->folded, "select", 6) == 0 && !q->server_copy &&
	       !q->ddl && !q->created && !q->call && !q->uses_portal[0] && !q->uses_prepared[0];
}
