// SPDX-License-Identifier: Apache-2.0
// One client that does one thing as fast as it can for a while, for tests/bench/run. Prints
// operations a second after a short warm-up, then all operations and all seconds.
// Usage: load WORKLOAD SECONDS TARGET ROWS; TARGET is a libpq connection string or MariaDB's
// socket.
#include <libpq-fe.h>
#include <mysql.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WARM_UP	      0.05
#define GETPPID_BATCH 1000
#define PIPE_BATCH    100

struct load {
	PGconn *pg;
	MYSQL *my;
	unsigned rows; /* of the table */
	unsigned key;
	int pipe[2];
	char sql[128];
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what)
{
	fprintf(stderr, "load: %s\n", what);
	exit(1);
}

static void open_pg(struct load *l, const char *target)
{
	l->pg = PQconnectdb(target);
	if (PQstatus(l->pg) != CONNECTION_OK)
		die(PQerrorMessage(l->pg));
}

/* A table that nobody watches; servers.sh makes it. */
#define DEVICE	"select serial from device"
#define DEVICES 5000

static void open_prepared(struct load *l, const char *target)
{
	PGresult *r;

	open_pg(l, target);
	r = PQprepare(l->pg, "S_1", DEVICE " where id = $1::int", 0, NULL);
	if (PQresultStatus(r) != PGRES_COMMAND_OK)
		die(PQerrorMessage(l->pg));
	PQclear(r);
}

static void open_my(struct load *l, const char *target)
{
	l->my = mysql_init(NULL);
	if (!l->my || !mysql_real_connect(l->my, NULL, "app", "pw", "mdm", 0, target, 0))
		die("cannot connect to MariaDB");
}

static void result_pg(struct load *l, PGresult *r, unsigned rows)
{
	if (PQresultStatus(r) != PGRES_TUPLES_OK || (unsigned)PQntuples(r) != rows)
		die(PQerrorMessage(l->pg));
	PQclear(r);
}

static void query_pg(struct load *l, const char *sql, unsigned rows)
{
	result_pg(l, PQexec(l->pg, sql), rows);
}

static void query_my(struct load *l, const char *sql, unsigned rows)
{
	MYSQL_RES *r = mysql_query(l->my, sql) ? NULL : mysql_store_result(l->my);

	if (!r || mysql_num_rows(r) != rows)
		die(mysql_error(l->my));
	mysql_free_result(r);
}

/* Another row each time. */
static unsigned key_next(struct load *l, unsigned rows)
{
	l->key = (l->key + 7919) % rows;
	return l->key + 1;
}

/* As `pgbench -S` asks: not prepared. */
static const char *point(struct load *l, const char *select, unsigned rows)
{
	snprintf(l->sql, sizeof(l->sql), "%s where id = %u", select, key_next(l, rows));
	return l->sql;
}

static unsigned do_getppid(struct load *l)
{
	(void)l;
	for (int i = 0; i < GETPPID_BATCH; i++)
		syscall(SYS_getppid);
	return GETPPID_BATCH;
}

static unsigned do_pipe(struct load *l)
{
	char byte = 'x';

	if (!l->pipe[1] && pipe(l->pipe) < 0)
		die("cannot make a pipe");
	for (int i = 0; i < PIPE_BATCH; i++)
		if (write(l->pipe[1], &byte, 1) != 1 || read(l->pipe[0], &byte, 1) != 1)
			die("the pipe does not carry");
	return PIPE_BATCH;
}

static unsigned fork_exec(struct load *l)
{
	char *const args[] = {(char *)(uintptr_t) "/bin/true", NULL};
	int status = -1;
	pid_t pid;

	(void)l;
	if (posix_spawn(&pid, args[0], NULL, NULL, args, environ) || waitpid(pid, &status, 0) < 0 ||
	    status)
		die("cannot run /bin/true");
	return 1;
}

static unsigned pg_watched(struct load *l)
{
	query_pg(l, point(l, "select name, mobile from staff", l->rows), 1);
	return 1;
}

static unsigned pg_point(struct load *l)
{
	query_pg(l, point(l, DEVICE, DEVICES), 1);
	return 1;
}

/* As JDBC's driver asks from the fifth time on: Bind, Execute, Sync. */
static unsigned pg_prepared(struct load *l)
{
	char key[16];
	const char *const values[] = {key};

	snprintf(key, sizeof(key), "%u", key_next(l, DEVICES));
	result_pg(l, PQexecPrepared(l->pg, "S_1", 1, values, NULL, NULL, 0), 1);
	return 1;
}

static unsigned pg_rows(struct load *l)
{
	query_pg(l, "select id, name, mobile, dept from staff", l->rows);
	return 1;
}

static unsigned my_point(struct load *l)
{
	query_my(l, point(l, "select serial from device", DEVICES), 1);
	return 1;
}

static unsigned my_watched(struct load *l)
{
	query_my(l, point(l, "select name, mobile from staff", l->rows), 1);
	return 1;
}

static unsigned my_rows(struct load *l)
{
	query_my(l, "select id, name, mobile, dept from staff", l->rows);
	return 1;
}

/* Not kept: it would be the client's memory that is measured. */
static unsigned pg_million(struct load *l)
{
	unsigned rows = 0;
	PGresult *r;

	if (!PQsendQuery(l->pg,
			 "select id, name, mobile, dept from staff, generate_series(1, 100)") ||
	    !PQsetSingleRowMode(l->pg))
		die(PQerrorMessage(l->pg));
	while ((r = PQgetResult(l->pg))) {
		rows += (unsigned)PQntuples(r);
		PQclear(r);
	}
	if (rows != 100 * l->rows)
		die("not all rows came");
	return 1;
}

static unsigned my_million(struct load *l)
{
	MYSQL_RES *r;
	unsigned rows = 0;

	if (mysql_query(l->my, "select id, name, mobile, dept from staff, seq_1_to_100"))
		die(mysql_error(l->my));
	r = mysql_use_result(l->my);
	while (r && mysql_fetch_row(r))
		rows++;
	mysql_free_result(r);
	if (rows != 100 * l->rows)
		die("not all rows came");
	return 1;
}

static const struct workload {
	const char *name;
	void (*open)(struct load *l, const char *target);
	unsigned (*once)(struct load *l); /* returns how many operations that was */
} workloads[] = {
	{"getppid", NULL, do_getppid},	     {"pipe", NULL, do_pipe},
	{"fork_exec", NULL, fork_exec},	     {"pg_million", open_pg, pg_million},
	{"my_million", open_my, my_million}, {"pg_point", open_pg, pg_point},
	{"pg_watched", open_pg, pg_watched}, {"pg_rows", open_pg, pg_rows},
	{"my_point", open_my, my_point},     {"my_watched", open_my, my_watched},
	{"my_rows", open_my, my_rows},	     {"pg_prepared", open_prepared, pg_prepared},
};

static void measure(const struct workload *w, struct load *l, double seconds)
{
	double begun = now(), warm = 0, end = begun + WARM_UP, t = begun;
	unsigned long before = 0, done = 0;

	while (t < end) {
		done += w->once(l);
		t = now();
		if (!before && t >= end) {
			before = done;
			warm = t;
			end = t + seconds;
		}
	}
	printf("%.3f %lu %.6f\n", (double)(done - before) / (t - warm), done, t - begun);
}

int main(int argc, char **argv)
{
	struct load l = {0};

	if (argc != 5)
		return 2;
	l.rows = (unsigned)strtoul(argv[4], NULL, 10);
	for (unsigned i = 0; i < sizeof(workloads) / sizeof(workloads[0]); i++) {
		const struct workload *w = &workloads[i];

		if (strcmp(w->name, argv[1]))
			continue;
		if (w->open)
			w->open(&l, argv[3]);
		measure(w, &l, strtod(argv[2], NULL));
		if (l.pg)
			PQfinish(l.pg);
		if (l.my)
			mysql_close(l.my);
		return 0;
	}
	return 2;
}
