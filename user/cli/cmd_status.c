// SPDX-License-Identifier: Apache-2.0
// `rollcall status`: is this host's sensor seeing everything, losing nothing, delivering?
#include "cli/cmd_status.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli/out.h"
#include "cli/sensor_client.h"
#include "lib/arena.h"
#include "lib/clean.h"
#include "lib/event.h"
#include "lib/log.h"

static const char usage[] =
	"Usage: rollcall status [--json] [--control PATH]\n"
	"\n"
	"Shows the sensor of this host: probes and the hooks in use, records written and lost, "
	"the\n"
	"spool and the connection to the aggregator.\n"
	"\n"
	"  --json            one JSON object\n"
	"  --control PATH    the sensor's control socket (default " SENSOR_CONTROL ")\n"
	"\n"
	"Exit status: 0 healthy, 1 no sensor answers, 2 wrong usage, 3 degraded: a probe is "
	"missing,\n"
	"something was lost, or the aggregator is not reached.\n";

static bool lost(const Rollcall__Status *s)
{
	for (size_t i = 0; s->coverage && i < s->coverage->n_lanes; i++)
		if (s->coverage->lanes[i]->dropped)
			return true;
	for (size_t i = 0; s->spool && i < s->spool->n_lanes; i++)
		if (s->spool->lanes[i]->trimmed)
			return true;
	return s->spool && s->spool->errors;
}

static bool healthy(const Rollcall__Status *s)
{
	if (s->coverage && strcmp(s->coverage->state, "healthy") != 0)
		return false;
	if (s->stream && strcmp(s->stream->state, "connected") != 0)
		return false;
	return !lost(s);
}

static void print_probes(struct out *o, const Rollcall__Coverage *c)
{
	static const char *const heads[] = {"PROBE", "HOOK", "STATE", "REASON", NULL};
	_cleanup_(out_table_freep) struct out_table *t = out_table_new(heads);

	for (size_t i = 0; t && i < c->n_probes; i++) {
		const Rollcall__Probe *p = c->probes[i];
		bool good = strcmp(p->state, "attached") == 0;

		out_table_cell(t, OUT_PLAIN, "%s", p->event);
		out_table_cell(t, OUT_PLAIN, "%s", *p->hook ? p->hook : "-");
		out_table_cell(t, good ? OUT_GREEN : OUT_YELLOW, "%s", p->state);
		out_table_cell(t, OUT_PLAIN, "%s", p->reason);
	}
	if (t)
		out_table_print(t, o);
}

static void print_lanes(struct out *o, const Rollcall__Status *s)
{
	static const char *const heads[] = {"LANE",	 "EVENT",     "WRITTEN", "READ", "LOST",
					    "THROTTLED", "TRUNCATED", "UNREAD",	 NULL};
	_cleanup_(out_table_freep) struct out_table *t = out_table_new(heads);

	for (size_t i = 0; t && i < s->coverage->n_counts; i++) {
		const Rollcall__Count *n = s->coverage->counts[i];

		out_table_cell(t, OUT_PLAIN, "%s", n->lane);
		out_table_cell(t, OUT_PLAIN, "%s", n->event);
		out_table_cell(t, OUT_PLAIN, "%" PRIu64, n->written);
		out_table_cell(t, OUT_PLAIN, "%" PRIu64, n->read);
		out_table_cell(t, n->dropped ? OUT_RED : OUT_PLAIN, "%" PRIu64, n->dropped);
		out_table_cell(t, n->throttled ? OUT_YELLOW : OUT_PLAIN, "%" PRIu64, n->throttled);
		out_table_cell(t, OUT_PLAIN, "%" PRIu64, n->truncated);
		out_table_cell(t, n->unread ? OUT_YELLOW : OUT_PLAIN, "%" PRIu64, n->unread);
	}
	if (t)
		out_table_print(t, o);
}

static void print_spool(struct out *o, const Rollcall__SpoolStatus *p)
{
	static const char *const heads[] = {"SPOOL", "LAST", "DELIVERED", "REMOVED", NULL};
	_cleanup_(out_table_freep) struct out_table *t = out_table_new(heads);
	char used[32], most[32];

	for (size_t i = 0; t && i < p->n_lanes; i++) {
		const Rollcall__SpoolLane *l = p->lanes[i];

		out_table_cell(t, OUT_PLAIN, "%s", l->class_);
		out_table_cell(t, OUT_PLAIN, "%" PRIu64, l->last_seq);
		out_table_cell(t, OUT_PLAIN, "%" PRIu64, l->acked_seq);
		out_table_cell(t, l->trimmed ? OUT_RED : OUT_PLAIN, "%" PRIu64, l->trimmed);
	}
	if (t)
		out_table_print(t, o);
	out_printf(o, OUT_PLAIN, "%s of %s in ", out_bytes(p->bytes, used, sizeof(used)),
		   out_bytes(p->max_bytes, most, sizeof(most)));
	out_text(o, OUT_PLAIN, p->directory);
	if (p->errors)
		out_printf(o, OUT_RED, ", %" PRIu64 " events could not be written", p->errors);
	out_printf(o, OUT_PLAIN, "\n");
}

static void print_stream(struct out *o, const Rollcall__StreamStatus *s)
{
	bool connected = strcmp(s->state, "connected") == 0;
	char since[40];

	out_printf(o, OUT_PLAIN, "aggregator ");
	out_text(o, OUT_PLAIN, s->aggregator);
	out_printf(o, OUT_PLAIN, ": ");
	out_text(o, connected ? OUT_GREEN : OUT_YELLOW, s->state);
	out_printf(o, OUT_PLAIN, " since %s UTC", out_time(s->since, since, sizeof(since)));
	if (*s->reason) {
		out_printf(o, OUT_PLAIN, " (");
		out_text(o, OUT_YELLOW, s->reason);
		out_printf(o, OUT_PLAIN, ")");
	}
	out_printf(o, OUT_PLAIN, "\n");
}

static void print_head(struct out *o, const Rollcall__Status *s)
{
	char span[32];
	uint64_t now = (uint64_t)time(NULL) * 1000000000ull;

	out_text(o, OUT_BOLD, s->host);
	out_printf(o, OUT_PLAIN, "  ");
	out_printf(o, healthy(s) ? OUT_GREEN : OUT_YELLOW, "%s",
		   healthy(s) ? "healthy" : "degraded");
	out_printf(o, OUT_PLAIN, ", rollcall-sensor %s, process %" PRIu32 ", up %s\n", s->version,
		   s->pid, out_span(now > s->started ? now - s->started : 0, span, sizeof(span)));
	out_printf(o, OUT_PLAIN, "watching");
	for (size_t i = 0; i < s->n_watch; i++) {
		out_printf(o, OUT_PLAIN, i ? ", " : " ");
		out_text(o, OUT_PLAIN, s->watch[i]);
	}
	out_printf(o, OUT_PLAIN,
		   "%s\n%" PRIu64 " events, %" PRIu64 " findings, %" PRIu64
		   " database sessions, %" PRIu64 " processes known (%" PRIu64 " forgotten)\n\n",
		   s->n_watch ? "" : " no table", s->events, s->findings, s->sessions, s->processes,
		   s->processes_evicted);
}

static void print(const Rollcall__Status *s)
{
	struct out o;

	out_init(&o, stdout);
	print_head(&o, s);
	if (s->coverage) {
		print_probes(&o, s->coverage);
		putchar('\n');
		print_lanes(&o, s);
	}
	if (s->spool) {
		putchar('\n');
		print_spool(&o, s->spool);
	}
	if (s->stream)
		print_stream(&o, s->stream);
}

int cmd_status(int argc, char **argv)
{
	static const struct option options[] = {
		{"json", no_argument, NULL, 'j'},
		{"control", required_argument, NULL, 'c'},
		{"help", no_argument, NULL, 'h'},
		{},
	};
	_cleanup_(arena_freep) struct arena *a = arena_new(64 * 1024);
	_cleanup_(closep) int fd = -1;
	const char *control = SENSOR_CONTROL;
	ProtobufCMessage *m;
	enum frame_type type;
	bool json = false;
	int c, r;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'h')
			return fputs(usage, stdout) < 0;
		if (c == 'j')
			json = true;
		else if (c == 'c')
			control = optarg;
		else
			return 2;
	}
	fd = a ? sensor_ask(control, ROLLCALL__ASK__status) : -ENOMEM;
	if (fd < 0)
		return 1;
	r = sensor_answer(fd, a, &type, &m);
	if (r < 0 || type != FRAME_STATUS)
		return log_error(r < 0 ? r : -EBADMSG, "the sensor's answer cannot be read"), 1;
	if (json) {
		event_message_json(stdout, m);
		putchar('\n');
	} else {
		print((const Rollcall__Status *)m);
	}
	return healthy((const Rollcall__Status *)m) ? 0 : 3;
}
