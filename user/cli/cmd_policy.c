// SPDX-License-Identifier: Apache-2.0
// `rollcall policy check|test|fields`; others have files of their own. A recording is JSON Lines,
// as `rollcall-sensor --stdout` and `rollcall watch --json` print it: it can be read, cut and
// corrected with any tool, and a test's recording is a text in the project's history.
#include "cli/cmd_policy.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/out.h"
#include "cli/policy_apply.h"
#include "cli/policy_list.h"
#include "cli/policy_sign.h"
#include "lib/arena.h"
#include "lib/clean.h"
#include "lib/event_read.h"
#include "lib/log.h"
#include "lib/sigma/engine.h"
#include "lib/sigma/fields.h"
#include "lib/sigma/rule.h"
#include "lib/sigma/taxonomy.h"

#define FOREVER (400 * 86400 * 1000000000ull) /* longer than any timespan */

static const char usage[] =
	"Usage: rollcall policy check [--notes] [--fields] PATH...\n"
	"       rollcall policy test --against RECORDING PATH...\n"
	"       rollcall policy fields\n"
	"       rollcall policy apply|list|sign ...   (each has --help)\n"
	"\n"
	"PATH is a file of Sigma documents, or a directory of *.yml and *.yaml.\n"
	"\n"
	"  check      tells each mistake with file, line and column, and what would be right\n"
	"    --notes  also each field that no event of the rule's log source has\n"
	"    --fields what fields each rule needs, and with ! those that no event has\n"
	"  test       shows the events of a recording to the rules: what matched, how often\n"
	"    --against FILE  JSON Lines, as rollcall-sensor --stdout and rollcall watch --json\n"
	"                    print; - is standard input\n"
	"  fields     the log sources and fields that rules can use\n"
	"  apply      has the sensor take rules, without a restart\n"
	"  list       each rule: what it found, what it costs\n"
	"  sign       rules as a signed file, for sensors elsewhere\n"
	"\n"
	"Exit status: 0 done, 1 the rules or the recording have mistakes, 2 wrong usage.\n";

struct policy_args {
	bool notes, fields;
	const char *recording;
};

/* ---- check ---- */

static void tell(void *ctx, const struct diag_text *t)
{
	const struct policy_args *args = ctx;

	if (t->mistake || args->notes)
		printf("%s:%u:%u: %s%s\n", t->file, t->line, t->column,
		       t->mistake ? "" : "note: ", t->text);
}

/* 0, or -EBADMSG: told. The policy is given in any case. */
static int load(struct policy_args *args, char **paths, struct policy **ret_policy)
{
	struct policy *p = policy_new(&fields_schema, tell, args);
	int r = 0;

	*ret_policy = p;
	if (!p)
		return log_error(-ENOMEM, "policy");
	for (; *paths; paths++) {
		int e = policy_read(p, *paths);

		if (e < 0)
			r = log_error(e, "cannot read '%s'", *paths);
	}
	return r < 0 ? r : policy_finish(p);
}

static bool named_before(const struct rule *rule, size_t item)
{
	for (size_t i = 0; i < item; i++)
		if (strcmp(rule->items[i].field, rule->items[item].field) == 0)
			return true;
	return false;
}

static void rule_fields_print(const struct rule *rule)
{
	int source = fields_schema.source(&rule->source);
	const char *near;

	printf("%s: %s:", rule->file, rule->title);
	for (size_t i = 0; i < rule->n_items; i++) {
		const char *field = rule->items[i].field;

		if (!named_before(rule, i))
			printf(" %s%s",
			       source >= 0 && fields_schema.field((uint32_t)source, field, &near)
				       ? ""
				       : "!",
			       *field ? field : "(every field)");
	}
	putchar('\n');
}

static int check(struct policy_args *args, char **paths)
{
	_cleanup_(policy_freep) struct policy *p = NULL;
	unsigned counts[3] = {};
	int r = load(args, paths, &p);

	if (!p)
		return r;
	for (const struct rule *rule = policy_rules(p); rule; rule = rule->next)
		counts[rule->kind]++;
	for (const struct rule *rule = policy_rules(p); rule && args->fields; rule = rule->next)
		if (rule->kind == RULE_DETECTION)
			rule_fields_print(rule);
	printf("%u rules, %u correlations, %u filters: %u mistakes, %u notes\n",
	       counts[RULE_DETECTION], counts[RULE_CORRELATION], counts[RULE_FILTER],
	       policy_mistakes(p), policy_notes(p));
	return r < 0;
}

/* ---- test ---- */

struct count {
	const struct rule *rule;
	uint64_t hits;
	uint64_t first; /* time */
	char id[48];	/* of the first event */
};

struct replay {
	struct count *counts;
	struct engine *engine;
	uint64_t events;
	uint64_t last; /* time */
};

static void on_hit(void *ctx, const Rollcall__Event *ev, const struct engine_hit *hit)
{
	struct replay *r = ctx;
	struct count *c = &r->counts[hit->rule->number];

	if (!c->hits++) {
		c->rule = hit->rule;
		c->first = hit->time;
		snprintf(c->id, sizeof(c->id), "%s", ev ? ev->id : "");
	}
}

static int recording_read(struct replay *r, const char *path, FILE *f)
{
	_cleanup_(arena_freep) struct arena *a = arena_new(64 * 1024);
	_cleanup_(freep) char *line = NULL;
	size_t room = 0, number = 0;
	ssize_t len;
	char why[200];

	while (a && (len = getline(&line, &room, f)) > 0) {
		Rollcall__Event *ev;
		int e = event_read(a, line, (size_t)len, &ev, why, sizeof(why));

		number++;
		if (e < 0)
			return log_error(e == -EBADMSG ? 0 : e, "%s:%zu: %s", path, number,
					 e == -EBADMSG ? why : "cannot be read"),
			       e;
		engine_event(r->engine, ev);
		r->events++;
		r->last = ev->time > r->last ? ev->time : r->last;
		arena_reset(a);
	}
	/* What the recording left undecided is decided: nothing came after it. */
	engine_time(r->engine, r->last + FOREVER);
	return !a ? -ENOMEM : ferror(f) ? log_error(-EIO, "cannot read '%s'", path) : 0;
}

static int counts_print(const struct replay *r)
{
	static const char *const heads[] = {"LEVEL", "TIMES", "FIRST", "EVENT", "RULE", NULL};
	_cleanup_(out_table_freep) struct out_table *t = out_table_new(heads);
	struct out out;
	char when[40];

	if (!t)
		return -ENOMEM;
	out_init(&out, stdout);
	for (uint32_t i = 0; i < engine_rules(r->engine); i++) {
		const struct count *c = &r->counts[i];

		if (!c->hits)
			continue;
		out_table_cell(t, out_level(c->rule->level), "%s", c->rule->level);
		out_table_cell(t, OUT_PLAIN, "%" PRIu64, c->hits);
		out_table_cell(t, OUT_DIM, "%s", out_time(c->first, when, sizeof(when)));
		out_table_cell(t, OUT_DIM, "%s", c->id);
		out_table_cell(t, OUT_PLAIN, "%s", c->rule->title);
	}
	out_table_print(t, &out);
	printf("%" PRIu64 " events\n", r->events);
	return 0;
}

static int test(struct policy_args *args, char **paths)
{
	_cleanup_(policy_freep) struct policy *p = NULL;
	bool input = strcmp(args->recording, "-") == 0;
	_cleanup_(fclosep) FILE *f = input ? stdin : fopen(args->recording, "re");
	struct replay replay = {};
	int r = f ? load(args, paths, &p) : -errno;

	if (!f)
		return log_error(r, "cannot read '%s'", args->recording);
	if (r < 0)
		return r;
	replay.engine = engine_new(p, on_hit, &replay);
	replay.counts = replay.engine
				? calloc(engine_rules(replay.engine) + 1, sizeof(*replay.counts))
				: NULL;
	r = replay.counts ? recording_read(&replay, args->recording, f)
			  : log_error(-ENOMEM, "policy");
	if (r == 0)
		r = counts_print(&replay);
	free(replay.counts);
	engine_free(replay.engine);
	return r;
}

/* ---- fields ---- */

static const char *or_none(const char *s)
{
	return *s ? s : "-";
}

/* As docs/fields.md has it. */
static int fields_print(void)
{
	puts("| category | ECS | event |\n|---|---|---|");
	for (const struct taxonomy_source *s = taxonomy_sources; s->category; s++)
		printf("| `%s` | %s | `%s`%s%s |\n", s->category, or_none(s->ecs), s->kind,
		       *s->only ? " with " : "", s->only);
	puts("\n| of | field | ECS | event.proto |\n|---|---|---|---|");
	for (const struct taxonomy_field *f = taxonomy_fields; f->name; f++)
		printf("| %s | `%s` | %s | `%s` |\n", *f->of ? f->of : "every event", f->name,
		       or_none(f->ecs), f->path);
	return ferror(stdout) ? -EIO : 0;
}

/* ---- arguments ---- */

/* Subcommands with options of their own. */
static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
} subcommands[] = {
	{"apply", policy_apply},
	{"list", policy_list},
	{"sign", policy_sign},
};

int cmd_policy(int argc, char **argv)
{
	static const struct option options[] = {
		{"notes", no_argument, NULL, 'n'},
		{"fields", no_argument, NULL, 'f'},
		{"against", required_argument, NULL, 'a'},
		{"help", no_argument, NULL, 'h'},
		{},
	};
	struct policy_args args = {};
	int c, n;

	for (unsigned i = 0; argc > 1 && i < sizeof(subcommands) / sizeof(subcommands[0]); i++)
		if (strcmp(argv[1], subcommands[i].name) == 0)
			return subcommands[i].run(argc - 1, argv + 1);
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'h')
			return fputs(usage, stdout) < 0;
		if (c == '?')
			return 2;
		args.notes |= c == 'n';
		args.fields |= c == 'f';
		if (c == 'a')
			args.recording = optarg;
	}
	n = argc - optind;
	if (n == 1 && strcmp(argv[optind], "fields") == 0)
		return fields_print();
	if (n > 1 && strcmp(argv[optind], "check") == 0)
		return check(&args, argv + optind + 1);
	if (n > 1 && args.recording && strcmp(argv[optind], "test") == 0)
		return test(&args, argv + optind + 1);
	fputs(usage, stderr);
	return 2;
}
