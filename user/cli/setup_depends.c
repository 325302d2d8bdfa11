// SPDX-License-Identifier: Apache-2.0
// MariaDB 10.11 does not say what uses a table, so it is found by text. A view is stored with every
// table written out as `database`.`name`, so those words are enough. The body of a routine or
// trigger is stored as it was typed, and so are a view's calls: they are read as the sensor reads a
// client's statement. Both can only take too many (a column alias of that very form, a name inside
// a string), and one too few where a body puts the name together itself (PREPARE, EXECUTE
// IMMEDIATE).
#include "cli/setup_depends.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "cli/client.h"
#include "lib/resolved.h"
#include "lib/sql/statement.h"

enum { KIND, SCHEMA, NAME, TEXT }; /* fields of a row */

static bool is_kind(const struct resolved_relation *rel, const char *kind)
{
	return strcmp(rel->kind, kind) == 0;
}

static bool view_uses(const struct client_row *view, const struct resolved_relation *rel)
{
	char name[4 * WATCHNAME_PART_MAX + 8];
	size_t n;

	if (is_kind(rel, "trigger") || is_kind(rel, "routine") ||
	    strlen(rel->schema) >= WATCHNAME_PART_MAX || strlen(rel->name) >= WATCHNAME_PART_MAX)
		return false;
	n = client_quote(rel->schema, name);
	name[n++] = '.';
	client_quote(rel->name, name + n);
	return strcasestr(view->field[TEXT], name) != NULL;
}

/* How names are compared is up to the server's file system: as the sensor does, without case. */
static bool names(const struct resolved_relation *rel, const char *database, const char *schema,
		  const char *name)
{
	return strcasecmp(rel->schema, *schema ? schema : database) == 0 &&
	       strcasecmp(rel->name, name) == 0;
}

static bool statement_uses(const struct sql_statement *st, const char *database,
			   const struct resolved_relation *rel)
{
	char schema[SQL_RELATION_MAX] = "", name[SQL_RELATION_MAX];

	for (unsigned i = 0; i < st->n_relations; i++) {
		const struct sql_relation *r = &st->relations[i];

		if (!is_kind(rel, "routine") && (!is_kind(rel, "trigger") || r->written) &&
		    names(rel, database, r->schema, r->name))
			return true;
	}
	for (unsigned i = 0; i < st->n_calls && is_kind(rel, "routine"); i++) {
		*schema = '\0';
		if (st->calls[i].schema.len)
			sql_identifier(&st->calls[i].schema, SQL_MYSQL, schema, sizeof(schema));
		sql_identifier(&st->calls[i].name, SQL_MYSQL, name, sizeof(name));
		/* Of a package's routines the qualifier is the package (sql_mode ORACLE). */
		if (names(rel, database, schema, name) || names(rel, database, "", schema))
			return true;
	}
	return st->more_names;
}

static bool body_uses(const struct client_row *row, const struct resolved_table *t)
{
	const char *text = row->field[TEXT];
	size_t len = strlen(text);
	struct sql_statement st;

	while (sql_statement_next(SQL_MYSQL, &text, &len, &st))
		for (size_t i = 0; i < t->n_relations; i++)
			if (statement_uses(&st, row->field[SCHEMA], &t->relations[i]))
				return true;
	return false;
}

static bool uses(const struct client_row *row, const struct resolved_table *t)
{
	for (size_t i = 0; i < t->n_relations && strcmp(row->field[KIND], "view") == 0; i++)
		if (view_uses(row, &t->relations[i]))
			return true;
	return body_uses(row, t);
}

static bool depends(const struct client_row *row)
{
	return strcmp(row->field[KIND], "view") == 0 || strcmp(row->field[KIND], "routine") == 0 ||
	       strcmp(row->field[KIND], "trigger") == 0;
}

/* The table itself may be a view: it stands there as a table. */
static bool known(const struct resolved_table *t, const struct client_row *row)
{
	bool view = strcmp(row->field[KIND], "view") == 0;

	for (size_t i = 0; i < t->n_relations; i++) {
		const struct resolved_relation *rel = &t->relations[i];

		if ((is_kind(rel, row->field[KIND]) || (view && is_kind(rel, "table"))) &&
		    strcmp(rel->schema, row->field[SCHEMA]) == 0 &&
		    strcmp(rel->name, row->field[NAME]) == 0)
			return true;
	}
	return false;
}

/* Each round finds what uses something of the round before. */
int setup_depends_add(struct resolved_table *t, const struct client_result *got)
{
	bool more = true;

	while (more) {
		more = false;
		for (size_t i = 0; i < got->n; i++) {
			char *const *f = got->rows[i].field;
			int r;

			if (!depends(&got->rows[i]) || known(t, &got->rows[i]) ||
			    !uses(&got->rows[i], t))
				continue;
			r = resolved_add_relation(
				t, &(struct resolved_relation){
					   .kind = f[KIND], .schema = f[SCHEMA], .name = f[NAME]});
			if (r)
				return r;
			more = true;
		}
	}
	return 0;
}
