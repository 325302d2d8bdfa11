// links: user/lib/arena.c user/lib/doc.c user/lib/near.c user/lib/utf8.c user/lib/sigma/automaton.c user/lib/sigma/casefold.c user/lib/sigma/cidr.c user/lib/sigma/compile.c user/lib/sigma/condition.c user/lib/sigma/correlate.c user/lib/sigma/correlation.c user/lib/sigma/diag.c user/lib/sigma/encode.c user/lib/sigma/expr.c user/lib/sigma/item.c user/lib/sigma/logsource.c user/lib/sigma/match.c user/lib/sigma/pattern.c user/lib/sigma/placeholders.c user/lib/sigma/regex.c user/lib/sigma/rule.c user/lib/sigma/when.c user/lib/digest.c user/lib/sigma/compare.c user/lib/sigma/fileset.c user/lib/sigma/observe.c
// SPDX-License-Identifier: Apache-2.0
// Sigma documents, and the events they are matched with: whatever is read without a mistake can be
// run, and what matches twice is the same.
#include <stdlib.h>

#include "user/lib/sigma/policy.c"

#include "lib/sigma/correlate.h"

#include "support/sigma.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct replay {
	const struct policy *policy;
	struct match *match;
	struct correlate *correlate;
	uint64_t time;
	char titles[1024];
};

static void on_correlation(void *ctx, const struct correlate_hit *hit)
{
	(void)ctx;
	if (!hit->rule->correlation || hit->first > hit->time)
		abort();
}

static void on_rule(void *ctx, uint32_t number)
{
	struct replay *r = ctx;
	const struct rule *rule = policy_program(r->policy)->rules[number].rule;
	size_t n = strlen(r->titles);

	snprintf(r->titles + n, sizeof(r->titles) - n, "%s ", rule->title);
	correlate_rule(r->correlate, rule, r->match, r->time, "id");
}

/* An event twice, in one second, then the next ones a minute later each. */
static void run(const struct policy *p)
{
	static const char *const events[][4] = {
		{"A=x", "B=/bin/sh -c id", "C#5", NULL},
		{"A=\xff\xc3\xa4*?\\", "A=2026-01-30T09:12:44Z", "B", NULL},
		{"A@1769764364", "B=10.0.0.1", "C=YwBtAGQA", NULL},
		{NULL},
	};
	struct replay r = {.policy = p, .match = match_new(policy_program(p))};
	char first[1024];

	r.correlate = correlate_new(p, on_correlation, &r);
	for (unsigned i = 0; r.match && r.correlate && i < 16; i++) {
		struct sigma_event ev = {events[i / 2 % 4], policy_program(p)};

		r.titles[0] = '\0';
		r.time = 1769764364000000000 + i / 2 * 60000000000ull;
		correlate_time(r.correlate, r.time);
		match_event(r.match, &(struct match_event){{i / 2 % 3, 0}, sigma_get, &ev}, on_rule,
			    &r);
		if (i % 2 && strcmp(first, r.titles) != 0)
			abort();
		strcpy(first, r.titles);
	}
	correlate_free(r.correlate);
	match_free(r.match);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sigma_told told = {};
	struct policy *p = policy_new(&sigma_schema, sigma_tell, &told);
	int r = policy_text(p, "f", (const char *)data, size);

	if (r == 0)
		r = policy_finish(p);
	if (r == 0)
		run(p);
	/* What is refused is told. */
	else if (r == -EBADMSG && !*told.text)
		abort();
	policy_free(p);
	return 0;
}
