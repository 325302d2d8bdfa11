// SPDX-License-Identifier: Apache-2.0
// Mixed random statements from eight sessions at once, over every transport. Prints for each
// session: its process id, the rows of the staff table it was sent, the statements it ran, and how
// many of the rows came by COM_STMT_FETCH.
// Usage: random_load SEED STATEMENTS PG-DIR PG-PORT MY-SOCKET MY-PORT
#include <libpq-fe.h>
#include <mysql.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PEOPLE 5000

static unsigned long rows, fetched;
static char pg_path[256], my_path[256];
static int pg_port, my_port;

static void check(int good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "random_load: %s\n", what);
	exit(1);
}

static unsigned some(unsigned n)
{
	return (unsigned)random() % n;
}

/* A range of at most 400 people; most are small, as an application's are. */
static const char *range(char *buf, size_t size)
{
	unsigned n = some(4) ? some(20) : some(400), first = 1 + some(PEOPLE);

	snprintf(buf, size, "id between %u and %u", first, first + n);
	return buf;
}

/* ---- PostgreSQL ---- */

/* Counts the rows of all results; watched or not. */
static unsigned long pg_drain(PGconn *c)
{
	unsigned long n = 0;
	PGresult *r;
	char *line;

	while ((r = PQgetResult(c))) {
		n += (unsigned long)PQntuples(r);
		if (PQresultStatus(r) == PGRES_COPY_OUT)
			while (PQgetCopyData(c, &line, 0) > 0) {
				n++;
				PQfreemem(line);
			}
		PQclear(r);
	}
	return n;
}

static unsigned long pg_query(PGconn *c, const char *sql)
{
	check(PQsendQuery(c, sql) && PQsetSingleRowMode(c), PQerrorMessage(c));
	return pg_drain(c);
}

static void pg_range(PGconn *c, const char *fmt)
{
	char where[64], sql[512];

	snprintf(sql, sizeof(sql), fmt, range(where, sizeof(where)));
	rows += pg_query(c, sql);
}

static void pg_simple(PGconn *c)
{
	pg_range(c, "select name, mobile from staff where %s");
}

static void pg_copy(PGconn *c)
{
	pg_range(c, "copy (select * from staff where %s) to stdout");
}

static void pg_multi(PGconn *c)
{
	pg_range(c, "select 1 where false; select name from staff where %s; select mobile from "
		    "staff where id = 7");
}

static void pg_returning(PGconn *c)
{
	pg_range(c, "update staff set dept = dept where %s returning id, name");
}

/* Divides by zero somewhere, or nowhere. */
static void pg_error(PGconn *c)
{
	char where[64], sql[512];

	range(where, sizeof(where));
	snprintf(sql, sizeof(sql), "select name, 1 / (id - %u) from staff where %s order by id",
		 1 + some(PEOPLE), where);
	rows += pg_query(c, sql);
}

static void pg_other(PGconn *c)
{
	pg_query(c, "select * from device limit 50");
}

static void pg_cursor(PGconn *c)
{
	char sql[256];
	unsigned slices = some(5);

	pg_query(c, "begin; declare c cursor for select * from staff");
	for (unsigned i = 0; i < slices; i++) {
		snprintf(sql, sizeof(sql), "fetch %u from c", 1 + some(100));
		rows += pg_query(c, sql);
	}
	pg_query(c, "commit");
}

static void pg_prepared(PGconn *c)
{
	char from[16], to[16];
	const char *values[] = {from, to};

	snprintf(from, sizeof(from), "%u", 1 + some(PEOPLE));
	snprintf(to, sizeof(to), "%u", atoi(from) + some(100));
	check(PQsendQueryPrepared(c, "p", 2, values, NULL, NULL, (int)some(2)), PQerrorMessage(c));
	rows += pg_drain(c);
}

static void pg_unnamed(PGconn *c)
{
	char where[64], sql[256];

	snprintf(sql, sizeof(sql), "select mobile from staff where %s",
		 range(where, sizeof(where)));
	check(PQsendQueryParams(c, sql, 0, NULL, NULL, NULL, NULL, 1), PQerrorMessage(c));
	rows += pg_drain(c);
}

static void pg_pipeline(PGconn *c)
{
	unsigned n = 1 + some(6), ended = 0;
	const char *values[] = {"100", "130"};
	PGresult *r;

	check(PQenterPipelineMode(c), "pipeline");
	for (unsigned i = 0; i < n; i++)
		check(PQsendQueryPrepared(c, "p", 2, values, NULL, NULL, 0), PQerrorMessage(c));
	check(PQpipelineSync(c), PQerrorMessage(c));
	while (!ended) {
		r = PQgetResult(c);
		if (!r)
			continue;
		ended = PQresultStatus(r) == PGRES_PIPELINE_SYNC;
		rows += ended ? 0 : (unsigned long)PQntuples(r);
		PQclear(r);
	}
	check(PQexitPipelineMode(c), PQerrorMessage(c));
}

static void pg_session(unsigned statements, const char *how)
{
	static void (*const kinds[])(PGconn *) = {pg_simple,  pg_copy,	   pg_multi,  pg_returning,
						  pg_error,   pg_other,	   pg_cursor, pg_prepared,
						  pg_unnamed, pg_pipeline, pg_simple, pg_prepared};
	char info[512];
	PGconn *c;

	snprintf(info, sizeof(info), "host=%s port=%d user=app dbname=hr %s",
		 strstr(how, "sslmode") ? "127.0.0.1" : pg_path, pg_port, how);
	c = PQconnectdb(info);
	check(PQstatus(c) == CONNECTION_OK, PQerrorMessage(c));
	PQclear(PQprepare(c, "p", "select name, dept from staff where id between $1 and $2", 0,
			  NULL));
	for (unsigned i = 0; i < statements; i++)
		kinds[some(sizeof(kinds) / sizeof(kinds[0]))](c);
	PQfinish(c);
}

/* ---- MariaDB ---- */

static unsigned long my_drain(MYSQL *m)
{
	unsigned long n = 0;
	MYSQL_RES *r;

	do {
		r = mysql_use_result(m);
		while (r && mysql_fetch_row(r))
			n++;
		mysql_free_result(r);
	} while (mysql_next_result(m) == 0);
	return n;
}

static void my_range(MYSQL *m, const char *fmt)
{
	char where[64], sql[512];

	snprintf(sql, sizeof(sql), fmt, range(where, sizeof(where)));
	check(mysql_query(m, sql) == 0, mysql_error(m));
	rows += my_drain(m);
}

static void my_simple(MYSQL *m)
{
	my_range(m, "select name, mobile from staff where %s");
}

static void my_multi(MYSQL *m)
{
	my_range(m, "set @a = 1; select name from staff where %s; select mobile from staff where "
		    "id = 7");
}

static void my_wrong(MYSQL *m)
{
	check(mysql_query(m, "select name from staff where nonsense") != 0, "no error");
}

static void my_other(MYSQL *m)
{
	check(mysql_query(m, "select * from device limit 50") == 0, mysql_error(m));
	my_drain(m);
}

static void my_statement(MYSQL *m, unsigned long slice)
{
	unsigned long type = slice ? CURSOR_TYPE_READ_ONLY : CURSOR_TYPE_NO_CURSOR;
	char where[64], sql[256];
	MYSQL_STMT *st = mysql_stmt_init(m);

	snprintf(sql, sizeof(sql), "select name, dept from staff where %s",
		 range(where, sizeof(where)));
	check(st && mysql_stmt_prepare(st, sql, strlen(sql)) == 0, mysql_error(m));
	mysql_stmt_attr_set(st, STMT_ATTR_CURSOR_TYPE, &type);
	if (slice)
		mysql_stmt_attr_set(st, STMT_ATTR_PREFETCH_ROWS, &slice);
	for (unsigned i = 0; i < 2; i++) {
		check(mysql_stmt_execute(st) == 0, mysql_stmt_error(st));
		while (mysql_stmt_fetch(st) == 0)
			rows++;
		mysql_stmt_free_result(st);
	}
	mysql_stmt_close(st);
}

static void my_prepared(MYSQL *m)
{
	my_statement(m, 0);
}

static void my_cursor(MYSQL *m)
{
	unsigned long before = rows;

	my_statement(m, 1 + some(50));
	fetched += rows - before;
}

static void my_session(unsigned statements, const char *how)
{
	static void (*const kinds[])(MYSQL *) = {my_simple, my_multi,	 my_wrong,
						 my_other,  my_prepared, my_cursor};
	int unix_socket = strcmp(how, "unix") == 0;
	unsigned protocol = MYSQL_PROTOCOL_TCP;
	MYSQL *m = mysql_init(NULL);
	my_bool on = 1;

	check(m != NULL, "memory");
	if (strcmp(how, "compress") == 0)
		mysql_options(m, MYSQL_OPT_COMPRESS, NULL);
	if (strcmp(how, "tls") == 0)
		mysql_options(m, MYSQL_OPT_SSL_ENFORCE, &on);
	if (!unix_socket)
		mysql_options(m, MYSQL_OPT_PROTOCOL, &protocol);
	check(mysql_real_connect(m, unix_socket ? NULL : "127.0.0.1", "app", "pw", "mdm",
				 (unsigned)(unix_socket ? 0 : my_port),
				 unix_socket ? my_path : NULL, CLIENT_MULTI_STATEMENTS) != NULL,
	      mysql_error(m));
	for (unsigned i = 0; i < statements; i++)
		kinds[some(sizeof(kinds) / sizeof(kinds[0]))](m);
	mysql_close(m);
}

static const struct {
	void (*run)(unsigned statements, const char *how);
	const char *how;
} sessions[] = {
	{pg_session, ""},
	{pg_session, "sslmode=disable"},
	{pg_session, "sslmode=require"},
	{pg_session, ""},
	{my_session, "unix"},
	{my_session, "tcp"},
	{my_session, "tls"},
	{my_session, "compress"},
};

int main(int argc, char **argv)
{
	unsigned n = sizeof(sessions) / sizeof(sessions[0]), failed = 0;
	int status;

	if (argc != 7)
		return 2;
	snprintf(pg_path, sizeof(pg_path), "%s", argv[3]);
	pg_port = atoi(argv[4]);
	snprintf(my_path, sizeof(my_path), "%s", argv[5]);
	my_port = atoi(argv[6]);
	for (unsigned i = 0; i < n; i++) {
		if (fork())
			continue;
		srandom((unsigned)atoi(argv[1]) + i);
		sessions[i].run((unsigned)atoi(argv[2]) / n, sessions[i].how);
		printf("%d %lu %u %lu\n", getpid(), rows, (unsigned)atoi(argv[2]) / n, fetched);
		return 0;
	}
	while (wait(&status) > 0)
		failed += status != 0;
	return failed != 0;
}
