// SPDX-License-Identifier: Apache-2.0
// Asks the system catalogue through psql as the operating system user that owns the server (peer
// authentication). search_path is pinned, so that nothing a table owner created is executed with
// that user's rights. Files are looked at as the caller, who is root.
#include "cli/setup_pg.h"

#include <errno.h>
#include <glob.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/client.h"
#include "lib/clean.h"

#define PRELUDE                                                                                    \
	"SET search_path = pg_catalog, pg_temp;\n"                                                 \
	"SET client_encoding = 'UTF8';\n"                                                          \
	"SET default_transaction_read_only = on;\n"                                                \
	"SET statement_timeout = '60s';\n"                                                         \
	"SET lock_timeout = '5s';\n"

static const char sql_databases[] =
	PRELUDE "COPY (SELECT datname FROM pg_database WHERE datallowconn) TO STDOUT;\n";

static const char sql_tables[] =
	PRELUDE "COPY (SELECT n.nspname, c.relname FROM pg_class c\n"
		" JOIN pg_namespace n ON n.oid = c.relnamespace\n"
		" WHERE c.relkind IN ('r','p','m','v','f') AND n.nspname !~ '^pg_'\n"
		" AND n.nspname <> 'information_schema') TO STDOUT;\n";

static const char sql_count[] = PRELUDE "SELECT count(*) FROM :\"schema\".:\"table\";\n";

/*
 * down: what a read of the table can be called: itself, partitions and inheritance children, and
 * views over any of them, recursively. up: parents, through which its rows are read as well.
 */
static const char sql_resolve[] = PRELUDE
	"COPY (SELECT 'server', current_setting('server_version'),\n"
	" current_setting('data_directory'), oid FROM pg_database\n"
	" WHERE datname = current_database()) TO STDOUT;\n"
	"COPY (WITH RECURSIVE base AS (\n"
	" SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace\n"
	" WHERE c.relname = :'table' AND (:'schema' = '' OR n.nspname = :'schema')\n"
	" AND c.relkind IN ('r','p','m','v','f') AND n.nspname !~ '^pg_'),\n"
	"down(oid, kind) AS (SELECT oid, 'table'::text FROM base UNION\n"
	" SELECT x.oid, x.kind FROM down t CROSS JOIN LATERAL (\n"
	"  SELECT i.inhrelid AS oid,\n"
	"   CASE WHEN c.relispartition THEN 'partition' ELSE 'child' END AS kind\n"
	"   FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = t.oid\n"
	"  UNION ALL\n"
	"  SELECT w.ev_class, CASE c.relkind WHEN 'm' THEN 'matview' ELSE 'view' END\n"
	"   FROM pg_depend d JOIN pg_rewrite w ON w.oid = d.objid\n"
	"   JOIN pg_class c ON c.oid = w.ev_class\n"
	"   WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass\n"
	"   AND d.refobjid = t.oid AND w.ev_class <> t.oid AND c.relkind IN ('v','m')) x),\n"
	"up(oid) AS (SELECT i.inhparent FROM base JOIN pg_inherits i ON i.inhrelid = base.oid\n"
	" UNION SELECT i.inhparent FROM up JOIN pg_inherits i ON i.inhrelid = up.oid),\n"
	"rel AS (SELECT oid, max(kind) AS kind FROM down GROUP BY oid\n"
	" UNION ALL SELECT oid, 'parent' FROM up WHERE oid NOT IN (SELECT oid FROM down)),\n"
	"heap AS (SELECT c.oid, c.reltoastrelid AS toast, c.reltuples, c.relpages, d.kind\n"
	" FROM pg_class c JOIN (SELECT oid, max(kind) AS kind FROM down GROUP BY oid) d\n"
	" ON d.oid = c.oid WHERE c.relkind IN ('r','m')),\n"
	"file AS (SELECT oid, 'heap' AS kind FROM heap\n"
	" UNION ALL SELECT toast, 'toast' FROM heap WHERE toast <> 0\n"
	" UNION ALL SELECT i.indexrelid, 'index' FROM pg_index i JOIN heap\n"
	"  ON i.indrelid IN (heap.oid, heap.toast))\n"
	"SELECT 'relation', rel.oid::text, rel.kind, n.nspname, c.relname\n"
	" FROM rel JOIN pg_class c ON c.oid = rel.oid\n"
	" JOIN pg_namespace n ON n.oid = c.relnamespace\n"
	"UNION ALL SELECT DISTINCT 'column', attnum::text, attname::text, '', '' FROM base\n"
	" JOIN pg_attribute ON attrelid = base.oid WHERE attnum > 0 AND NOT attisdropped\n"
	"UNION ALL SELECT 'file', kind, pg_relation_filepath(oid), '', '' FROM file\n"
	" WHERE pg_relation_filepath(oid) IS NOT NULL\n"
	"UNION ALL SELECT 'size', coalesce(sum(greatest(reltuples, 0)), 0)::bigint::text,\n"
	" coalesce(sum(relpages), 0)::text, coalesce(bool_or(reltuples < 0), true)::text, ''\n"
	" FROM heap WHERE kind NOT IN ('matview', 'view')) TO STDOUT;\n";

/* 'text' for a libpq connection string, which would otherwise read "a=b" as an option. */
static void conninfo_quote(const char *text, char *to, size_t len)
{
	size_t n = (size_t)snprintf(to, len, "dbname='");

	for (; *text && n + 4 < len; text++) {
		if (*text == '\'' || *text == '\\')
			to[n++] = '\\';
		to[n++] = *text;
	}
	snprintf(to + n, len - n, "'");
}

struct query {
	const struct setup_server *server;
	const char *user;
	const char *database;
	const char *schema;
	const char *table;
};

static int psql(const struct query *q, const char *sql, struct client_result *ret)
{
	char port[16], database[2 * WATCHNAME_PART_MAX + 16];
	char schema[WATCHNAME_PART_MAX + 16], table[WATCHNAME_PART_MAX + 16];
	const char *const argv[] = {
		"psql", "-X",	"-q", "-A",    "-t", "-w",     "-h", q->server->socket,
		"-p",	port,	"-U", q->user, "-d", database, "-v", "ON_ERROR_STOP=1",
		"-v",	schema, "-v", table,   "-f", "-",      NULL};

	snprintf(port, sizeof(port), "%u", q->server->port);
	snprintf(schema, sizeof(schema), "schema=%s", q->schema);
	snprintf(table, sizeof(table), "table=%s", q->table);
	conninfo_quote(q->database, database, sizeof(database));
	return client_run(
		&(struct client){
			.argv = argv, .sql = sql, .uid = q->server->uid, .gid = q->server->gid},
		ret);
}

/* All segments of one relation: PATH, PATH.1, PATH.2 ... */
static int segments_add(struct resolved_table *t, const char *datadir, const char *path, char *kind)
{
	char full[PATH_MAX + 32], file[PATH_MAX + 64];
	struct stat st;

	snprintf(full, sizeof(full), "%s/%s", datadir, path);
	for (unsigned i = 0;; i++) {
		int r;

		snprintf(file, sizeof(file), i ? "%s.%u" : "%s", full, i);
		if (stat(file, &st))
			return errno == ENOENT ? 0 : -errno;
		r = resolved_add_file(t, &(struct resolved_file){.path = file,
								 .kind = kind,
								 .dev = setup_server_dev(st.st_dev),
								 .ino = st.st_ino});
		if (r)
			return r;
	}
}

static int row_add(struct resolved_table *t, const char *datadir, char *const f[])
{
	if (!strcmp(f[0], "relation"))
		return resolved_add_relation(
			t, &(struct resolved_relation){.oid = (uint32_t)strtoul(f[1], NULL, 10),
						       .kind = f[2],
						       .schema = f[3],
						       .name = f[4]});
	if (!strcmp(f[0], "column"))
		return resolved_add_column(t, (uint32_t)strtoul(f[1], NULL, 10), f[2]);
	if (!strcmp(f[0], "file"))
		return segments_add(t, datadir, f[2], f[1]);
	if (!strcmp(f[0], "size")) {
		/* "t": a part was never analysed, its share is unknown. */
		t->rows = *f[3] == 't' ? 0 : strtoull(f[1], NULL, 10);
		t->pages = strtoull(f[2], NULL, 10);
		return 0;
	}
	return -EBADMSG;
}

/* `list` holds what there is instead, in its field `column`. */
static void why_missing(const struct query *q, int column, const struct client_result *list,
			char *ret_why, size_t len)
{
	_cleanup_(freep) const char **names = calloc(list->n + 1, sizeof(*names));
	const char *what = column ? q->table : q->database, *near;

	for (size_t i = 0; names && i < list->n; i++)
		names[i] = list->rows[i].field[column];
	near = names ? setup_server_nearest(what, names, list->n) : NULL;
	snprintf(ret_why, len, "no %s '%s' in the PostgreSQL server at %s%s%s%s",
		 column ? "table" : "database", what, q->server->datadir,
		 near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

static void first_line(const char *text, char *ret_why, size_t len)
{
	while (*text == '\n')
		text++;
	snprintf(ret_why, len, "%.*s", (int)strcspn(text, "\n"),
		 *text ? text : "the database client failed without a message");
}

static int table_add(struct setup_server *s, const char *watch, const struct client_result *got,
		     struct resolved *r)
{
	struct resolved_server server = setup_server_describe(s, got->rows[0].field[1]);
	struct resolved_table *t;
	int e = resolved_add_server(r, &server);

	e = e ? e : resolved_add_table(r, watch, r->n_servers - 1);
	if (e)
		return e;
	t = &r->tables[r->n_tables - 1];
	t->database_oid = (uint32_t)strtoul(got->rows[0].field[3], NULL, 10);
	for (size_t i = 1; !e && i < got->n; i++)
		e = row_add(t, got->rows[0].field[2], got->rows[i].field);
	return e;
}

/* Never analysed: the only way to know is to count, once. */
static void rows_count(struct query q, struct resolved_table *t)
{
	struct client_result got = {};

	for (size_t i = 0; i < t->n_relations; i++)
		if (!strcmp(t->relations[i].kind, "table"))
			q.schema = t->relations[i].schema;
	if (!psql(&q, sql_count, &got) && got.n == 1)
		t->rows = strtoull(got.rows[0].field[0], NULL, 10);
	client_result_fini(&got);
}

static bool database_exists(struct query q, struct client_result *list)
{
	const char *want = q.database;

	q.database = "postgres";
	if (psql(&q, sql_databases, list))
		return true; /* no such list: let the attempt itself say what is wrong */
	for (size_t i = 0; i < list->n; i++)
		if (!strcmp(list->rows[i].field[0], want))
			return true;
	return false;
}

int setup_pg_resolve(struct setup_server *s, const char *user, const char *watch,
		     struct resolved *r, char *ret_why, size_t len)
{
	struct client_result got = {}, list = {};
	struct passwd *owner = getpwuid(s->uid);
	struct watchname name;
	const char *why;
	int e = watchname_parse(watch, &name, &why);
	struct query q = {s,
			  user	  ? user
			  : owner ? owner->pw_name
				  : "postgres",
			  name.database, name.schema, name.table};

	if (e)
		return e;
	if (!database_exists(q, &list)) {
		why_missing(&q, 0, &list, ret_why, len);
		client_result_fini(&list);
		return -ENOENT;
	}
	client_result_fini(&list);
	e = psql(&q, sql_resolve, &got);
	if (e)
		first_line(got.error, ret_why, len);
	else if (got.n < 2 || strcmp(got.rows[0].field[0], "server"))
		e = -EBADMSG;
	else if (strcmp(got.rows[1].field[0], "relation"))
		e = -ENOENT;
	if (e == -ENOENT && !psql(&q, sql_tables, &list))
		why_missing(&q, 1, &list, ret_why, len);
	e = e ? e : table_add(s, watch, &got, r);
	if (!e && !r->tables[r->n_tables - 1].rows)
		rows_count(q, &r->tables[r->n_tables - 1]);
	client_result_fini(&list);
	client_result_fini(&got);
	return e;
}
