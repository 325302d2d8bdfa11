// SPDX-License-Identifier: Apache-2.0
// A host's facts. PostgreSQL's databases are those that its sessions' titles name; MariaDB's are
// the directories below its data directory. Neither needs an account of the database.
#include "cli/setup_host.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/clean.h"

#define LINE_MAX_LEN 4096 /* of a command line */

/* A line to match, and what is shown of it. */
struct fact {
	struct fact *next;
	char *text, *shown;
};

struct setup_host {
	char *root;
	struct fact *facts[PROFILE_SIGNS];
};

static void closedirp(DIR **d)
{
	if (*d)
		closedir(*d);
}

/* Each fact once; both texts are copied. */
static int fact_add(struct setup_host *h, enum profile_sign sign, const char *text,
		    const char *shown)
{
	struct fact **end = &h->facts[sign];
	struct fact *f;

	for (; *end; end = &(*end)->next)
		if (strcmp((*end)->text, text) == 0)
			return 0;
	f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	*end = f;
	f->text = strdup(text);
	f->shown = strdup(shown);
	return f->text && f->shown ? 0 : -ENOMEM;
}

/* ---- databases ---- */

/* "postgres: [CLUSTER: ]USER DATABASE CLIENT ..." */
static int title_add(struct setup_host *h, const char *title)
{
	char text[LINE_MAX_LEN], name[LINE_MAX_LEN + 16], *save, *user, *database;

	if (strncmp(title, "postgres: ", 10) != 0)
		return 0;
	snprintf(text, sizeof(text), "%s", title + 10);
	user = strtok_r(text, " ", &save);
	if (user && user[strlen(user) - 1] == ':')
		user = strtok_r(NULL, " ", &save);
	database = user ? strtok_r(NULL, " ", &save) : NULL;
	if (!database || !strtok_r(NULL, " ", &save))
		return 0;
	snprintf(name, sizeof(name), "postgresql:%s", database);
	return fact_add(h, PROFILE_DATABASE, name, name);
}

static int datadir_add(struct setup_host *h, const char *datadir)
{
	char path[2 * PATH_MAX], name[NAME_MAX + 16];
	_cleanup_(closedirp) DIR *d = NULL;
	struct dirent *e;
	int r = 0;

	snprintf(path, sizeof(path), "%s%s", h->root, datadir);
	d = opendir(path);
	while (d && r == 0 && (e = readdir(d))) {
		if (e->d_type != DT_DIR || e->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "mariadb:%s", e->d_name);
		snprintf(path, sizeof(path), "%s (%s/%s)", name, datadir, e->d_name);
		r = fact_add(h, PROFILE_DATABASE, name, path);
	}
	return r;
}

/* ---- processes ---- */

static ssize_t link_read(const struct setup_host *h, const char *pid, const char *name, char *ret)
{
	char path[PATH_MAX + 64];
	ssize_t n;

	snprintf(path, sizeof(path), "%s/proc/%s/%s", h->root, pid, name);
	n = readlink(path, ret, PATH_MAX - 1);
	ret[n < 0 ? 0 : n] = '\0';
	return n;
}

/* Arguments with spaces between them. */
static size_t line_read(const struct setup_host *h, const char *pid, char *ret, size_t size)
{
	char path[PATH_MAX + 64];
	_cleanup_(fclosep) FILE *f = NULL;
	size_t n;

	snprintf(path, sizeof(path), "%s/proc/%s/cmdline", h->root, pid);
	f = fopen(path, "re");
	n = f ? fread(ret, 1, size - 1, f) : 0;
	while (n && (!ret[n - 1] || ret[n - 1] == ' '))
		n--;
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)ret[i] < 0x20)
			ret[i] = ' ';
	ret[n] = '\0';
	return n;
}

/* As a pattern sees it: the executable's real path, then its arguments. */
static int process_add(struct setup_host *h, const char *pid)
{
	char exe[PATH_MAX], cwd[PATH_MAX], args[LINE_MAX_LEN];
	char text[PATH_MAX + LINE_MAX_LEN], shown[160];
	const char *base, *rest;
	int r;

	if (!line_read(h, pid, args, sizeof(args)) || link_read(h, pid, "exe", exe) <= 0)
		return 0;
	base = strrchr(exe, '/') ? strrchr(exe, '/') + 1 : exe;
	rest = strchr(args, ' ');
	snprintf(text, sizeof(text), "%s%s", exe, rest ? rest : "");
	snprintf(shown, sizeof(shown), "%.10s: %.100s", pid, text);
	r = fact_add(h, PROFILE_PROCESS, text, shown);
	if (r == 0 && strcmp(base, "postgres") == 0)
		r = title_add(h, args);
	if (r == 0 && (strcmp(base, "mariadbd") == 0 || strcmp(base, "mysqld") == 0) &&
	    link_read(h, pid, "cwd", cwd) > 0)
		r = datadir_add(h, cwd);
	return r;
}

static int processes_read(struct setup_host *h)
{
	char path[PATH_MAX + 8];
	_cleanup_(closedirp) DIR *d = NULL;
	struct dirent *e;
	int r = 0;

	snprintf(path, sizeof(path), "%s/proc", h->root);
	d = opendir(path);
	if (!d)
		return -errno;
	while (r == 0 && (e = readdir(d)))
		if (e->d_name[0] >= '1' && e->d_name[0] <= '9')
			r = process_add(h, e->d_name);
	return r;
}

/* ---- units ---- */

static int units_read(struct setup_host *h)
{
	static const char *const dirs[] = {"/etc/systemd/system", "/run/systemd/system",
					   "/usr/local/lib/systemd/system", "/lib/systemd/system",
					   "/usr/lib/systemd/system"};
	char path[PATH_MAX + NAME_MAX];
	int r = 0;

	for (unsigned i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		_cleanup_(closedirp) DIR *d = NULL;
		struct dirent *e;

		snprintf(path, sizeof(path), "%s%s", h->root, dirs[i]);
		d = opendir(path);
		while (d && r == 0 && (e = readdir(d))) {
			snprintf(path, sizeof(path), "%s/%s", dirs[i], e->d_name);
			if (e->d_name[0] != '.')
				r = fact_add(h, PROFILE_UNIT, e->d_name, path);
		}
	}
	return r;
}

/* ---- all ---- */

int setup_host_read(const char *root, struct setup_host **ret_host)
{
	_cleanup_(setup_host_freep) struct setup_host *h = calloc(1, sizeof(*h));
	int r;

	if (h)
		h->root = strdup(root);
	if (!h || !h->root)
		return -ENOMEM;
	r = processes_read(h);
	if (r == 0)
		r = datadir_add(h, "/var/lib/mysql");
	if (r == 0)
		r = units_read(h);
	if (r == 0)
		*ret_host = take_ptr(h);
	return r;
}

struct setup_host *setup_host_free(struct setup_host *h)
{
	for (unsigned s = 0; h && s < PROFILE_SIGNS; s++) {
		while (h->facts[s]) {
			struct fact *f = h->facts[s];

			h->facts[s] = f->next;
			free(f->text);
			free(f->shown);
			free(f);
		}
	}
	if (h)
		free(h->root);
	free(h);
	return NULL;
}

void setup_host_freep(struct setup_host **h)
{
	*h = setup_host_free(*h);
}

static bool file_find(const struct setup_host *h, const char *pattern, char *found, size_t size)
{
	char path[2 * PATH_MAX];
	glob_t g = {};
	bool is;

	snprintf(path, sizeof(path), "%s%s", h->root, pattern);
	is = glob(path, 0, NULL, &g) == 0;
	if (is)
		snprintf(found, size, "%s", g.gl_pathv[0] + strlen(h->root));
	globfree(&g);
	return is;
}

bool setup_host_find(const struct setup_host *h, enum profile_sign sign, const char *pattern,
		     char *found, size_t size)
{
	if (sign == PROFILE_FILE)
		return file_find(h, pattern, found, size);
	for (const struct fact *f = h->facts[sign]; f; f = f->next) {
		if (fnmatch(pattern, f->text, 0) != 0)
			continue;
		snprintf(found, size, "%s", f->shown);
		return true;
	}
	return false;
}
