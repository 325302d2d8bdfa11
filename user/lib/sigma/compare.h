// SPDX-License-Identifier: Apache-2.0
// Two policies side by side: which rules are new, gone or changed, and which stayed as they were.
// A rule is known by its id (else name, else title); its text is the document without comments and
// layout. Called where the sensor takes a new policy.
#pragma once

#include <stdint.h>

struct compare;
struct policy;
struct rule;

/* Both must outlive it. NULL: out of memory. */
struct compare *compare_new(const struct policy *before, const struct policy *after);
struct compare *compare_free(struct compare *c); /* accepts NULL, returns NULL */
void compare_freep(struct compare **c);

/* A rule of the policy before: the same one of the policy after; NULL when it is not as it was. */
const struct rule *compare_same(const struct compare *c, const struct rule *before);

/* Detections, correlations and filters. Changed: another text, or another mode. */
struct compare_count {
	uint32_t added, removed, changed;
};
void compare_count(const struct compare *c, struct compare_count *ret_count);
