// SPDX-License-Identifier: Apache-2.0
// `rollcall setup` (setup_profile.c) and `setup database`: an administrator runs that once, and
// again after a change of schema. It asks the local servers, as their own operating system users
// and without a password, what the watched tables are, and writes that for the sensor, which never
// speaks to a database.
#include "cli/cmd_setup.h"

#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/out.h"
#include "cli/setup_mariadb.h"
#include "cli/setup_pg.h"
#include "cli/setup_profile.h"
#include "cli/setup_server.h"
#include "lib/clean.h"
#include "lib/log.h"
#include "lib/profile.h"

struct setup {
	const char *watch[RESOLVED_TABLES_MAX];
	size_t n_watch, n_named; /* those beyond the named ones are a profile's: may not be there */
	struct profile *profile;
	const char *output;
	const char *socket;
	const char *user;
	unsigned port;
	bool json;
	struct setup_servers servers;
	struct resolved *resolved;
};

static const struct option options[] = {
	{"profile", required_argument, NULL, 'P'},
	{"watch", required_argument, NULL, 'w'},
	{"output", required_argument, NULL, 'o'},
	{"socket", required_argument, NULL, 's'},
	{"port", required_argument, NULL, 'p'},
	{"user", required_argument, NULL, 'u'},
	{"json", no_argument, NULL, 'j'},
	{"help", no_argument, NULL, 'h'},
	{},
};

static const char usage[] =
	"Usage: rollcall setup database [--watch SYSTEM:DATABASE.TABLE]... [OPTION]...\n"
	"\n"
	"Looks up the watched tables in the database servers of this host, as their own operating\n"
	"system users and without a password, and writes what the sensor needs to know of them.\n"
	"Run it as root, and again after the schema of a watched table has changed.\n"
	"\n"
	"  -w, --watch NAME     postgresql:DB.TABLE, postgresql:DB.SCHEMA.TABLE, "
	"mariadb:DB.TABLE;\n"
	"                       may be given again\n"
	"      --profile NAME   also the tables of a product profile, those of them that are "
	"there;\n"
	"                       a name or a path\n"
	"  -s, --socket PATH    only the server that listens at this unix socket (PostgreSQL: or\n"
	"                       the directory of it)\n"
	"  -p, --port N         only the PostgreSQL server of this port\n"
	"  -u, --user NAME      database user (default: PostgreSQL the server's system user,\n"
	"                       MariaDB root)\n"
	"  -o, --output FILE    default " RESOLVED_PATH "\n"
	"  -j, --json           print what was written\n";

static int watch_option(struct setup *s, const char *text)
{
	struct watchname name;
	const char *why;

	if (watchname_parse(text, &name, &why))
		return log_error(-EINVAL, "--watch %s: %s", text, why);
	if (s->n_watch == RESOLVED_TABLES_MAX)
		return log_error(-E2BIG, "--watch: at most %d tables", RESOLVED_TABLES_MAX);
	s->watch[s->n_watch++] = text;
	return 0;
}

static void mistake(void *ctx, unsigned line, unsigned column, const char *text)
{
	log_error(0, "%s:%u:%u: %s", (const char *)ctx, line, column, text);
}

static int profile_option(struct setup *s, const char *name)
{
	_cleanup_(freep) char *path = NULL;
	int r = s->profile ? -EINVAL : profile_path(name, NULL, &path);

	if (r == 0)
		r = profile_read(path, mistake, path, &s->profile);
	return r < 0 ? log_error(r == -EBADMSG ? 0 : r, "--profile %s", name), r : 0;
}

/* Behind those that were named: of a product's tables some are of another version. */
static int profile_tables(struct setup *s)
{
	int r = 0;

	s->n_named = s->n_watch;
	for (size_t i = 0; s->profile && i < profile_count(s->profile, PROFILE_TABLES); i++)
		r = r ? r : watch_option(s, profile_item(s->profile, PROFILE_TABLES, i));
	return r;
}

static int port_option(struct setup *s, const char *text)
{
	char *end;
	unsigned long port = strtoul(text, &end, 10);

	if (*end || !port || port > 65535)
		return log_error(-EINVAL, "--port %s: not a port number", text);
	s->port = (unsigned)port;
	return 0;
}

/* 1: help was printed, nothing else to do. */
static int options_parse(struct setup *s, int argc, char **argv)
{
	int c, r = 0;

	optind = 0;
	while (!r && (c = getopt_long(argc, argv, "w:o:s:p:u:jh", options, NULL)) != -1) {
		if (c == 'w')
			r = watch_option(s, optarg);
		else if (c == 'P')
			r = profile_option(s, optarg);
		else if (c == 'o')
			s->output = optarg;
		else if (c == 's')
			s->socket = optarg;
		else if (c == 'p')
			r = port_option(s, optarg);
		else if (c == 'u')
			s->user = optarg;
		else if (c == 'j')
			s->json = true;
		else if (c == 'h')
			return fputs(usage, stdout) < 0 ? -EIO : 1;
		else
			return -EINVAL;
	}
	if (!r)
		r = profile_tables(s);
	if (r)
		return r;
	if (optind + 1 != argc || strcmp(argv[optind], "database")) {
		fputs(usage, stderr);
		return -EINVAL;
	}
	return 0;
}

/* Resolves one name on every server of its system that has it. */
static int table_resolve(struct setup *s, const char *watch, bool named)
{
	int (*tell)(int r, const char *fmt, ...) = named ? log_error : log_warn;
	struct watchname name;
	const char *why_name;
	char why[640] = "";
	bool tried = false, found = false;
	int failed = -ENOENT;

	watchname_parse(watch, &name, &why_name);
	for (size_t i = 0; i < s->servers.n; i++) {
		struct setup_server *server = &s->servers.server[i];
		bool pg = server->system == ROLLCALL__SYSTEM__postgresql;
		int r;

		if (!resolved_same_system(server->system, name.system))
			continue;
		tried = true;
		r = (pg ? setup_pg_resolve : setup_mariadb_resolve)(server, s->user, watch,
								    s->resolved, why, sizeof(why));
		if (!r) {
			found = true;
			continue;
		}
		failed = r == -ENOENT && failed == -EACCES ? failed : r;
		if (r != -ENOENT)
			log_warn(r == -EACCES ? 0 : r, "%s: the server at %s did not answer: %s",
				 watch, server->datadir, why);
	}
	if (found)
		return 0;
	if (!tried)
		return tell(-ENOENT, "%s: no running %s server %s", watch,
			    name.system == ROLLCALL__SYSTEM__postgresql ? "PostgreSQL"
									: "MariaDB or MySQL",
			    s->socket || s->port ? "at that socket and port"
						 : "was found on this host");
	return tell(failed, "%s: %s", watch, why);
}

static size_t kind_count(const struct resolved_table *t, const char *kind)
{
	size_t n = 0;

	for (size_t i = 0; i < t->n_relations; i++)
		n += !strcmp(t->relations[i].kind, kind);
	return n;
}

/* Whoever may create a view names it: not what a terminal would obey. */
static void item_print(struct out *o, const char *kind, const char *schema, const char *name)
{
	printf("    %-10s ", kind);
	out_text(o, OUT_PLAIN, schema);
	printf("%s", *schema ? "." : "");
	out_text(o, OUT_PLAIN, name);
	putchar('\n');
}

static void table_print(const struct resolved *r, const struct resolved_table *t)
{
	const struct resolved_server *server = &r->servers[t->server];
	struct out o;

	out_init(&o, stdout);
	printf("%s\n", t->watch);
	printf("  server      %s %s, %s\n", watchname_system_text(server->system), server->version,
	       server->datadir);
	printf("  rows        %llu\n", (unsigned long long)t->rows);
	printf("  columns     %zu\n", t->n_columns);
	printf("  partitions  %zu\n", kind_count(t, "partition") + kind_count(t, "child"));
	printf("  views       %zu\n", kind_count(t, "view") + kind_count(t, "matview"));
	printf("  routines    %zu\n", kind_count(t, "routine") + kind_count(t, "trigger"));
	for (size_t i = 0; i < t->n_relations; i++)
		if (strcmp(t->relations[i].kind, "table"))
			item_print(&o, t->relations[i].kind, t->relations[i].schema,
				   t->relations[i].name);
	printf("  files       %zu\n", t->n_files);
	for (size_t i = 0; i < t->n_files; i++)
		item_print(&o, t->files[i].kind, "", t->files[i].path);
}

static int result_print(const struct setup *s)
{
	_cleanup_(freep) char *text = NULL;

	if (s->json) {
		text = resolved_text(s->resolved);
		if (!text)
			return -ENOMEM;
		puts(text);
		return 0;
	}
	for (size_t i = 0; i < s->resolved->n_tables; i++)
		table_print(s->resolved, &s->resolved->tables[i]);
	printf("Written to %s; the sensor reads it at its next start.\n", s->output);
	return 0;
}

static int time_set(struct resolved *r)
{
	time_t now = time(NULL);
	char text[32];
	struct tm tm;

	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
	r->time = strdup(text);
	return r->time ? 0 : -ENOMEM;
}

static int setup_run(struct setup *s)
{
	int r = 0;

	if (!s->n_watch)
		return log_error(
			-EINVAL,
			"no table to watch: give --watch SYSTEM:DATABASE.TABLE, or --profile");
	if (geteuid())
		return log_error(-EPERM, "setup database must be run as root: it becomes each "
					 "database's own system user");
	r = setup_server_find(s->socket, s->port, &s->servers);
	if (r)
		return log_error(r, "cannot look for database servers in /proc");
	for (size_t i = 0; i < s->n_watch; i++) {
		bool named = i < s->n_named;
		int e = table_resolve(s, s->watch[i], named);

		r = r || (e == -ENOENT && !named) ? r : e;
	}
	if (!r && !s->resolved->n_tables)
		r = log_error(-ENOENT, "none of the profile's tables is there");
	/* All or nothing: a file with half of the tables would look whole to the sensor. */
	if (r)
		return r;
	r = time_set(s->resolved);
	r = r ? r : resolved_write(s->resolved, s->output);
	if (r)
		return log_error(r, "cannot write %s", s->output);
	return result_print(s);
}

static int setup_database(int argc, char **argv)
{
	_cleanup_(resolved_freep) struct resolved *resolved = resolved_new();
	_cleanup_(freep) struct setup *s = calloc(1, sizeof(*s));
	int r;

	if (!resolved || !s)
		return log_error(-ENOMEM, "setup");
	s->output = RESOLVED_PATH;
	s->resolved = resolved;
	r = options_parse(s, argc, argv);
	if (r == 0)
		r = setup_run(s);
	profile_free(s->profile);
	return r < 0 ? r : 0;
}

int cmd_setup(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "database") == 0)
			return setup_database(argc, argv);
	return setup_profile(argc, argv);
}
