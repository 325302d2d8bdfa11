// SPDX-License-Identifier: Apache-2.0
// The report on rules of others: a row for each, with the fields that it needs and those of them
// that no event of its log source carries.
#include "cli/policy_report.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "lib/sigma/fields.h"
#include "lib/sigma/policy.h"
#include "lib/sigma/rule.h"

struct totals {
	unsigned rules, whole;
};

static const char *field_name(const struct item *item)
{
	return *item->field ? item->field : "(every field)";
}

/* A bar would end the cell. */
static void cell_print(const char *text)
{
	for (; *text; text++)
		printf(*text == '|' ? "\\|" : "%c", *text);
}

static bool carried(const struct rule *rule, const struct item *item)
{
	int source = fields_schema.source(&rule->source);
	const char *near;

	return source >= 0 &&
	       (!*item->field || fields_schema.field((uint32_t)source, item->field, &near));
}

static bool named_before(const struct rule *rule, size_t item)
{
	for (size_t i = 0; i < item; i++)
		if (strcmp(rule->items[i].field, rule->items[item].field) == 0)
			return true;
	return false;
}

/* All fields, or only those that are not carried; how many. */
static unsigned fields_print(const struct rule *rule, bool only_missing)
{
	unsigned n = 0;

	for (size_t i = 0; i < rule->n_items; i++) {
		if (named_before(rule, i) || (only_missing && carried(rule, &rule->items[i])))
			continue;
		printf("%s%s", n++ ? ", " : "", field_name(&rule->items[i]));
	}
	if (!n)
		putchar('-');
	return n;
}

static void rule_print(const struct rule *rule, struct totals *t)
{
	const char *category = *rule->source.category  ? rule->source.category
			       : *rule->source.service ? rule->source.service
						       : "(every event)";

	printf("| ");
	cell_print(rule->title);
	printf(" | %s | %s | ", *rule->id ? rule->id : "-", category);
	fields_print(rule, false);
	printf(" | ");
	t->whole += !fields_print(rule, true);
	puts(" |");
	t->rules++;
}

int policy_report_print(const struct policy *p)
{
	struct totals t = {};

	puts("| rule | id | log source | fields it needs | no event has |\n|---|---|---|---|---|");
	for (const struct rule *rule = policy_rules(p); rule; rule = rule->next)
		if (rule->kind == RULE_DETECTION)
			rule_print(rule, &t);
	printf("\n%u rules; of %u every field is carried.\n", t.rules, t.whole);
	return ferror(stdout) ? -EIO : 0;
}
