// SPDX-License-Identifier: Apache-2.0
// From a profile to the filters: tables, directories and programs. Paths with * are looked up when
// the sensor starts; others are taken as they are, and watched once they are there.
#include "sensor/profiles.h"

#include <errno.h>
#include <glob.h>
#include <string.h>

#include "lib/clean.h"
#include "lib/log.h"
#include "lib/profile.h"
#include "sensor/treewatch.h"
#include "sensor/watch.h"

/* Which list of the profile stands beside which of the configuration. */
static const struct {
	enum profile_list list;
	const char *key;
} trees[] = {
	{PROFILE_WEB_ROOTS, "files.web_roots"}, {PROFILE_SECRETS, "files.secrets"},
	{PROFILE_LOGS, "files.logs"},		{PROFILE_CONFIG, "files.config"},
	{PROFILE_SERVICES, "processes.watch"},
};

static void mistake(void *ctx, unsigned line, unsigned column, const char *text)
{
	log_error(0, "%s:%u:%u: %s", (const char *)ctx, line, column, text);
}

static int tables_use(const struct profile *p, struct watch *w)
{
	struct watchname name;
	const char *why;
	int r = 0;

	for (size_t i = 0; i < profile_count(p, PROFILE_TABLES) && r == 0; i++)
		if (watchname_parse(profile_item(p, PROFILE_TABLES, i), &name, &why) == 0)
			r = watch_add(w, &name);
	return r;
}

static int path_use(struct treewatch *t, const char *key, const char *path)
{
	glob_t g = {};
	int r = 0;

	if (!strpbrk(path, "*?["))
		return treewatch_add(t, key, path);
	if (glob(path, GLOB_NOSORT, NULL, &g) == 0)
		for (size_t i = 0; i < g.gl_pathc && r == 0; i++)
			r = treewatch_add(t, key, g.gl_pathv[i]);
	globfree(&g);
	return r;
}

static int profile_apply(const struct profile *p, struct watch *w, struct treewatch *t)
{
	int r = tables_use(p, w);

	for (unsigned l = 0; l < sizeof(trees) / sizeof(trees[0]); l++)
		for (size_t i = 0; i < profile_count(p, trees[l].list) && r == 0; i++)
			r = path_use(t, trees[l].key, profile_item(p, trees[l].list, i));
	return r;
}

/* The name is the administrator's: a mistake in it is told as one. */
static int profile_open(const char *name, struct profile **ret_profile)
{
	_cleanup_(freep) char *path = NULL, *near = NULL;
	int r = profile_path(name, NULL, &path);

	if (r == -EINVAL)
		return log_error(0, "profile '%s': write a name, or an absolute path", name),
		       -EBADMSG;
	if (r == 0)
		r = profile_read(path, mistake, path, ret_profile);
	if (r == -ENOENT)
		near = profile_near(name, NULL);
	if (r < 0 && r != -EBADMSG)
		log_error(r, "profile '%s': cannot read '%s'%s%s%s", name, path ? path : "",
			  near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
	return r < 0 ? -EBADMSG : 0;
}

int profiles_use(const char *name, struct watch *w, struct treewatch *t,
		 struct profile **ret_profile)
{
	_cleanup_(profile_freep) struct profile *p = NULL;
	int r;

	if (!*name)
		return 0;
	r = profile_open(name, &p);
	if (r < 0)
		return r;
	r = profile_apply(p, w, t);
	if (r < 0)
		return log_error(r, "profile '%s': with the configuration, too much to watch",
				 name);
	*ret_profile = take_ptr(p);
	return 0;
}
