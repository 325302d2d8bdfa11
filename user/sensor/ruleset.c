// SPDX-License-Identifier: Apache-2.0
// Policies with their engines.
#include "sensor/ruleset.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/clean.h"
#include "lib/sigma/compare.h"
#include "lib/sigma/fields.h"
#include "lib/sigma/fileset.h"
#include "lib/sigma/policy.h"
#include "sensor/host.h"

int ruleset_new(const struct ruleset_opts *opts, struct ruleset **ret_set)
{
	_cleanup_(ruleset_freep) struct ruleset *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->serial = opts->serial;
	s->path = strdup(opts->path);
	s->policy = policy_new(&fields_schema, opts->tell, opts->tell_ctx);
	if (!s->path || !s->policy)
		return -ENOMEM;
	policy_now(s->policy, (uint64_t)time(NULL) * 1000000000);
	r = fileset_digest(opts->files, s->sha256);
	if (r == 0)
		r = policy_text(s->policy, "profile", opts->placeholders,
				strlen(opts->placeholders));
	if (r == 0)
		r = policy_files(s->policy, opts->files);
	if (r == 0)
		r = policy_finish(s->policy);
	if (r < 0)
		return r;
	s->engine = engine_new(s->policy, opts->hit, opts->hit_ctx);
	if (!s->engine)
		return -ENOMEM;
	engine_measure(s->engine, host_boottime);
	*ret_set = take_ptr(s);
	return 0;
}

struct ruleset *ruleset_free(struct ruleset *s)
{
	if (!s)
		return NULL;
	engine_free(s->engine);
	policy_free(s->policy);
	free(s->path);
	free(s);
	return NULL;
}

void ruleset_freep(struct ruleset **s)
{
	*s = ruleset_free(*s);
}

int ruleset_carry(struct ruleset *s, struct ruleset *from, struct compare_count *ret_count)
{
	_cleanup_(compare_freep) struct compare *c = compare_new(from->policy, s->policy);

	if (!c)
		return -ENOMEM;
	compare_count(c, ret_count);
	engine_carry(s->engine, from->engine, c);
	return 0;
}
