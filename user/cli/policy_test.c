// SPDX-License-Identifier: Apache-2.0
// `rollcall policy test`: one pass over a recording, the new policy and the present one side by
// side; what differs; and what each exception hid.
#include "cli/policy_test.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/out.h"
#include "cli/policy_load.h"
#include "cli/recording.h"
#include "cli/replay.h"
#include "lib/arena.h"
#include "lib/clean.h"
#include "lib/doc.h"
#include "lib/event.h"
#include "lib/log.h"
#include "lib/sigma/hidden.h"
#include "lib/sigma/policy.h"
#include "lib/sigma/rule.h"
#include "tune.pb-c.h"

#define DIFFERENT 3

static const char usage[] =
	"Usage: rollcall policy test --against RECORDING [--present PATH] [--profile NAME] "
	"PATH...\n"
	"\n"
	"Shows every event of a recording to the rules in PATH... and to the present ones, and "
	"tells\n"
	"the findings (a rule and a principal) that are new, gone, or changed in level, number or\n"
	"rows; then the exceptions: how many matches each hid, those that were not used, those "
	"that\n"
	"have expired.\n"
	"\n"
	"  --against FILE   JSON Lines, plain or gzip, as rollcall record makes them; - is "
	"standard\n"
	"                   input\n"
	"  --present PATH   the policy to compare with (default " POLICY_LOAD_INSTALLED ",\n"
	"                   when it is there; else every finding is new)\n"
	"  --profile NAME   both with a product profile's placeholders; a name or a path\n"
	"  --all            also the findings that stay as they are\n"
	"  --json           one JSON object\n"
	"\n"
	"Exit status: 0 the same findings, or nothing to compare with; 1 the rules or the "
	"recording\n"
	"have mistakes; 2 wrong usage; 3 the findings differ.\n";

struct test {
	const char *recording, *present_path, *profile;
	bool all, json;
	struct policy *policy, *present; /* present: NULL when there is none */
	struct replay *replay, *before;
	struct hidden *hidden;
	uint64_t *uses; /* of each rule of the policy, by place */
	struct arena *arena;
	Rollcall__TestReport report;
};

/* ---- replay ---- */

static void on_hidden(void *ctx, const struct rule *filter, const struct rule *rule)
{
	struct test *t = ctx;
	size_t i = 0;

	(void)rule;
	for (const struct rule *r = policy_rules(t->policy); r != filter; r = r->next)
		i++;
	t->uses[i]++;
}

static int replay(struct test *t)
{
	_cleanup_(recording_closep) struct recording *recording = NULL;
	Rollcall__Event *ev;
	int r = recording_open(t->recording, &recording);

	while (r >= 0 && (r = recording_next(recording, &ev)) > 0) {
		t->report.events++;
		t->report.gaps += ev->kind_case == ROLLCALL__EVENT__KIND_GAP;
		replay_event(t->replay, ev);
		if (t->before)
			replay_event(t->before, ev);
		if (recording_judged(ev))
			hidden_event(t->hidden, ev, on_hidden, t);
	}
	if (r < 0)
		return r;
	replay_end(t->replay);
	if (t->before)
		replay_end(t->before);
	if (replay_overflow(t->replay) || (t->before && replay_overflow(t->before)))
		log_warn(0, "more than %d findings: the rest is left out", REPLAY_FINDINGS_MAX);
	return 0;
}

/* ---- comparing ---- */

static int by_name(const struct replay_finding *a, const struct replay_finding *b)
{
	int c = strcmp(a->rule->key, b->rule->key);

	return c ? c : strcmp(a->principal, b->principal);
}

static int by_name_sort(const void *a, const void *b)
{
	return by_name(*(const struct replay_finding *const *)a,
		       *(const struct replay_finding *const *)b);
}

/* The findings in the order of their names, ended by NULL. */
static const struct replay_finding **sorted(struct arena *a, const struct replay *r)
{
	size_t n = 0;
	const struct replay_finding *all = r ? replay_findings(r, &n) : NULL;
	const struct replay_finding **list = arena_alloc(a, (n + 1) * sizeof(*list));

	for (size_t i = 0; list && i < n; i++)
		list[i] = &all[i];
	if (list && n)
		qsort(list, n, sizeof(*list), by_name_sort);
	return list;
}

static char *borrow(const char *s)
{
	return (char *)(uintptr_t)s;
}

/* NULL: that policy does not have it, or there is no memory. */
static Rollcall__TestSide *side(struct arena *a, const struct replay_finding *f)
{
	Rollcall__TestSide *s = f ? arena_alloc(a, sizeof(*s)) : NULL;
	char when[40];

	if (!s)
		return NULL;
	rollcall__test_side__init(s);
	s->level = borrow(f->rule->level);
	s->mode = borrow(f->rule->observes ? "observe" : "");
	s->times = f->times;
	s->rows = f->rows;
	s->first = arena_strdup(a, event_time(f->first, when, sizeof(when)));
	s->event = borrow(f->event);
	return s->first ? s : NULL;
}

static const char *change_of(const struct replay_finding *was, const struct replay_finding *is)
{
	if (!was)
		return "new";
	if (!is)
		return "gone";
	return strcmp(was->rule->level, is->rule->level) == 0 &&
			       was->rule->observes == is->rule->observes &&
			       was->times == is->times && was->rows == is->rows
		       ? "same"
		       : "changed";
}

static int finding_add(struct test *t, const struct replay_finding *was,
		       const struct replay_finding *is)
{
	Rollcall__TestReport *m = &t->report;
	Rollcall__TestFinding *f = arena_alloc(t->arena, sizeof(*f));
	const struct replay_finding *one = is ? is : was;

	if (!f)
		return -ENOMEM;
	rollcall__test_finding__init(f);
	f->change = borrow(change_of(was, is));
	f->rule = borrow(one->rule->key);
	f->title = borrow(one->rule->title);
	f->principal = borrow(one->principal);
	f->present = side(t->arena, was);
	f->tested = side(t->arena, is);
	if ((was && !f->present) || (is && !f->tested))
		return -ENOMEM;
	++*(f->change[0] == 'n'	  ? &m->added
	    : f->change[0] == 'g' ? &m->gone
	    : f->change[0] == 'c' ? &m->changed
				  : &m->same);
	if (f->change[0] != 's' || t->all)
		m->findings[m->n_findings++] = f;
	return 0;
}

static int compare(struct test *t)
{
	const struct replay_finding **was = sorted(t->arena, t->before);
	const struct replay_finding **is = sorted(t->arena, t->replay);
	size_t n = 0, k = 0;
	int r = was && is ? 0 : -ENOMEM;

	while (r == 0 && was[n])
		n++;
	while (r == 0 && is[k])
		k++;
	t->report.findings = arena_alloc(t->arena, (n + k + 1) * sizeof(*t->report.findings));
	if (!t->report.findings)
		return -ENOMEM;
	while (r == 0 && (*was || *is)) {
		int c = !*was ? 1 : !*is ? -1 : by_name(*was, *is);

		r = finding_add(t, c <= 0 ? *was : NULL, c >= 0 ? *is : NULL);
		was += c <= 0;
		is += c >= 0;
	}
	return r;
}

static int exceptions_add(struct test *t)
{
	Rollcall__TestReport *m = &t->report;
	size_t i = 0, n = 0;

	for (const struct rule *r = policy_rules(t->policy); r; r = r->next)
		n += r->kind == RULE_FILTER;
	m->exceptions = arena_alloc(t->arena, (n + 1) * sizeof(*m->exceptions));
	for (const struct rule *r = policy_rules(t->policy); r && m->exceptions; r = r->next, i++) {
		Rollcall__ExceptionUse *e;

		if (r->kind != RULE_FILTER)
			continue;
		e = arena_alloc(t->arena, sizeof(*e));
		if (!e)
			return -ENOMEM;
		rollcall__exception_use__init(e);
		e->title = borrow(r->title);
		e->id = borrow(r->id);
		e->owner = borrow(r->owner);
		e->reason = borrow(r->reason);
		e->until = borrow(r->until);
		e->file = borrow(r->file);
		e->line = r->at->line;
		e->expired = r->expired;
		e->hidden = t->uses[i];
		m->exceptions[m->n_exceptions++] = e;
	}
	return m->exceptions ? 0 : -ENOMEM;
}

/* ---- printing ---- */

static void number_cell(struct out_table *t, const Rollcall__TestSide *was, uint64_t before,
			const Rollcall__TestSide *is, uint64_t now)
{
	if (was && is && before != now)
		out_table_cell(t, OUT_BOLD, "%" PRIu64 " -> %" PRIu64, before, now);
	else
		out_table_cell(t, OUT_PLAIN, "%" PRIu64, is ? now : before);
}

static void finding_row(struct out_table *t, const Rollcall__TestFinding *f)
{
	const Rollcall__TestSide *was = f->present, *is = f->tested, *one = is ? is : was;
	bool changed = was && is &&
		       (strcmp(was->level, is->level) != 0 || strcmp(was->mode, is->mode) != 0);

	out_table_cell(t, f->change[0] == 'n' ? OUT_YELLOW : OUT_BOLD, "%s", f->change);
	if (changed)
		out_table_cell(t, out_level(one->level), "%s%s%s -> %s%s%s", was->level,
			       *was->mode ? ", " : "", was->mode, is->level, *is->mode ? ", " : "",
			       is->mode);
	else
		out_table_cell(t, out_level(one->level), "%s%s%s", one->level,
			       *one->mode ? ", " : "", one->mode);
	number_cell(t, was, was ? was->times : 0, is, is ? is->times : 0);
	number_cell(t, was, was ? was->rows : 0, is, is ? is->rows : 0);
	out_table_cell(t, OUT_DIM, "%.19s", one->first);
	out_table_cell(t, OUT_DIM, "%s", one->event);
	out_table_cell(t, OUT_PLAIN, "%s", f->principal);
	out_table_cell(t, OUT_PLAIN, "%s", f->title);
}

static int findings_print(const Rollcall__TestReport *m, struct out *out)
{
	static const char *const heads[] = {"CHANGE", "LEVEL",	   "TIMES", "ROWS", "FIRST",
					    "EVENT",  "PRINCIPAL", "RULE",  NULL};
	static const char order[] = "ngcs";
	_cleanup_(out_table_freep) struct out_table *t = out_table_new(heads);

	if (!t)
		return -ENOMEM;
	for (const char *o = order; *o; o++)
		for (size_t i = 0; i < m->n_findings; i++)
			if (m->findings[i]->change[0] == *o)
				finding_row(t, m->findings[i]);
	if (m->n_findings)
		out_table_print(t, out);
	return 0;
}

static int exceptions_print(const Rollcall__TestReport *m, struct out *out)
{
	static const char *const heads[] = {"HIDDEN", "USE",	   "UNTIL", "OWNER",
					    "FILE",   "EXCEPTION", NULL};
	_cleanup_(out_table_freep) struct out_table *t = out_table_new(heads);

	if (!t)
		return -ENOMEM;
	for (size_t i = 0; i < m->n_exceptions; i++) {
		const Rollcall__ExceptionUse *e = m->exceptions[i];
		const char *use = e->expired ? "expired" : e->hidden ? "used" : "unused";

		out_table_cell(t, OUT_PLAIN, "%" PRIu64, e->hidden);
		out_table_cell(t, *use == 'u' && use[1] == 's' ? OUT_PLAIN : OUT_YELLOW, "%s", use);
		out_table_cell(t, OUT_DIM, "%s", *e->until ? e->until : "-");
		out_table_cell(t, OUT_PLAIN, "%s", *e->owner ? e->owner : "-");
		out_table_cell(t, OUT_DIM, "%s:%u", e->file, e->line);
		out_table_cell(t, OUT_PLAIN, "%s", e->title);
	}
	if (m->n_exceptions)
		out_table_print(t, out);
	return 0;
}

static int print(const struct test *t)
{
	const Rollcall__TestReport *m = &t->report;
	struct out out;
	int r;

	if (t->json)
		return event_message_json(stdout, &m->base) < 0 || putchar('\n') == EOF ? -EIO : 0;
	out_init(&out, stdout);
	r = findings_print(m, &out);
	if (r == 0)
		r = exceptions_print(m, &out);
	printf("%" PRIu64 " events", m->events);
	if (m->gaps)
		printf(", %" PRIu64 " gaps: something is missing", m->gaps);
	if (m->added + m->gone + m->changed + m->same)
		printf("; %" PRIu64 " new, %" PRIu64 " gone, %" PRIu64 " changed, %" PRIu64
		       " as before (%s%s)",
		       m->added, m->gone, m->changed, m->same, *m->present ? "" : "no policy in ",
		       *m->present ? m->present : POLICY_LOAD_INSTALLED);
	putchar('\n');
	return r;
}

/* ---- the command ---- */

static int policies_load(struct test *t, char **paths)
{
	const struct policy_load_opts opts = {.to = stderr, .profile = t->profile};
	char *present[] = {borrow(t->present_path ? t->present_path : POLICY_LOAD_INSTALLED), NULL};
	int r = policy_load(&opts, paths, &t->policy);
	size_t n = 1;

	if (r == 0 && (t->present_path || access(*present, F_OK) == 0)) {
		r = policy_load(&opts, present, &t->present);
		t->report.present = *present;
	}
	if (r < 0)
		return r;
	for (const struct rule *rule = policy_rules(t->policy); rule; rule = rule->next)
		n++;
	t->replay = replay_new(t->policy, NULL, NULL);
	t->before = t->present ? replay_new(t->present, NULL, NULL) : NULL;
	t->hidden = hidden_new(t->policy);
	t->arena = arena_new(64 * 1024);
	t->uses = calloc(n, sizeof(*t->uses));
	if (!t->replay || (t->present && !t->before) || !t->hidden || !t->arena || !t->uses)
		return log_error(-ENOMEM, "cannot start");
	return 0;
}

static void test_fini(struct test *t)
{
	replay_free(t->replay);
	replay_free(t->before);
	hidden_free(t->hidden);
	policy_free(t->policy);
	policy_free(t->present);
	arena_free(t->arena);
	free(t->uses);
}

static int run(struct test *t, char **paths)
{
	const Rollcall__TestReport *m = &t->report;
	int r = policies_load(t, paths);

	if (r == 0)
		r = replay(t);
	if (r == 0)
		r = compare(t);
	if (r == 0)
		r = exceptions_add(t);
	if (r == 0)
		r = print(t);
	if (r == 0 && t->present && m->added + m->gone + m->changed)
		return DIFFERENT;
	return r;
}

int policy_test(int argc, char **argv)
{
	static const struct option options[] = {
		{"against", required_argument, NULL, 'a'},
		{"present", required_argument, NULL, 'p'},
		{"profile", required_argument, NULL, 'P'},
		{"all", no_argument, NULL, 'A'},
		{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{},
	};
	_cleanup_(test_fini) struct test t = {};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'h')
			return fputs(usage, stdout) < 0;
		if (c == '?')
			return 2;
		t.all |= c == 'A';
		t.json |= c == 'j';
		t.recording = c == 'a' ? optarg : t.recording;
		t.profile = c == 'P' ? optarg : t.profile;
		t.present_path = c == 'p' ? optarg : t.present_path;
	}
	if (!t.recording || optind == argc)
		return fputs(usage, stderr), 2;
	rollcall__test_report__init(&t.report);
	t.report.recording = borrow(t.recording);
	return run(&t, argv + optind);
}
