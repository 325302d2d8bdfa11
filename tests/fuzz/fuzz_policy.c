// links: user/lib/arena.c user/lib/doc.c user/lib/near.c user/lib/utf8.c user/lib/sigma/automaton.c user/lib/sigma/casefold.c user/lib/sigma/cidr.c user/lib/sigma/compile.c user/lib/sigma/condition.c user/lib/sigma/diag.c user/lib/sigma/encode.c user/lib/sigma/expr.c user/lib/sigma/item.c user/lib/sigma/match.c user/lib/sigma/pattern.c user/lib/sigma/placeholders.c user/lib/sigma/regex.c user/lib/sigma/rule.c user/lib/sigma/when.c
// SPDX-License-Identifier: Apache-2.0
// Sigma documents, and the events they are matched with: whatever is read without a mistake can be
// run, and what matches twice is the same.
#include <stdlib.h>

#include "user/lib/sigma/policy.c"

#include "support/sigma.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void run(const struct policy *p)
{
	static const char *const events[][4] = {
		{"A=x", "B=/bin/sh -c id", "C#5", NULL},
		{"A=\xff\xc3\xa4*?\\", "A=2026-01-30T09:12:44Z", "B", NULL},
		{"A@1769764364", "B=10.0.0.1", "C=YwBtAGQA", NULL},
		{NULL},
	};
	struct match *m = match_new(policy_program(p));
	struct sigma_matched first, second;

	for (size_t i = 0; m && i < sizeof(events) / sizeof(events[0]); i++) {
		sigma_match(m, policy_program(p), (uint32_t)i % 3, events[i], &first);
		sigma_match(m, policy_program(p), (uint32_t)i % 3, events[i], &second);
		if (strcmp(first.titles, second.titles) != 0)
			abort();
	}
	match_free(m);
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
