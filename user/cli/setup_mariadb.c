// SPDX-License-Identifier: Apache-2.0
// Asks information_schema through the mariadb client as root over the server's socket
// (unix_socket authentication). What depends on a table is setup_depends.c.
#include "cli/setup_mariadb.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/client.h"
#include "cli/setup_depends.h"
#include "lib/clean.h"
#include "lib/dbfile.h"

static const char sql_list[] =
	"SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA NOT IN"
	" ('information_schema', 'performance_schema', 'sys', 'mysql');\n";

/* %1$s and %2$s: database and table as hexadecimal literals, so nothing needs quoting. */
static const char sql_resolve[] =
	"/*M! SET SESSION max_statement_time = 60 */;\n"
	"SELECT 'server', VERSION(), @@datadir;\n"
	"SELECT 'table', TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE, IFNULL(ENGINE, ''),"
	" IFNULL(TABLE_ROWS, 0), IFNULL(DATA_LENGTH, 0) DIV 16384 FROM information_schema.TABLES"
	" WHERE TABLE_SCHEMA = CONVERT(%1$s USING utf8) AND TABLE_NAME = CONVERT(%2$s USING "
	"utf8);\n"
	"SELECT 'column', ORDINAL_POSITION, COLUMN_NAME FROM information_schema.COLUMNS"
	" WHERE TABLE_SCHEMA = CONVERT(%1$s USING utf8) AND TABLE_NAME = CONVERT(%2$s USING "
	"utf8);\n"
	"SELECT 'view', TABLE_SCHEMA, TABLE_NAME, VIEW_DEFINITION FROM information_schema.VIEWS;\n"
	"SELECT 'routine', ROUTINE_SCHEMA, ROUTINE_NAME, IFNULL(ROUTINE_DEFINITION, '')"
	" FROM information_schema.ROUTINES;\n"
	"SELECT 'trigger', EVENT_OBJECT_SCHEMA, EVENT_OBJECT_TABLE, ACTION_STATEMENT"
	" FROM information_schema.TRIGGERS;\n";

static void hex_literal(const char *text, char *to)
{
	to += sprintf(to, "0x");
	for (; *text; text++)
		to += sprintf(to, "%02x", (unsigned char)*text);
}

static int query(const struct setup_server *s, const char *user, const char *sql,
		 struct client_result *ret)
{
	char socket[PATH_MAX + 16], name[128];
	const char *const argv[] = {"mariadb",
				    "--no-defaults",
				    "--protocol=socket",
				    socket,
				    name,
				    "--batch",
				    "--skip-column-names",
				    "--connect-timeout=10",
				    "--default-character-set=utf8mb4",
				    NULL};

	snprintf(socket, sizeof(socket), "--socket=%s", s->socket);
	snprintf(name, sizeof(name), "--user=%s", user ? user : "root");
	return client_run(
		&(struct client){.argv = argv, .sql = sql, .uid = geteuid(), .gid = getegid()},
		ret);
}

static int file_add(struct resolved_table *t, const char *path, const char *kind)
{
	struct stat st;

	if (stat(path, &st))
		return errno == ENOENT ? 0 : -errno;
	return resolved_add_file(t, &(struct resolved_file){.path = (char *)(uintptr_t)path,
							    .kind = (char *)(uintptr_t)kind,
							    .dev = setup_server_dev(st.st_dev),
							    .ino = st.st_ino});
}

static int files_add(struct resolved_table *t, const char *datadir)
{
	char database[DBFILE_ENCODED(WATCHNAME_PART_MAX)],
		table[DBFILE_ENCODED(WATCHNAME_PART_MAX)];
	char dir[PATH_MAX + sizeof(database)], path[sizeof(dir) + NAME_MAX + 2];
	struct dirent *e;
	int r = 0;
	DIR *d;

	dbfile_encode(t->name.database, database);
	dbfile_encode(t->name.table, table);
	snprintf(dir, sizeof(dir), "%s%s", datadir, database);
	d = opendir(dir);
	if (!d)
		return errno == ENOENT ? 0 : -errno;
	while (!r && (e = readdir(d))) {
		if (!dbfile_is_of(e->d_name, table))
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		r = file_add(t, path, dbfile_kind(path));
	}
	closedir(d);
	if (r || t->n_files)
		return r;
	/* innodb_file_per_table=0: all tables share one. */
	snprintf(path, sizeof(path), "%sibdata1", datadir);
	return file_add(t, path, "tablespace");
}

static int table_add(struct setup_server *s, const char *watch, const struct client_result *got,
		     struct resolved *r)
{
	char *const *head = got->rows[0].field, *const *table = got->rows[1].field;
	struct resolved_server server = setup_server_describe(s, head[1]);
	bool base = strcmp(table[3], "VIEW") != 0;
	struct resolved_table *t;
	int e = resolved_add_server(r, &server);

	e = e ? e : resolved_add_table(r, watch, r->n_servers - 1);
	if (e)
		return e;
	t = &r->tables[r->n_tables - 1];
	t->rows = strtoull(table[5], NULL, 10);
	t->pages = strtoull(table[6], NULL, 10);
	e = resolved_add_relation(t, &(struct resolved_relation){.kind = (char[]){"table"},
								 .schema = table[1],
								 .name = table[2]});
	for (size_t i = 2; !e && i < got->n; i++)
		if (!strcmp(got->rows[i].field[0], "column"))
			e = resolved_add_column(t,
						(uint32_t)strtoul(got->rows[i].field[1], NULL, 10),
						got->rows[i].field[2]);
	e = e ? e : setup_depends_add(t, got);
	return e || !base ? e : files_add(t, head[2]);
}

static void why_missing(const struct setup_server *s, const char *user,
			const struct watchname *name, char *ret_why, size_t len)
{
	struct client_result list = {};
	_cleanup_(freep) const char **names = NULL;
	const char *near = NULL;
	bool database = false;

	if (!query(s, user, sql_list, &list))
		names = calloc(list.n + 1, sizeof(*names));
	for (size_t i = 0; names && i < list.n; i++)
		database |= !strcmp(list.rows[i].field[0], name->database);
	for (size_t i = 0; names && i < list.n; i++)
		names[i] = list.rows[i].field[database];
	if (names)
		near = setup_server_nearest(database ? name->table : name->database, names, list.n);
	snprintf(ret_why, len, "no %s '%s' in the MariaDB server at %s%s%s%s",
		 database ? "table" : "database", database ? name->table : name->database,
		 s->datadir, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
	client_result_fini(&list);
}

/* No statistics yet: the only way to know is to count, once. */
static void rows_count(const struct setup_server *s, const char *user, struct resolved_table *t)
{
	char sql[4 * WATCHNAME_PART_MAX + 64];
	struct client_result got = {};
	size_t n = (size_t)sprintf(sql, "SELECT COUNT(*) FROM ");

	n += client_quote(t->name.database, sql + n);
	sql[n++] = '.';
	n += client_quote(t->name.table, sql + n);
	snprintf(sql + n, sizeof(sql) - n, ";\n");
	if (!query(s, user, sql, &got) && got.n == 1)
		t->rows = strtoull(got.rows[0].field[0], NULL, 10);
	client_result_fini(&got);
}

int setup_mariadb_resolve(struct setup_server *s, const char *user, const char *watch,
			  struct resolved *r, char *ret_why, size_t len)
{
	char database[2 * WATCHNAME_PART_MAX + 4], table[2 * WATCHNAME_PART_MAX + 4];
	_cleanup_(freep) char *sql = NULL;
	struct client_result got = {};
	struct watchname name;
	const char *why;
	int e = watchname_parse(watch, &name, &why);

	if (e)
		return e;
	hex_literal(name.database, database);
	hex_literal(name.table, table);
	if (asprintf(&sql, sql_resolve, database, table) < 0)
		return -ENOMEM;
	e = query(s, user, sql, &got);
	if (e)
		snprintf(ret_why, len, "%.*s", (int)strcspn(got.error, "\n"), got.error);
	else if (got.n < 2 || strcmp(got.rows[0].field[0], "server"))
		e = -EBADMSG;
	else if (strcmp(got.rows[1].field[0], "table"))
		e = -ENOENT;
	if (e == -ENOENT)
		why_missing(s, user, &name, ret_why, len);
	e = e ? e : table_add(s, watch, &got, r);
	if (!e && !r->tables[r->n_tables - 1].rows)
		rows_count(s, user, &r->tables[r->n_tables - 1]);
	client_result_fini(&got);
	return e;
}
