// SPDX-License-Identifier: Apache-2.0
// A MariaDB client for what the command line client cannot do. Prints the rows it got, a line a
// result. Usage: mysql_client SOCKET CASE
#include <mysql.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char staff[] = "select name, mobile from staff";

static MYSQL *session(const char *socket)
{
	MYSQL *m = mysql_init(NULL);

	if (!m ||
	    !mysql_real_connect(m, NULL, "app", "pw", "mdm", 0, socket, CLIENT_MULTI_STATEMENTS)) {
		fprintf(stderr, "%s\n", mysql_error(m));
		exit(1);
	}
	return m;
}

static MYSQL_STMT *prepare(MYSQL *m, const char *sql)
{
	MYSQL_STMT *st = mysql_stmt_init(m);

	if (!st || mysql_stmt_prepare(st, sql, strlen(sql))) {
		fprintf(stderr, "%s\n", mysql_stmt_error(st));
		exit(1);
	}
	return st;
}

static unsigned long fetch_all(MYSQL_STMT *st)
{
	unsigned long rows = 0;

	while (mysql_stmt_fetch(st) == 0)
		rows++;
	return rows;
}

/* The second execution's answer has no column definitions (MARIADB_CLIENT_CACHE_METADATA). */
static void twice(MYSQL *m)
{
	MYSQL_STMT *st = prepare(m, staff);

	for (int i = 0; i < 2; i++) {
		if (mysql_stmt_execute(st))
			exit(1);
		printf("%lu\n", fetch_all(st));
		mysql_stmt_free_result(st);
	}
	mysql_stmt_close(st);
}

/* A read-only cursor: rows come by COM_STMT_FETCH, so many at a time. */
static void cursor(MYSQL *m)
{
	MYSQL_STMT *st = prepare(m, staff);
	unsigned long type = CURSOR_TYPE_READ_ONLY, slice = 100, rows = 0;

	mysql_stmt_attr_set(st, STMT_ATTR_CURSOR_TYPE, &type);
	mysql_stmt_attr_set(st, STMT_ATTR_PREFETCH_ROWS, &slice);
	if (mysql_stmt_execute(st))
		exit(1);
	while (rows < 200 && mysql_stmt_fetch(st) == 0)
		rows++;
	slice = 10000;
	mysql_stmt_attr_set(st, STMT_ATTR_PREFETCH_ROWS, &slice);
	printf("%lu\n", rows + fetch_all(st));
	mysql_stmt_close(st);
}

/* A text that begins with 0xfe as its length: more than 16 MiB would be an EOF look-alike. */
static void look_alike(MYSQL *m)
{
	unsigned long rows = 0;
	MYSQL_RES *r;

	if (mysql_query(m, "select repeat('x', 17 * 1024 * 1024), name from staff limit 3"))
		exit(1);
	r = mysql_use_result(m);
	while (mysql_fetch_row(r))
		rows++;
	mysql_free_result(r);
	printf("%lu\n", rows);
}

/* Prepares, waits for a line, executes: the sensor comes in between. */
static void prepared(MYSQL *m)
{
	MYSQL_STMT *st = prepare(m, staff);

	puts("prepared");
	fflush(stdout);
	getchar();
	if (mysql_stmt_execute(st))
		exit(1);
	printf("%lu\n", fetch_all(st));
	mysql_stmt_close(st);
}

/* Look-ups of one row by number, of a table that nobody watches. */
static void look_up(MYSQL *m)
{
	MYSQL_STMT *st = prepare(m, "select serial from device where id = ?");
	MYSQL_BIND key = {.buffer_type = MYSQL_TYPE_LONG};
	unsigned long rows = 0;

	for (int id = 1; id <= 3000; id++) {
		key.buffer = &id;
		if (mysql_stmt_bind_param(st, &key) || mysql_stmt_execute(st))
			exit(1);
		rows += fetch_all(st);
		mysql_stmt_free_result(st);
	}
	printf("%lu\n", rows);
	mysql_stmt_close(st);
}

static const struct {
	const char *name;
	void (*run)(MYSQL *m);
} cases[] = {
	{"twice", twice},	{"cursor", cursor},   {"look_alike", look_alike},
	{"prepared", prepared}, {"look_up", look_up},
};

int main(int argc, char **argv)
{
	MYSQL *m;

	if (argc != 3)
		return 2;
	m = session(argv[1]);
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (strcmp(cases[i].name, argv[2]) == 0)
			cases[i].run(m);
	mysql_close(m);
	return 0;
}
