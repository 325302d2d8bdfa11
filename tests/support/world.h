// SPDX-License-Identifier: Apache-2.0
// For tests of correlations: a policy, events at seconds of one's choice, what the correlations
// say.
#pragma once

#include "lib/sigma/correlate.h"
#include "support/sigma.h"

#define SECOND 1000000000ull
#define START  (1000000 * SECOND)

struct world {
	struct policy *policy;
	struct match *match;
	struct correlate *correlate;
	uint64_t time;
	unsigned ids;
	char said[2048]; /* "title group value events evidence;" */
};

static void world_on_hit(void *ctx, const struct correlate_hit *hit)
{
	struct world *w = ctx;
	size_t n = strlen(w->said);

	snprintf(w->said + n, sizeof(w->said) - n, "%s[%s] %g %llu%s;", hit->rule->title,
		 hit->group, hit->value, (unsigned long long)hit->events,
		 hit->closed ? " closed" : "");
	assert_true(hit->n_evidence > 0 && hit->first <= hit->time);
}

static inline void world_begin(struct world *w, const char *yaml)
{
	struct sigma_told told = {};

	memset(w, 0, sizeof(*w));
	w->policy = sigma_load(yaml, &told);
	w->match = match_new(policy_program(w->policy));
	w->correlate = correlate_new(w->policy, world_on_hit, w);
	w->time = START;
}

static inline void world_end(struct world *w)
{
	correlate_free(w->correlate);
	match_free(w->match);
	policy_free(w->policy);
}

static void world_on_rule(void *ctx, uint32_t rule)
{
	struct world *w = ctx;
	char id[16];

	snprintf(id, sizeof(id), "e%u", w->ids);
	correlate_rule(w->correlate, policy_program(w->policy)->rules[rule].rule, w->match, w->time,
		       id);
}

/* An event `seconds` after the begin; what the correlations said of it. */
static inline const char *at(struct world *w, unsigned seconds, const char *const *fields)
{
	struct sigma_event ev = {fields, policy_program(w->policy)};

	w->said[0] = '\0';
	w->time = START + seconds * SECOND;
	w->ids++;
	correlate_time(w->correlate, w->time);
	match_event(w->match, &(struct match_event){{1, 0}, sigma_get, &ev}, world_on_rule, w);
	return w->said;
}
#define AT(seconds, ...) at(&w, seconds, (const char *const[]){__VA_ARGS__, NULL})
