// SPDX-License-Identifier: Apache-2.0
// What %profile_...% stands for in rules that are checked or tried.
#include "cli/policy_profile.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/clean.h"
#include "lib/log.h"
#include "lib/profile.h"
#include "lib/sigma/policy.h"

struct teller {
	FILE *to;
	const char *path;
};

static void tell(void *ctx, unsigned line, unsigned column, const char *text)
{
	const struct teller *t = ctx;

	fprintf(t->to, "%s:%u:%u: %s\n", t->path, line, column, text);
}

int policy_profile_add(struct policy *p, const char *name, FILE *to)
{
	_cleanup_(profile_freep) struct profile *profile = NULL;
	_cleanup_(freep) char *path = NULL, *text = NULL;
	int r = name ? profile_path(name, NULL, &path) : 0;

	if (r == 0 && name)
		r = profile_read(path, tell, &(struct teller){to, path}, &profile);
	if (r < 0)
		return r == -EBADMSG ? r : log_error(r, "cannot read the profile '%s'", name);
	text = profile_placeholders(profile);
	return text ? policy_text(p, "profile", text, strlen(text)) : -ENOMEM;
}
