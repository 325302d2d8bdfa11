// SPDX-License-Identifier: Apache-2.0
// `rollcall policy why`: prints what lib/sigma/explain.h finds.
#include "cli/policy_why.h"

#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "cli/out.h"
#include "cli/policy_load.h"
#include "cli/recording.h"
#include "lib/arena.h"
#include "lib/clean.h"
#include "lib/event.h"
#include "lib/log.h"
#include "lib/sigma/explain.h"

#define SHOWN 8 /* values and patterns of a line; --json has more */

static const char usage[] =
	"Usage: rollcall policy why EVENT [--against RECORDING] [--rule ID] [PATH...]\n"
	"\n"
	"Tells for each rule of the event's log source which of its searches match and which do "
	"not,\n"
	"field by field: what the event carries, what the rule asks. A field is null when the "
	"event\n"
	"has none but others of its kind do, missing when no event of its kind has it. Filters "
	"are\n"
	"told below the rule they belong to. PATH... are the rules (default " POLICY_LOAD_INSTALLED
	").\n"
	"\n"
	"  EVENT            with --against the id or line of an event in the recording, else a "
	"file\n"
	"                   with one event as JSON, or - for standard input\n"
	"  --rule ID        only that rule (id, name or title), whatever its log source; of a\n"
	"                   correlation also the rules that it counts\n"
	"  --json           one JSON object\n"
	"\n"
	"Exit status: 0 done, 1 no such event or rule, or mistakes, 2 wrong usage.\n";

static void list_print(struct out *o, char *const *list, size_t n, const char *quote)
{
	for (size_t i = 0; i < n && i < SHOWN; i++) {
		out_printf(o, OUT_PLAIN, i ? ", %s" : "%s", quote);
		out_text(o, OUT_PLAIN, list[i]);
		out_printf(o, OUT_PLAIN, "%s", quote);
	}
	if (n > SHOWN)
		out_printf(o, OUT_DIM, ", and %zu more", n - SHOWN);
}

static void mark_print(struct out *o, bool matched)
{
	out_printf(o, matched ? OUT_GREEN : OUT_RED, matched ? "yes" : "no ");
}

static void item_print(struct out *o, const Rollcall__WhyItem *m, int indent)
{
	bool value = strcmp(m->state, "value") == 0;

	fprintf(o->file, "%*s", indent, "");
	mark_print(o, m->matched);
	out_printf(o, OUT_PLAIN, " ");
	out_text(o, OUT_BOLD, m->field);
	out_printf(o, OUT_PLAIN, ": ");
	if (value)
		list_print(o, m->values, m->n_values, "'");
	else
		out_text(o, OUT_YELLOW, m->state);
	if (m->n_met) {
		out_printf(o, OUT_DIM, "; met: ");
		list_print(o, m->met, m->n_met, "'");
	} else {
		out_printf(o, OUT_DIM, "; asked: ");
		list_print(o, m->asked, m->n_asked, "'");
	}
	out_printf(o, OUT_PLAIN, "\n");
}

static void rule_print(struct out *o, const Rollcall__WhyRule *m, int indent)
{
	fprintf(o->file, "%*s", indent, "");
	out_text(o, indent ? OUT_PLAIN : OUT_BOLD, m->title);
	out_printf(o, OUT_DIM, " (");
	out_text(o, OUT_DIM, m->rule);
	out_printf(o, OUT_DIM, *m->level ? ", %s): " : "%s): ", m->level);
	out_printf(o, m->matched ? OUT_GREEN : OUT_PLAIN, "%s", m->verdict);
	if (*m->condition) {
		fprintf(o->file, "\n%*s", indent + 2, "");
		out_printf(o, OUT_DIM, "condition: ");
		out_text(o, OUT_PLAIN, m->condition);
	}
	out_printf(o, OUT_PLAIN, "\n");
	for (size_t i = 0; i < m->n_searches; i++) {
		fprintf(o->file, "%*s", indent + 2, "");
		mark_print(o, m->searches[i]->matched);
		out_printf(o, OUT_PLAIN, " ");
		out_text(o, OUT_CYAN, m->searches[i]->name);
		out_printf(o, OUT_PLAIN, "\n");
		for (size_t k = 0; k < m->searches[i]->n_items; k++)
			item_print(o, m->searches[i]->items[k], indent + 6);
	}
	for (size_t i = 0; i < m->n_filters; i++)
		rule_print(o, m->filters[i], indent + 4);
}

static void report_print(const Rollcall__WhyReport *m, bool one)
{
	struct out o;
	size_t n = 0;

	out_init(&o, stdout);
	out_printf(&o, OUT_PLAIN, "event ");
	out_text(&o, OUT_BOLD, *m->event ? m->event : "without an id");
	out_printf(&o, OUT_PLAIN, ", %s\n", m->kind);
	/* What matches comes first. */
	for (int matched = 1; matched >= 0; matched--)
		for (size_t i = 0; i < m->n_rules; i++) {
			const Rollcall__WhyRule *rule = m->rules[i];

			n += matched && rule->matched;
			if (rule->matched == matched && (one || rule->source))
				rule_print(&o, rule, 0);
		}
	printf("%zu rules match\n", n);
}

static int why(const char *event, const char *recording, const char *rule, bool json, char **paths)
{
	_cleanup_(policy_freep) struct policy *p = NULL;
	_cleanup_(arena_freep) struct arena *a = arena_new(64 * 1024);
	Rollcall__WhyReport *report;
	Rollcall__Event *ev;
	int r = policy_load(&(struct policy_load_opts){.to = stderr}, paths, &p);

	if (!a)
		return log_error(-ENOMEM, "cannot start");
	if (r == 0)
		r = recording_find(a, recording, event, &ev);
	if (r < 0)
		return r;
	r = explain_event(a, p, ev, rule, &report);
	if (r == -ENOENT)
		return log_error(0, "no rule has the id, name or title '%s'", rule), r;
	if (r < 0)
		return log_error(r, "cannot explain");
	if (json)
		return event_message_json(stdout, &report->base) < 0 || putchar('\n') == EOF ? -EIO
											     : 0;
	report_print(report, rule != NULL);
	return 0;
}

int policy_why(int argc, char **argv)
{
	static const struct option options[] = {
		{"against", required_argument, NULL, 'a'},
		{"rule", required_argument, NULL, 'r'},
		{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{},
	};
	const char *recording = NULL, *rule = NULL;
	bool json = false;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'h')
			return fputs(usage, stdout) < 0;
		if (c == '?')
			return 2;
		json |= c == 'j';
		recording = c == 'a' ? optarg : recording;
		rule = c == 'r' ? optarg : rule;
	}
	if (optind == argc)
		return fputs(usage, stderr), 2;
	return why(argv[optind], recording, rule, json, argv + optind + 1);
}
