// SPDX-License-Identifier: Apache-2.0
// `rollcall policy`: a table of what can be done with rules. `check` and `fields` are here, the
// others each in a file of their own.
#include "cli/cmd_policy.h"

#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "cli/policy_apply.h"
#include "cli/policy_except.h"
#include "cli/policy_list.h"
#include "cli/policy_load.h"
#include "cli/policy_report.h"
#include "cli/policy_sign.h"
#include "cli/policy_suggest.h"
#include "cli/policy_test.h"
#include "cli/policy_why.h"
#include "lib/clean.h"
#include "lib/log.h"
#include "lib/sigma/fields.h"
#include "lib/sigma/rule.h"
#include "lib/sigma/taxonomy.h"

/* ---- check ---- */

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

static void print_fields(const struct policy *p)
{
	for (const struct rule *rule = policy_rules(p); rule; rule = rule->next)
		if (rule->kind == RULE_DETECTION)
			rule_fields_print(rule);
}

static void print_counts(const struct policy *p)
{
	unsigned counts[3] = {};

	for (const struct rule *rule = policy_rules(p); rule; rule = rule->next)
		counts[rule->kind]++;
	printf("%u rules, %u correlations, %u filters: %u mistakes, %u notes",
	       counts[RULE_DETECTION], counts[RULE_CORRELATION], counts[RULE_FILTER],
	       policy_mistakes(p), policy_notes(p));
	if (policy_warnings(p))
		printf(", %u expired exceptions", policy_warnings(p));
	putchar('\n');
}

static const char check_usage[] =
	"Usage: rollcall policy check [--notes] [--fields] [--report] PATH...\n"
	"\n"
	"Tells each mistake with file, line and column, and what would be right; and exceptions "
	"that\n"
	"have expired. PATH is a file of Sigma documents, or a directory of *.yml and *.yaml.\n"
	"\n"
	"  --notes   also each field that no event of the rule's log source has, and keys that "
	"are\n"
	"            none of Sigma's\n"
	"  --fields  what fields each rule needs, and with ! those that no event has\n"
	"  --report  a table of all that, in Markdown\n"
	"  --profile NAME  with the placeholders of a product profile, a name or a path, which is\n"
	"            checked, too\n"
	"\n"
	"Exit status: 0 no mistake, 1 the rules have mistakes, 2 wrong usage.\n";

static int check(int argc, char **argv)
{
	static const struct option options[] = {
		{"notes", no_argument, NULL, 'n'},  {"fields", no_argument, NULL, 'f'},
		{"report", no_argument, NULL, 'r'}, {"profile", required_argument, NULL, 'p'},
		{"help", no_argument, NULL, 'h'},   {},
	};
	struct policy_load_opts opts = {.to = stdout, .some = true};
	_cleanup_(policy_freep) struct policy *p = NULL;
	bool fields = false, report = false;
	int c, r;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'h')
			return fputs(check_usage, stdout) < 0;
		if (c == '?')
			return 2;
		opts.notes |= c == 'n';
		fields |= c == 'f';
		report |= c == 'r';
		opts.profile = c == 'p' ? optarg : opts.profile;
	}
	if (optind == argc && !opts.profile)
		return fputs(check_usage, stderr), 2;
	r = policy_load(&opts, argv + optind, &p);
	if (p && report)
		return policy_report_print(p) < 0 || r < 0;
	if (p && fields)
		print_fields(p);
	if (p)
		print_counts(p);
	return r < 0;
}

/* ---- fields ---- */

static const char *or_none(const char *s)
{
	return *s ? s : "-";
}

/* As docs/fields.md has it. */
static int fields(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "--help") != 0)
		return log_error(0, "'%s': not understood", argv[1]), 2;
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

/* ---- the table ---- */

static const struct subcommand {
	const char *name;
	int (*run)(int argc, char **argv); /* exit status, or negative errno */
	const char *help;
} subcommands[] = {
	{"check", check, "mistakes in rules: file, line, column, what would be right"},
	{"test", policy_test, "replay a recording: findings new, gone, changed"},
	{"why", policy_why, "an event as each rule sees it, field by field"},
	{"except", policy_except, "write the narrowest exception for a finding"},
	{"suggest", policy_suggest, "exceptions for what repeats most in a recording"},
	{"apply", policy_apply, "have the sensor take rules, without a restart"},
	{"list", policy_list, "each rule: what it found, what it costs"},
	{"sign", policy_sign, "rules as a signed file, for sensors elsewhere"},
	{"fields", fields, "the log sources and fields that rules can use"},
};

static int usage(FILE *out)
{
	fputs("Usage: rollcall policy COMMAND [options]\n\n", out);
	for (unsigned i = 0; i < sizeof(subcommands) / sizeof(subcommands[0]); i++)
		fprintf(out, "  %-8s %s\n", subcommands[i].name, subcommands[i].help);
	fputs("\n`rollcall policy COMMAND --help` tells more; rollcall record makes recordings.\n"
	      "Exit status: 0 done, 1 mistakes or failed, 2 wrong usage; test: 3 findings "
	      "differ.\n",
	      out);
	return out == stdout ? 0 : 2;
}

int cmd_policy(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "--help") == 0)
		return usage(stdout);
	for (unsigned i = 0; argc > 1 && i < sizeof(subcommands) / sizeof(subcommands[0]); i++)
		if (strcmp(argv[1], subcommands[i].name) == 0)
			return subcommands[i].run(argc - 1, argv + 1);
	if (argc > 1)
		log_error(0, "no command 'policy %s' (rollcall policy --help lists them)", argv[1]);
	return argc > 1 ? 2 : usage(stderr);
}
