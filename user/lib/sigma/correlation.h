// SPDX-License-Identifier: Apache-2.0
// A correlation rule, read and linked to the rules it counts. Made by policy.c, immutable from then
// on; its state is in correlate.c.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CORRELATION_RULES_MAX	 32
#define CORRELATION_GROUPS_MAX	 8
#define CORRELATION_DISTINCT_MAX 4096 /* values that can be told apart in one group */

struct diag;
struct doc_node;
struct item_opts;
struct program;
struct rule;

enum correlation_type {
	CORRELATION_EVENT_COUNT,
	CORRELATION_VALUE_COUNT,
	CORRELATION_VALUE_SUM,
	CORRELATION_VALUE_AVG,
	CORRELATION_VALUE_PERCENTILE,
	CORRELATION_TEMPORAL,
	CORRELATION_TEMPORAL_ORDERED,
};

enum correlation_op {
	CORRELATION_GT,
	CORRELATION_GTE,
	CORRELATION_LT,
	CORRELATION_LTE,
	CORRELATION_EQ,
	CORRELATION_NEQ,
};

struct correlation_bound {
	enum correlation_op op;
	double n;
};

struct correlation {
	enum correlation_type type;
	uint64_t span; /* ns */
	struct correlation_bound bounds[2];
	unsigned n_bounds;
	bool generate;	/* the rules it counts speak for themselves, too */
	bool sums_rows; /* the field of a value_sum is the rows of a database event */
	bool closes;	/* decided when its timespan is over, not as soon as it holds */
	const struct doc_node *at, *rules, *groups, *aliases, *values;
	/* Linked: */
	const struct rule *targets[CORRELATION_RULES_MAX];
	unsigned n_targets, n_groups, n_values;
	const char *group_names[CORRELATION_GROUPS_MAX];
	uint32_t group_fields[CORRELATION_RULES_MAX][CORRELATION_GROUPS_MAX];
	uint32_t value_fields[CORRELATION_GROUPS_MAX];
};

/* 0, -ENOMEM, or -EINVAL (mistakes told). */
int correlation_parse(const struct item_opts *o, const struct doc_node *n,
		      struct correlation **ret_correlation);

/* Finds its rules by id or name among `rules`, and the fields it groups by. */
int correlation_link(struct correlation *c, struct diag *d, struct program *p,
		     const struct rule *rules);

bool correlation_holds(const struct correlation *c, double value);
