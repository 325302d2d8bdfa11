// SPDX-License-Identifier: Apache-2.0
// Product profiles, by the configuration's parser: one table of keys, and with it every mistake's
// line, column and suggestion.
#include "lib/profile.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clean.h"
#include "lib/near.h"
#include "lib/watchname.h"

#define SUFFIX	   ".yaml"
#define WEIGHT_MAX 100

struct items {
	const char *text[PROFILE_ITEMS_MAX];
	unsigned weight[PROFILE_ITEMS_MAX];
	size_t n;
};

struct profile {
	struct conf *conf;
	const char *title;
	struct items lists[PROFILE_LISTS];
	struct items signs[PROFILE_SIGNS];
};

/* ---- values ---- */

static int item_add(struct items *items, const char *text, unsigned weight, char *why)
{
	if (items->n == PROFILE_ITEMS_MAX) {
		snprintf(why, CONF_WHY, "at most %d of them", PROFILE_ITEMS_MAX);
		return -ENOSPC;
	}
	items->weight[items->n] = weight;
	items->text[items->n++] = text;
	return 0;
}

/* Placeholders are written into a document of their own. */
static bool is_line(const char *text)
{
	for (const char *c = text; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			return false;
	return *text;
}

static int parse_text(const struct conf_key *key, void *field, const char *text, char *why)
{
	(void)key;
	if (!is_line(text)) {
		snprintf(why, CONF_WHY, "write one line of text");
		return -EINVAL;
	}
	return item_add(field, text, 0, why);
}

static int parse_path(const struct conf_key *key, void *field, const char *text, char *why)
{
	if (text[0] != '/') {
		snprintf(why, CONF_WHY, "write an absolute path; * stands for any text in it");
		return -EINVAL;
	}
	return parse_text(key, field, text, why);
}

static int parse_table(const struct conf_key *key, void *field, const char *text, char *why)
{
	struct watchname name;
	const char *what;

	if (watchname_parse(text, &name, &what) < 0) {
		snprintf(why, CONF_WHY, "%s, for example mariadb:mifs.mi_user", what);
		return -EINVAL;
	}
	return parse_text(key, field, text, why);
}

/* "40 /opt/hmdm/plugins" */
static int parse_sign(const struct conf_key *key, void *field, const char *text, char *why)
{
	char *end;
	unsigned long weight = strtoul(text, &end, 10);

	(void)key;
	if (*text < '0' || *text > '9' || !weight || weight > WEIGHT_MAX || *end != ' ' ||
	    !is_line(end + 1)) {
		snprintf(why, CONF_WHY, "write a weight, 1 to %d, a space, and a pattern",
			 WEIGHT_MAX);
		return -EINVAL;
	}
	return item_add(field, end + 1, (unsigned)weight, why);
}

static int parse_title(const struct conf_key *key, void *field, const char *text, char *why)
{
	if (!is_line(text)) {
		snprintf(why, CONF_WHY, "write one line of text");
		return -EINVAL;
	}
	return conf_text(key, field, text, why);
}

#define LIST(l) offsetof(struct profile, lists[PROFILE_##l])
#define SIGN(s) offsetof(struct profile, signs[PROFILE_##s])

/* The lists come in the order of enum profile_list, the signs in that of enum profile_sign. */
static const struct conf_key keys[] = {
	{"title", parse_title, offsetof(struct profile, title), NULL, "The product's name.", false,
	 0, 0},
	{"services", parse_path, LIST(SERVICES), NULL, "Programs that serve.", true, 0, 0},
	{"users", parse_text, LIST(USERS), NULL, "Users they run as.", true, 0, 0},
	{"children", parse_path, LIST(CHILDREN), NULL, "Programs they start.", true, 0, 0},
	{"peers", parse_text, LIST(PEERS), NULL, "Addresses they connect to.", true, 0, 0},
	{"database.tables", parse_table, LIST(TABLES), NULL, "Of people.", true, 0, 0},
	{"database.columns", parse_text, LIST(COLUMNS), NULL, "Names and phones.", true, 0, 0},
	{"database.clients", parse_path, LIST(CLIENTS), NULL, "Other programs that read them.",
	 true, 0, 0},
	{"files.web_roots", parse_path, LIST(WEB_ROOTS), NULL, "What is served.", true, 0, 0},
	{"files.secrets", parse_path, LIST(SECRETS), NULL, "Passwords and keys.", true, 0, 0},
	{"files.logs", parse_path, LIST(LOGS), NULL, "Logs.", true, 0, 0},
	{"files.config", parse_path, LIST(CONFIG), NULL, "Configuration.", true, 0, 0},
	{"setup.processes", parse_sign, SIGN(PROCESS), NULL, "Command lines.", true, 0, 0},
	{"setup.units", parse_sign, SIGN(UNIT), NULL, "systemd units.", true, 0, 0},
	{"setup.files", parse_sign, SIGN(FILE), NULL, "Paths.", true, 0, 0},
	{"setup.databases", parse_sign, SIGN(DATABASE), NULL, "Databases.", true, 0, 0},
	{0},
};

static const char *const sign_texts[PROFILE_SIGNS] = {"process", "unit", "file", "database"};

/* ---- files ---- */

static bool is_name(const char *name)
{
	static const char chars[] = "abcdefghijklmnopqrstuvwxyz0123456789_-";

	return *name && !name[strspn(name, chars)] && strlen(name) < NEAR_NAME_MAX;
}

int profile_path(const char *name, const char *dir, char **ret_path)
{
	if (*name == '/')
		*ret_path = strdup(name);
	else if (!is_name(name))
		return -EINVAL;
	else if (asprintf(ret_path, "%s/%s" SUFFIX, dir ? dir : PROFILE_DIR, name) < 0)
		*ret_path = NULL;
	return *ret_path ? 0 : -ENOMEM;
}

char *profile_near(const char *name, const char *dir)
{
	DIR *d = opendir(dir ? dir : PROFILE_DIR);
	unsigned best = 4;
	char *found = NULL;
	struct dirent *e;

	while (d && (e = readdir(d))) {
		size_t len = strlen(e->d_name), cut = sizeof(SUFFIX) - 1;
		unsigned distance;

		if (len <= cut || strcmp(e->d_name + len - cut, SUFFIX) != 0)
			continue;
		e->d_name[len - cut] = '\0';
		distance = near_distance(name, e->d_name);
		if (distance >= best)
			continue;
		best = distance;
		free(found);
		found = strdup(e->d_name);
	}
	if (d)
		closedir(d);
	return found;
}

int profile_read(const char *path, conf_mistake_fn fn, void *ctx, struct profile **ret_profile)
{
	_cleanup_(profile_freep) struct profile *p = calloc(1, sizeof(*p));
	int r;

	if (p)
		p->conf = conf_new(keys, p);
	if (!p || !p->conf)
		return -ENOMEM;
	r = conf_load_file(p->conf, path, fn, ctx);
	if (r == 0 && !p->title) {
		fn(ctx, 1, 1, "title: is missing");
		r = 1;
	}
	if (r)
		return r < 0 ? r : -EBADMSG;
	*ret_profile = take_ptr(p);
	return 0;
}

struct profile *profile_free(struct profile *p)
{
	if (p)
		conf_free(p->conf);
	free(p);
	return NULL;
}

void profile_freep(struct profile **p)
{
	*p = profile_free(*p);
}

/* ---- what it says ---- */

const char *profile_title(const struct profile *p)
{
	return p->title;
}

size_t profile_count(const struct profile *p, enum profile_list list)
{
	return p->lists[list].n;
}

const char *profile_item(const struct profile *p, enum profile_list list, size_t i)
{
	return p->lists[list].text[i];
}

size_t profile_signs(const struct profile *p, enum profile_sign sign)
{
	return p->signs[sign].n;
}

const char *profile_sign(const struct profile *p, enum profile_sign sign, size_t i,
			 unsigned *ret_weight)
{
	*ret_weight = p->signs[sign].weight[i];
	return p->signs[sign].text[i];
}

const char *profile_sign_text(enum profile_sign sign)
{
	return sign_texts[sign];
}

/* As events name it: without its system, and quotes. */
static const char *table_text(const char *text, char *buf, size_t size)
{
	struct watchname n;
	const char *why;

	if (watchname_parse(text, &n, &why) < 0)
		return text;
	snprintf(buf, size, "%s.%s%s%s", n.database, n.schema, n.schema[0] ? "." : "", n.table);
	return buf;
}

static void value_print(FILE *out, const char *text)
{
	fputs("  - '", out);
	for (; *text; text++)
		fputs(*text == '\'' ? "''" : (char[]){*text, '\0'}, out);
	fputs("'\n", out);
}

char *profile_placeholders(const struct profile *p)
{
	char table[3 * WATCHNAME_PART_MAX], *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	fputs("placeholders:\n", out);
	for (unsigned l = 0; l < PROFILE_LISTS; l++) {
		const char *dot = strchr(keys[l + 1].name, '.');
		size_t n = p ? p->lists[l].n : 0;

		fprintf(out, " profile_%s:\n", dot ? dot + 1 : keys[l + 1].name);
		for (size_t i = 0; i < n; i++)
			value_print(out, l == PROFILE_TABLES ? table_text(p->lists[l].text[i],
									  table, sizeof(table))
							     : p->lists[l].text[i]);
		if (!n)
			value_print(out, "-");
	}
	if (ferror(out) | fclose(out)) {
		free(text);
		return NULL;
	}
	return text;
}
