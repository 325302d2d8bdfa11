// SPDX-License-Identifier: Apache-2.0
// Reads policies and tells what is wrong with them.
#include "cli/policy_load.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "cli/policy_profile.h"
#include "lib/clean.h"
#include "lib/log.h"
#include "lib/sigma/fields.h"
#include "lib/sigma/fileset.h"

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

int policy_load_files(struct fileset *files, const char *path, bool some)
{
	int r = fileset_read(files, path);

	if (r == -ENOENT && strcmp(path, POLICY_LOAD_INSTALLED) == 0)
		return log_error(0, "no rules are installed in %s: name a file or a directory",
				 path),
		       r;
	if (r < 0)
		return log_error(r, "cannot read '%s'",
				 fileset_bad(files) ? fileset_bad(files) : path);
	if (some && !fileset_files(files))
		return log_error(0, "no rules in '%s': files *.yml and *.yaml are read", path),
		       -ENOENT;
	return 0;
}

static int path_load(struct policy *p, const char *path, bool some)
{
	_cleanup_(fileset_freep) struct fileset *files = fileset_new();
	int r = files ? policy_load_files(files, path, some) : log_error(-ENOMEM, "policy");

	return r < 0 ? r : policy_files(p, files);
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
		int e = path_load(p, *paths, opts->some);

		r = e < 0 ? e : r;
	}
	if (opts->text && r == 0)
		r = policy_text(p, "the exception", opts->text, strlen(opts->text));
	return r < 0 ? r : policy_finish(p);
}
