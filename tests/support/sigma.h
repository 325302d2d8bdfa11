// SPDX-License-Identifier: Apache-2.0
// For tests of the Sigma engine: a rule as text, events as lists of fields, what a rule says to
// them; and mistakes as one text.
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/doc.h"
#include "lib/sigma/match.h"
#include "lib/sigma/policy.h"
#include "lib/sigma/program.h"
#include "lib/sigma/rule.h"

struct sigma_told {
	char text[8192];
};

static void sigma_tell(void *ctx, const struct diag_text *t)
{
	struct sigma_told *told = ctx;
	size_t n = strlen(told->text);

	snprintf(told->text + n, sizeof(told->text) - n, "%s:%u:%u: %s%s\n", t->file, t->line,
		 t->column, t->mistake ? "" : "note: ", t->text);
}

/* Category "test" is source 1, "other" 2; the fields of "other" are A and Alpha. */
static int sigma_source(const struct rule_source *s)
{
	if (!*s->category && !*s->service)
		return 0;
	return strcmp(s->category, "test") == 0 ? 1 : strcmp(s->category, "other") == 0 ? 2 : -2;
}

static bool sigma_field(uint32_t source, const char *name, const char **ret_near)
{
	if (source != 2 || strcmp(name, "A") == 0 || strcmp(name, "Alpha") == 0)
		return true;
	if (strncmp(name, "Al", 2) == 0)
		*ret_near = "Alpha";
	return false;
}

static const struct policy_schema sigma_schema = {3, sigma_source, sigma_field};

/* Fields as "Name=value", ended by NULL; a name again is another value, "Name" alone is null,
 * "Name#5" a number, "Name@5" a time in seconds. */
struct sigma_event {
	const char *const *fields;
	const struct program *program;
};

static bool field_is(const char *text, const char *name)
{
	return (!*name && text[strcspn(text, "=#@")]) ||
	       (strlen(name) == strcspn(text, "=#@") && strncmp(text, name, strlen(name)) == 0);
}

static void sigma_get(const void *ctx, struct arena *a, uint32_t field, struct match_values *ret)
{
	const struct sigma_event *ev = ctx;
	const char *name = ev->program->fields[field].name;

	ret->v = arena_alloc(a, 64 * sizeof(*ret->v));
	for (size_t i = 0; ev->fields[i]; i++) {
		const char *text = ev->fields[i];
		size_t len = strcspn(text, "=#@");
		struct match_value *v = &ret->v[ret->n];

		if (!field_is(text, name))
			continue;
		ret->exists = true;
		if (!text[len])
			continue;
		ret->n++;
		if (text[len] == '#')
			*v = (struct match_value){.type = MATCH_NUMBER,
						  .number = strtod(text + len + 1, NULL)};
		else if (text[len] == '@')
			*v = (struct match_value){.type = MATCH_TIME,
						  .time = strtoull(text + len + 1, NULL, 10) *
							  1000000000};
		else
			*v = (struct match_value){.text = text + len + 1,
						  .len = strlen(text + len + 1)};
	}
}

struct sigma_matched {
	const struct program *program;
	char titles[1024];
};

static void sigma_on_rule(void *ctx, uint32_t rule)
{
	struct sigma_matched *m = ctx;
	size_t n = strlen(m->titles);

	snprintf(m->titles + n, sizeof(m->titles) - n, "%s%s", n ? " " : "",
		 m->program->rules[rule].rule->title);
}

/* The titles of the rules that match; the caller's buffer. */
static inline void sigma_match(struct match *m, const struct program *p, uint32_t source,
			       const char *const *fields, struct sigma_matched *ret)
{
	struct sigma_event ev = {fields, p};

	*ret = (struct sigma_matched){.program = p};
	match_event(m, &(struct match_event){{source, 0}, sigma_get, &ev}, sigma_on_rule, ret);
}

/* A policy without mistakes. */
static inline struct policy *sigma_load(const char *yaml, struct sigma_told *told)
{
	struct policy *p = policy_new(&sigma_schema, sigma_tell, told);

	if (policy_text(p, "f", yaml, strlen(yaml)) < 0 || policy_finish(p) < 0) {
		fprintf(stderr, "%s\n%s", yaml, told->text);
		abort();
	}
	return p;
}
