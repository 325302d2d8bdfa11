// SPDX-License-Identifier: Apache-2.0
// `rollcall watch`: events as they happen, on a host from its sensor, on the aggregator's machine
// from its store.
#include "cli/cmd_watch.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/line.h"
#include "cli/out.h"
#include "cli/sensor_client.h"
#include "cli/store_client.h"
#include "lib/arena.h"
#include "lib/clean.h"
#include "lib/event.h"
#include "lib/log.h"
#include "lib/store_read.h"

#define EVENTS_MAX 16

static const char usage[] =
	"Usage: rollcall watch [--event KIND]... [filters] [--json]\n"
	"\n"
	"Prints events as they happen, until it is interrupted.\n"
	"\n"
	"  --event KIND      only this kind: exec, exit, db_session, db_result, db_progress,\n"
	"                    db_summary, file_read, finding, gap, coverage (repeatable)\n"
	"  --table NAME      only what touches this table\n"
	"  --user NAME       only this database or operating system user\n"
	"  --min-rows N      only results of at least N rows\n"
	"  --json            one JSON object a line\n"
	"  --control PATH    the sensor's control socket (default " SENSOR_CONTROL ")\n"
	"  --store [FILE]    follow the aggregator's store instead (default " STORE_PATH ")\n"
	"\n"
	"Exit status: 0 interrupted, 1 the sensor ended or does not answer, 2 wrong usage.\n";

struct watch_args {
	const char *events[EVENTS_MAX];
	unsigned n_events;
	const char *table, *user, *control, *store;
	uint64_t min_rows;
	bool json;
	struct out out;
};

static bool kind_wanted(const struct watch_args *w, const Rollcall__Event *ev)
{
	for (unsigned i = 0; i < w->n_events; i++)
		if (strcmp(w->events[i], event_kind(ev)) == 0)
			return true;
	return w->n_events == 0;
}

static bool table_wanted(const struct watch_args *w, const Rollcall__Event *ev)
{
	const Rollcall__Db *db = line_db(ev);

	for (size_t i = 0; db && i < db->n_tables; i++)
		if (strcmp(db->tables[i], w->table) == 0)
			return true;
	for (size_t i = 0;
	     ev->kind_case == ROLLCALL__EVENT__KIND_FINDING && i < ev->finding->n_tables; i++)
		if (strcmp(ev->finding->tables[i], w->table) == 0)
			return true;
	return ev->kind_case == ROLLCALL__EVENT__KIND_FILE_READ &&
	       strstr(ev->file_read->tables, w->table);
}

static bool wanted(const struct watch_args *w, const Rollcall__Event *ev)
{
	const Rollcall__Db *db = line_db(ev);

	if (!kind_wanted(w, ev) || (w->table && !table_wanted(w, ev)))
		return false;
	if (w->min_rows && (!db || db->rows < w->min_rows))
		return false;
	return !w->user || (db && strcmp(db->user, w->user) == 0) ||
	       (ev->process && strcmp(ev->process->user, w->user) == 0);
}

static int show(struct watch_args *w, const Rollcall__Event *ev)
{
	if (!wanted(w, ev))
		return 0;
	if (w->json) {
		event_json(stdout, ev);
		putchar('\n');
	} else {
		line_event(&w->out, ev);
	}
	return fflush(stdout) == EOF ? -EPIPE : 0;
}

static int watch_sensor(struct watch_args *w)
{
	_cleanup_(arena_freep) struct arena *a = arena_new(64 * 1024);
	_cleanup_(closep) int fd = a ? sensor_ask(w->control, ROLLCALL__ASK__watch) : -ENOMEM;
	ProtobufCMessage *m;
	enum frame_type type;
	int r = fd < 0 ? fd : 0;

	if (r < 0)
		return r;
	while (r == 0) {
		r = sensor_answer(fd, a, &type, &m);
		if (r == 0 && type == FRAME_EVENT)
			r = show(w, (const Rollcall__Event *)m);
		arena_reset(a);
	}
	return r == -EPIPE ? 0 : log_error(r == -ENODATA ? 0 : r, "the sensor has ended"), r;
}

struct follow {
	struct watch_args *args;
	uint64_t last;
};

static int follow_event(void *ctx, const struct store_read_event *ev)
{
	struct follow *f = ctx;

	f->last = ev->row;
	return ev->event ? show(f->args, ev->event) : 0;
}

static int follow_skip(void *ctx, const struct store_read_event *ev)
{
	((struct follow *)ctx)->last = ev->row;
	return 0;
}

static int watch_store(struct watch_args *w)
{
	_cleanup_(store_read_closep) struct store_read *s = NULL;
	struct store_read_filter filter = {.limit = 1, .newest = true};
	struct follow f = {w, 0};
	int r = store_client_open(w->store, &s);

	if (r == 0)
		r = store_read_events(s, 0, &filter, follow_skip, &f);
	while (r == 0) {
		filter = (struct store_read_filter){.after = f.last};
		r = store_read_events(s, 0, &filter, follow_event, &f);
		usleep(200000);
	}
	return r == -EPIPE ? 0 : r;
}

static int event_option(struct watch_args *w, const char *kind)
{
	if (!event_is_kind(kind))
		return log_error(0, "--event '%s': no event is of this kind", kind), -EINVAL;
	if (w->n_events == EVENTS_MAX)
		return log_error(0, "--event: at most %d", EVENTS_MAX), -E2BIG;
	w->events[w->n_events++] = kind;
	return 0;
}

static int rows_option(struct watch_args *w, const char *text)
{
	char *end;

	w->min_rows = strtoull(text, &end, 10);
	if (*text < '0' || *text > '9' || *end)
		return log_error(0, "--min-rows '%s': not a number", text), -EINVAL;
	return 0;
}

static int args_parse(int argc, char **argv, struct watch_args *w)
{
	static const struct option options[] = {
		{"event", required_argument, NULL, 'e'},
		{"table", required_argument, NULL, 't'},
		{"user", required_argument, NULL, 'u'},
		{"min-rows", required_argument, NULL, 'm'},
		{"json", no_argument, NULL, 'j'},
		{"control", required_argument, NULL, 'c'},
		{"store", optional_argument, NULL, 's'},
		{"help", no_argument, NULL, 'h'},
		{},
	};
	int c, r = 0;

	while (!r && (c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'h')
			return fputs(usage, stdout) < 0 ? -EIO : 1;
		if (c == 'e')
			r = event_option(w, optarg);
		else if (c == 't')
			w->table = optarg;
		else if (c == 'u')
			w->user = optarg;
		else if (c == 'm')
			r = rows_option(w, optarg);
		else if (c == 'j')
			w->json = true;
		else if (c == 'c')
			w->control = optarg;
		else if (c == 's')
			w->store = optarg ? optarg : optind < argc ? argv[optind++] : STORE_PATH;
		else
			return -EINVAL;
	}
	if (!r && optind < argc)
		return log_error(0, "unexpected argument '%s' (see --help)", argv[optind]), -EINVAL;
	return r;
}

static void interrupted(int signo)
{
	(void)signo;
	_exit(0);
}

int cmd_watch(int argc, char **argv)
{
	struct watch_args w = {.control = SENSOR_CONTROL};
	int r = args_parse(argc, argv, &w);

	if (r)
		return r < 0 ? 2 : 0;
	out_init(&w.out, stdout);
	signal(SIGINT, interrupted);
	signal(SIGTERM, interrupted);
	return (w.store ? watch_store(&w) : watch_sensor(&w)) < 0;
}
