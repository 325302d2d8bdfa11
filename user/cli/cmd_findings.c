// SPDX-License-Identifier: Apache-2.0
// `rollcall findings`: what the sensors found, from the aggregator's store.
#include "cli/cmd_findings.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/line.h"
#include "cli/out.h"
#include "cli/store_client.h"
#include "lib/clean.h"
#include "lib/event.h"
#include "lib/log.h"
#include "lib/store_read.h"

static const char usage[] =
	"Usage: rollcall findings [--since AGE] [--host HOST] [--level LEVEL] [--observe]\n"
	"                         [--follow] [--json]\n"
	"\n"
	"Lists the findings in the aggregator's store, oldest first.\n"
	"\n"
	"  --since AGE     90s, 15m, 24h, 7d or all (default 7d)\n"
	"  --host HOST     only of this host\n"
	"  --level LEVEL   only of at least this level: informational, low, medium, high, "
	"critical\n"
	"  --observe       also those of rules on trial, which are no alerts\n"
	"  --follow        then print each new or changed finding as it arrives\n"
	"  --json          one JSON object a line\n"
	"  --store FILE    default " STORE_PATH "\n"
	"\n"
	"Exit status: 0 done, 1 failed, 2 wrong usage.\n";

static const char *const levels[] = {"informational", "low", "medium", "high", "critical"};

struct findings_args {
	const char *store, *host;
	uint64_t since;
	int level; /* index in levels */
	bool json, follow, observe;
	struct out out;
	struct out_table *table;
	uint64_t last; /* row of the last event seen */
};

static int level_index(const char *name)
{
	for (int i = 0; i < (int)(sizeof(levels) / sizeof(levels[0])); i++)
		if (strcmp(levels[i], name) == 0)
			return i;
	return -1;
}

static bool observed(const Rollcall__Event *ev)
{
	return ev && ev->kind_case == ROLLCALL__EVENT__KIND_FINDING && *ev->finding->mode;
}

static bool wanted(const struct findings_args *a, const char *host, const char *level,
		   const Rollcall__Event *ev)
{
	return (!a->host || strcmp(a->host, host) == 0) && level_index(level) >= a->level &&
	       (a->observe || !observed(ev));
}

static int finding_show(void *ctx, const struct store_read_finding *f)
{
	struct findings_args *a = ctx;
	char when[40];

	if (!wanted(a, f->host, f->level, f->event))
		return 0;
	if (a->json) {
		if (f->event)
			event_json(stdout, f->event);
		putchar('\n');
		return 0;
	}
	out_table_cell(a->table, OUT_DIM, "%s", out_time(f->time, when, sizeof(when)));
	out_table_cell(a->table, OUT_PLAIN, "%s", f->host);
	out_table_cell(a->table, out_level(f->level), "%s", f->level);
	out_table_cell(a->table, OUT_BOLD, "%s%" PRIu64, f->rows_max ? "" : ">=", f->rows);
	out_table_cell(a->table, OUT_PLAIN, "%s", f->tables);
	out_table_cell(a->table, OUT_PLAIN, "%s", f->title);
	out_table_cell(a->table, OUT_PLAIN, "%s", f->principal);
	return out_table_cell(a->table, OUT_DIM, "%s%s%s", f->id, f->gap ? " (gap)" : "",
			      observed(f->event) ? " (observe)" : "");
}

static int list(struct findings_args *a, struct store_read *s)
{
	static const char *const heads[] = {"TIME (UTC)", "HOST",      "LEVEL", "ROWS", "TABLES",
					    "WHAT",	  "PRINCIPAL", "ID",	NULL};
	int r;

	a->table = out_table_new(heads);
	if (!a->table)
		return -ENOMEM;
	r = store_read_findings(s, a->since, finding_show, a);
	if (r == 0 && !a->json)
		out_table_print(a->table, &a->out);
	a->table = out_table_free(a->table);
	return fflush(stdout) == EOF ? -EPIPE : r;
}

static int event_follow(void *ctx, const struct store_read_event *ev)
{
	struct findings_args *a = ctx;
	const Rollcall__Event *e = ev->event;

	a->last = ev->row;
	if (!e || e->kind_case != ROLLCALL__EVENT__KIND_FINDING || !e->finding->rule ||
	    !wanted(a, ev->host, e->finding->rule->level, e))
		return 0;
	if (a->json) {
		event_json(stdout, e);
		putchar('\n');
	} else {
		line_event(&a->out, e);
	}
	return fflush(stdout) == EOF ? -EPIPE : 0;
}

static int event_skip(void *ctx, const struct store_read_event *ev)
{
	((struct findings_args *)ctx)->last = ev->row;
	return 0;
}

static int follow(struct findings_args *a, struct store_read *s)
{
	int r = 0;

	while (r == 0) {
		const struct store_read_filter filter = {.after = a->last, .kind = "finding"};

		usleep(100000);
		r = store_read_events(s, 0, &filter, event_follow, a);
	}
	return r;
}

static int args_parse(int argc, char **argv, struct findings_args *a)
{
	static const struct option options[] = {
		{"since", required_argument, NULL, 's'},
		{"host", required_argument, NULL, 'n'},
		{"level", required_argument, NULL, 'l'},
		{"follow", no_argument, NULL, 'f'},
		{"json", no_argument, NULL, 'j'},
		{"store", required_argument, NULL, 'd'},
		{"observe", no_argument, NULL, 'o'},
		{"help", no_argument, NULL, 'h'},
		{},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'h')
			return fputs(usage, stdout) < 0 ? -EIO : 1;
		if (c == 'n')
			a->host = optarg;
		else if (c == 'f')
			a->follow = true;
		else if (c == 'j')
			a->json = true;
		else if (c == 'o')
			a->observe = true;
		else if (c == 'd')
			a->store = optarg;
		else if (c == 'l' && (a->level = level_index(optarg)) < 0)
			return log_error(0,
					 "--level '%s': write one of informational, low, medium, "
					 "high, critical",
					 optarg),
			       -EINVAL;
		else if (c == '?' || (c == 's' && store_client_since(optarg, &a->since) < 0))
			return -EINVAL;
	}
	return 0;
}

int cmd_findings(int argc, char **argv)
{
	_cleanup_(store_read_closep) struct store_read *s = NULL;
	struct findings_args a = {.store = STORE_PATH};
	const struct store_read_filter newest = {.limit = 1, .newest = true};
	int r;

	store_client_since("7d", &a.since);
	r = args_parse(argc, argv, &a);
	if (r)
		return r < 0 ? 2 : 0;
	out_init(&a.out, stdout);
	r = store_client_open(a.store, &s);
	if (r < 0)
		return 1;
	/* The position first, so that none falls between the list and what follows. */
	r = store_read_events(s, 0, &newest, event_skip, &a);
	if (r == 0)
		r = list(&a, s);
	if (r == 0 && a.follow)
		r = follow(&a, s);
	if (r < 0 && r != -EPIPE)
		log_error(r, "the store cannot be read");
	return r < 0 && r != -EPIPE;
}
