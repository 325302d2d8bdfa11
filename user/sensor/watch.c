// SPDX-License-Identifier: Apache-2.0
// The watch set. Made in main; the detectors ask it, nobody else changes it.
#include "sensor/watch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/clean.h"
#include "lib/resolved.h"

/* Ids learnt from results, beyond those that setup resolved. */
#define OIDS_MAX 4096
/* Views and partitions that show a watched table, routines and triggers that read it. */
#define RELATIONS_MAX 1024

struct watch_relation {
	enum watch_dependence how;
	struct watchname name;
	uint64_t mask;
};

struct watch {
	unsigned n;
	struct watchname tables[WATCH_TABLES_MAX];
	char *texts[WATCH_TABLES_MAX];
	uint64_t rows[WATCH_TABLES_MAX];
	uint64_t pages[WATCH_TABLES_MAX];
	unsigned n_oids;
	struct watch_oid *oids;
	unsigned n_relations;
	struct watch_relation *relations;
	bool stale;
};

struct watch *watch_new(void)
{
	_cleanup_(watch_freep) struct watch *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->oids = calloc(OIDS_MAX, sizeof(*w->oids));
	w->relations = calloc(RELATIONS_MAX, sizeof(*w->relations));
	return w->oids && w->relations ? take_ptr(w) : NULL;
}

struct watch *watch_free(struct watch *w)
{
	if (!w)
		return NULL;
	for (unsigned i = 0; i < w->n; i++)
		free(w->texts[i]);
	free(w->oids);
	free(w->relations);
	free(w);
	return NULL;
}

void watch_freep(struct watch **w)
{
	*w = watch_free(*w);
}

static bool same_name(const struct watchname *a, const struct watchname *b)
{
	return a->system == b->system && strcmp(a->database, b->database) == 0 &&
	       strcmp(a->schema, b->schema) == 0 && strcmp(a->table, b->table) == 0;
}

int watch_add(struct watch *w, const struct watchname *name)
{
	for (unsigned i = 0; i < w->n; i++)
		if (same_name(&w->tables[i], name))
			return 0;
	if (w->n == WATCH_TABLES_MAX)
		return -ENOSPC;
	if (asprintf(&w->texts[w->n], "%s.%s%s%s", name->database, name->schema,
		     name->schema[0] ? "." : "", name->table) < 0)
		return -ENOMEM;
	w->tables[w->n++] = *name;
	return 0;
}

unsigned watch_count(const struct watch *w)
{
	return w->n;
}

const char *watch_table_name(const struct watch *w, unsigned i)
{
	return i < w->n ? w->texts[i] : "";
}

const struct watchname *watch_table(const struct watch *w, unsigned i)
{
	return i < w->n ? &w->tables[i] : NULL;
}

uint64_t watch_table_rows(const struct watch *w, unsigned i)
{
	return i < w->n ? w->rows[i] : 0;
}

uint64_t watch_table_pages(const struct watch *w, unsigned i)
{
	return i < w->n ? w->pages[i] : 0;
}

/* MariaDB's table names are compared without case: how the server compares them depends on its
 * file system, and a match too many is cheaper than one too few. */
static bool name_matches(const struct watchname *t, Rollcall__System system, const char *database,
			 const char *schema, const char *relation)
{
	bool pg = system == ROLLCALL__SYSTEM__postgresql;

	if ((t->system == ROLLCALL__SYSTEM__postgresql) != pg)
		return false;
	if (pg)
		return strcmp(t->database, database) == 0 && strcmp(t->table, relation) == 0 &&
		       (!*schema || !t->schema[0] || strcmp(t->schema, schema) == 0);
	/* What follows FROM is database.table there; without one, the session's own. */
	return strcasecmp(t->database, *schema ? schema : database) == 0 &&
	       strcasecmp(t->table, relation) == 0;
}

static uint64_t match_relations(const struct watch *w, enum watch_dependence how,
				Rollcall__System system, const char *database, const char *schema,
				const char *relation)
{
	uint64_t mask = 0;

	for (unsigned i = 0; i < w->n_relations; i++)
		if (w->relations[i].how == how &&
		    name_matches(&w->relations[i].name, system, database, schema, relation))
			mask |= w->relations[i].mask;
	return mask;
}

uint64_t watch_match_name(const struct watch *w, Rollcall__System system, const char *database,
			  const char *schema, const char *relation)
{
	uint64_t mask = match_relations(w, WATCH_SHOWS, system, database, schema, relation);

	for (unsigned i = 0; i < w->n; i++)
		if (name_matches(&w->tables[i], system, database, schema, relation))
			mask |= 1ull << i;
	return mask;
}

uint64_t watch_match_routine(const struct watch *w, Rollcall__System system, const char *database,
			     const char *schema, const char *routine)
{
	return match_relations(w, WATCH_ROUTINE, system, database, schema, routine);
}

uint64_t watch_match_trigger(const struct watch *w, Rollcall__System system, const char *database,
			     const char *schema, const char *relation)
{
	return match_relations(w, WATCH_TRIGGER, system, database, schema, relation);
}

static struct watch_oid *oid_find(const struct watch *w, const char *database, uint32_t oid)
{
	for (unsigned i = 0; i < w->n_oids; i++)
		if (w->oids[i].oid == oid && strcmp(w->oids[i].database, database) == 0)
			return &w->oids[i];
	return NULL;
}

uint64_t watch_match_oid(const struct watch *w, const char *database, uint32_t oid)
{
	const struct watch_oid *o = oid_find(w, database, oid);

	return o ? o->mask : 0;
}

void watch_learn_oid(struct watch *w, const char *database, uint32_t oid, uint64_t mask)
{
	struct watch_oid *o = oid_find(w, database, oid);

	if (!o) {
		if (w->n_oids == OIDS_MAX)
			return;
		o = &w->oids[w->n_oids++];
		snprintf(o->database, sizeof(o->database), "%s", database);
		o->oid = oid;
	}
	o->mask |= mask;
}

unsigned watch_oids(const struct watch *w)
{
	return w->n_oids;
}

const struct watch_oid *watch_oid(const struct watch *w, unsigned i)
{
	return i < w->n_oids ? &w->oids[i] : NULL;
}

/* The relation of this name, made if need be. NULL: there is no more room. */
static struct watch_relation *relation_get(struct watch *w, enum watch_dependence how,
					   const struct watchname *name)
{
	struct watch_relation *r = w->relations;

	for (; r < w->relations + w->n_relations; r++)
		if (r->how == how && same_name(&r->name, name))
			return r;
	if (w->n_relations == RELATIONS_MAX)
		return NULL;
	w->n_relations++;
	*r = (struct watch_relation){.how = how, .name = *name};
	return r;
}

static void relation_name(struct watchname *ret, Rollcall__System system, const char *database,
			  const char *schema, const char *name)
{
	bool pg = system == ROLLCALL__SYSTEM__postgresql;

	*ret = (struct watchname){.system = system};
	snprintf(ret->database, sizeof(ret->database), "%s", pg || !*schema ? database : schema);
	snprintf(ret->schema, sizeof(ret->schema), "%s", pg ? schema : "");
	snprintf(ret->table, sizeof(ret->table), "%s", name);
}

void watch_learn_relation(struct watch *w, enum watch_dependence how, Rollcall__System system,
			  const char *database, const char *schema, const char *name, uint64_t mask)
{
	struct watch_relation *r;
	struct watchname full;

	relation_name(&full, system, database, schema, name);
	r = relation_get(w, how, &full);
	if (r)
		r->mask |= mask;
}

static enum watch_dependence dependence(const char *kind)
{
	return strcmp(kind, "routine") == 0   ? WATCH_ROUTINE
	       : strcmp(kind, "trigger") == 0 ? WATCH_TRIGGER
					      : WATCH_SHOWS;
}

static int relation_add(struct watch *w, const struct resolved_table *t,
			const struct resolved_relation *from, uint64_t mask)
{
	struct watch_relation *r;
	struct watchname name;

	relation_name(&name, t->name.system, t->name.database, from->schema, from->name);
	r = relation_get(w, dependence(from->kind), &name);
	if (!r)
		return -ENOSPC;
	r->mask |= mask;
	return 0;
}

static int resolve_table(struct watch *w, unsigned i, const struct resolved_table *t)
{
	if (t->rows)
		w->rows[i] = t->rows;
	if (t->pages)
		w->pages[i] = t->pages;
	for (size_t k = 0; k < t->n_relations; k++) {
		int r = relation_add(w, t, &t->relations[k], 1ull << i);

		if (r < 0)
			return r;
		if (t->relations[k].oid)
			watch_learn_oid(w, t->name.database, t->relations[k].oid, 1ull << i);
	}
	return 0;
}

int watch_resolve(struct watch *w, const struct resolved *res)
{
	for (size_t k = 0; k < res->n_tables; k++) {
		for (unsigned i = 0; i < w->n; i++) {
			int r = same_name(&w->tables[i], &res->tables[k].name)
					? resolve_table(w, i, &res->tables[k])
					: 0;

			if (r < 0)
				return r;
		}
	}
	return 0;
}

void watch_ddl_seen(struct watch *w, Rollcall__System system, const char *database)
{
	for (unsigned i = 0; i < w->n; i++)
		w->stale |= resolved_same_system(w->tables[i].system, system) &&
			    strcmp(w->tables[i].database, database) == 0;
}

bool watch_take_stale(struct watch *w)
{
	bool stale = w->stale;

	w->stale = false;
	return stale;
}
