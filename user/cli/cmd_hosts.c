// SPDX-License-Identifier: Apache-2.0
// `rollcall hosts`: the hosts that the aggregator knows, when each was heard last, what is missing.
#include "cli/cmd_hosts.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli/out.h"
#include "cli/store_client.h"
#include "lib/clean.h"
#include "lib/event.h"
#include "lib/log.h"
#include "lib/store_read.h"

static const char usage[] = "Usage: rollcall hosts [--json] [--store FILE]\n"
			    "\n"
			    "Lists the hosts in the aggregator's store: when each was heard last, "
			    "whether its probes are\n"
			    "complete, how much it sent and what is missing.\n"
			    "\n"
			    "  --json          one JSON object a line\n"
			    "  --store FILE    default " STORE_PATH "\n"
			    "\n"
			    "Exit status: 0 done, 1 failed, 2 wrong usage.\n";

struct hosts_args {
	bool json;
	struct out_table *table;
};

static const Rollcall__Coverage *coverage_of(const Rollcall__Event *ev)
{
	if (ev && ev->kind_case == ROLLCALL__EVENT__KIND_READY)
		return ev->ready->coverage;
	return ev && ev->kind_case == ROLLCALL__EVENT__KIND_COVERAGE ? ev->coverage : NULL;
}

static void host_json(const struct store_read_host *h)
{
	const Rollcall__Coverage *c = coverage_of(h->coverage);
	char first[40], last[40];

	fputs("{\"host\":", stdout);
	event_json_string(stdout, h->name, strlen(h->name));
	printf(",\"boot_id\":\"%s\",\"first_seen\":\"%s\",\"last_seen\":\"%s\",\"events\":%" PRIu64
	       ",\"findings\":%" PRIu64 ",\"gaps\":%" PRIu64,
	       h->boot_id, event_time(h->first_seen, first, sizeof(first)),
	       event_time(h->last_seen, last, sizeof(last)), h->events, h->findings, h->gaps);
	if (c) {
		fputs(",\"coverage\":", stdout);
		event_message_json(stdout, &c->base);
	}
	puts("}");
}

static int host_show(void *ctx, const struct store_read_host *h)
{
	const struct hosts_args *a = ctx;
	const Rollcall__Coverage *c = coverage_of(h->coverage);
	uint64_t now = (uint64_t)time(NULL) * 1000000000ull;
	const char *state = c ? c->state : "unknown";
	char span[32];

	if (a->json) {
		host_json(h);
		return 0;
	}
	out_table_cell(a->table, OUT_BOLD, "%s", h->name);
	out_table_cell(a->table, OUT_PLAIN, "%s ago",
		       out_span(now > h->last_seen ? now - h->last_seen : 0, span, sizeof(span)));
	out_table_cell(a->table, strcmp(state, "healthy") == 0 ? OUT_GREEN : OUT_YELLOW, "%s",
		       state);
	out_table_cell(a->table, OUT_PLAIN, "%" PRIu64, h->events);
	out_table_cell(a->table, h->findings ? OUT_RED : OUT_PLAIN, "%" PRIu64, h->findings);
	out_table_cell(a->table, h->gaps ? OUT_YELLOW : OUT_PLAIN, "%" PRIu64, h->gaps);
	return out_table_cell(a->table, OUT_DIM, "%s", h->boot_id);
}

int cmd_hosts(int argc, char **argv)
{
	static const char *const heads[] = {"HOST",	"HEARD", "PROBES", "EVENTS",
					    "FINDINGS", "GAPS",	 "BOOT",   NULL};
	static const struct option options[] = {
		{"json", no_argument, NULL, 'j'},
		{"store", required_argument, NULL, 'd'},
		{"help", no_argument, NULL, 'h'},
		{},
	};
	_cleanup_(out_table_freep) struct out_table *table = out_table_new(heads);
	_cleanup_(store_read_closep) struct store_read *s = NULL;
	struct hosts_args a = {.table = table};
	const char *path = STORE_PATH;
	struct out out;
	int c, r;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'h')
			return fputs(usage, stdout) < 0;
		if (c == 'j')
			a.json = true;
		else if (c == 'd')
			path = optarg;
		else
			return 2;
	}
	if (!table || store_client_open(path, &s) < 0)
		return 1;
	r = store_read_hosts(s, host_show, &a);
	if (r < 0)
		return log_error(r, "the store cannot be read"), 1;
	out_init(&out, stdout);
	if (!a.json)
		out_table_print(table, &out);
	return 0;
}
