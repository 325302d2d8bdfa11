// SPDX-License-Identifier: Apache-2.0
// Reads policies and tells what is wrong with them.
#include "cli/policy_load.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "cli/policy_profile.h"
#include "lib/log.h"
#include "lib/sigma/fields.h"

static void tell(void *ctx, const struct diag_text *t)
{
	const struct policy_load_opts *opts = ctx;

	if (t->mistake || t->warning || opts->notes)
		fprintf(opts->to, "%s:%u:%u: %s%s\n", t->file, t->line, t->column,
			t->mistake   ? ""
			: t->warning ? "warning: "
				     : "note: ",
			t->text);
}

int policy_load(const struct policy_load_opts *opts, char *const *paths, struct policy **ret_policy)
{
	static char installed[] = POLICY_LOAD_INSTALLED;
	char *const usual[] = {installed, NULL};
	struct policy *p = policy_new(&fields_schema, tell, (void *)(uintptr_t)opts);
	int r = 0;

	*ret_policy = p;
	if (!p)
		return log_error(-ENOMEM, "policy");
	policy_now(p, (uint64_t)time(NULL) * 1000000000);
	r = policy_profile_add(p, opts->profile, opts->to);
	if (opts->files && r == 0)
		r = policy_files(p, opts->files);
	for (paths = *paths || opts->files ? paths : usual; *paths; paths++) {
		int e = policy_read(p, *paths);

		if (e < 0)
			r = log_error(e, "cannot read '%s'", *paths);
	}
	if (opts->text && r == 0)
		r = policy_text(p, "the exception", opts->text, strlen(opts->text));
	return r < 0 ? r : policy_finish(p);
}
