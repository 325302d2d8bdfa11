// SPDX-License-Identifier: Apache-2.0
// Configuration from a table of keys, on YAML documents, whose nodes know line and column.
#include "lib/conf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/clean.h"
#include "lib/doc.h"
#include "lib/near.h"
#include "lib/utf8.h"

#define DEPTH_MAX 8 /* a section, its keys, a list; and room for telling what is wrong */

struct text {
	struct text *next;
	char text[];
};

struct conf {
	const struct conf_key *keys;
	size_t n;
	void *target;
	struct text **texts; /* what each key was given, in order */
};

/* ---- keys ---- */

static struct text *text_last(struct text *t)
{
	while (t && t->next)
		t = t->next;
	return t;
}

static void texts_free(struct text *t)
{
	while (t) {
		struct text *next = t->next;

		free(t);
		t = next;
	}
}

static bool is_utf8(const char *text)
{
	uint32_t code;
	size_t n;

	/* The NUL ends a character that is cut. */
	while (*text && (n = utf8_decode(text, 4, &code)))
		text += n;
	return !*text;
}

/* Keeps the text, which a field may point to, and parses it. */
static int key_set(struct conf *c, size_t i, const char *value, char *why)
{
	const struct conf_key *key = &c->keys[i];
	struct text *t = malloc(sizeof(*t) + strlen(value) + 1), *last;
	int r;

	if (!t)
		return -ENOMEM;
	t->next = NULL;
	strcpy(t->text, value);
	if (is_utf8(value)) {
		r = key->parse(key, (char *)c->target + key->offset, t->text, why);
	} else {
		snprintf(why, CONF_WHY, "write it in UTF-8");
		r = -EINVAL;
	}
	if (r < 0) {
		free(t);
		return r;
	}
	last = key->list ? text_last(c->texts[i]) : NULL;
	if (last) {
		last->next = t;
	} else {
		texts_free(c->texts[i]);
		c->texts[i] = t;
	}
	return 0;
}

static ssize_t key_find(const struct conf *c, const char *name)
{
	for (size_t i = 0; i < c->n; i++)
		if (strcmp(c->keys[i].name, name) == 0)
			return (ssize_t)i;
	return -1;
}

struct conf *conf_new(const struct conf_key *keys, void *target)
{
	_cleanup_(conf_freep) struct conf *c = calloc(1, sizeof(*c));
	char why[CONF_WHY];

	if (!c)
		return NULL;
	c->keys = keys;
	c->target = target;
	while (keys[c->n].name)
		c->n++;
	c->texts = calloc(c->n, sizeof(*c->texts));
	for (size_t i = 0; c->texts && i < c->n; i++)
		if (keys[i].value && key_set(c, i, keys[i].value, why) < 0)
			return NULL;
	return c->texts ? take_ptr(c) : NULL;
}

struct conf *conf_free(struct conf *c)
{
	for (size_t i = 0; c && c->texts && i < c->n; i++)
		texts_free(c->texts[i]);
	if (c)
		free(c->texts);
	free(c);
	return NULL;
}

void conf_freep(struct conf **c)
{
	*c = conf_free(*c);
}

int conf_set(struct conf *c, const char *name, const char *text, char *why)
{
	ssize_t i = key_find(c, name);

	return i < 0 ? -ENOENT : key_set(c, (size_t)i, text, why);
}

/* ---- a suggestion for a name that is not there ---- */

static const char *after_dot(const char *name)
{
	const char *dot = strchr(name, '.');

	return dot ? dot + 1 : name;
}

/* The nearest key, by the whole name or by its last part in another section. */
static const char *suggestion(const struct conf *c, const char *name)
{
	unsigned best = 4, d;
	const char *found = NULL;

	for (size_t i = 0; i < c->n; i++) {
		d = near_distance(name, c->keys[i].name);
		if (strcmp(after_dot(name), after_dot(c->keys[i].name)) == 0)
			d = 1;
		if (d < best && d < strlen(name)) {
			best = d;
			found = c->keys[i].name;
		}
	}
	return found;
}

/* ---- YAML ---- */

struct load {
	struct conf *c;
	conf_mistake_fn fn;
	void *ctx;
	int mistakes;
	bool *seen;
};

static void mistake(struct load *l, unsigned line, unsigned column, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

static void mistake(struct load *l, unsigned line, unsigned column, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	l->mistakes++;
	l->fn(l->ctx, line, column, text);
}

static void value_take(struct load *l, size_t i, const struct doc_node *n)
{
	char why[CONF_WHY] = "not a value that can be used";
	const char *text = doc_text(n);

	if (!text)
		mistake(l, n->line, n->column, "%s: one value is expected here",
			l->c->keys[i].name);
	else if (key_set(l->c, i, text, why) < 0)
		mistake(l, n->line, n->column, "%s: '%.60s': %s", l->c->keys[i].name, text, why);
}

static void key_take(struct load *l, size_t i, const struct doc_node *n)
{
	if (!l->c->keys[i].list || n->type != DOC_LIST) {
		value_take(l, i, n);
		return;
	}
	for (const struct doc_node *k = n->first; k; k = k->next)
		value_take(l, i, k);
}

static bool is_section(const struct conf *c, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < c->n; i++)
		if (strncmp(c->keys[i].name, name, len) == 0 && c->keys[i].name[len] == '.')
			return true;
	return false;
}

static void mapping_take(struct load *l, const struct doc_node *n, const char *section);

static void pair_take(struct load *l, const struct doc_node *value, const char *section)
{
	const struct doc_node *key = value->key;
	const char *text = doc_text(key), *near;
	char name[2 * NEAR_NAME_MAX];
	ssize_t i;

	if (!text || strlen(text) > NEAR_NAME_MAX - 1) {
		mistake(l, key->line, key->column, "a key is expected here");
		return;
	}
	snprintf(name, sizeof(name), "%s%s%s", section, *section ? "." : "", text);
	i = key_find(l->c, name);
	if (i < 0 && !*section && is_section(l->c, name)) {
		if (value->type == DOC_MAP)
			mapping_take(l, value, name);
		else if (!doc_text(value) || *doc_text(value)) /* else all its keys are comments */
			mistake(l, value->line, value->column,
				"%s: a section of keys is expected here", name);
		return;
	}
	if (i < 0) {
		near = suggestion(l->c, name);
		mistake(l, key->line, key->column, "unknown key '%.80s'%s%s%s", name,
			near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
		return;
	}
	if (l->seen[i])
		mistake(l, key->line, key->column, "%s: was given before", name);
	l->seen[i] = true;
	key_take(l, (size_t)i, value);
}

static void mapping_take(struct load *l, const struct doc_node *n, const char *section)
{
	for (const struct doc_node *value = n->first; value; value = value->next)
		pair_take(l, value, section);
}

static void document_take(struct load *l, const struct doc *d)
{
	const struct doc_node *root = d->root;
	const char *text = doc_text(root);

	/* What comes after the first document would not be read. */
	if (d->next)
		mistake(l, d->next->line, d->next->column, "a second document; only one is read");
	else if (root->type == DOC_MAP)
		mapping_take(l, root, "");
	else if (!text || *text)
		mistake(l, root->line, root->column, "keys and values are expected here");
}

int conf_load(struct conf *c, const char *text, size_t size, conf_mistake_fn fn, void *ctx)
{
	_cleanup_(arena_freep) struct arena *a = arena_new(16 * 1024);
	_cleanup_(freep) bool *seen = calloc(c->n, sizeof(*seen));
	struct load l = {c, fn, ctx, 0, seen};
	struct doc *docs = NULL;
	int r;

	if (!a || !seen)
		return -ENOMEM;
	r = doc_parse(a, text, size,
		      &(struct doc_opts){DEPTH_MAX, "keys need no more than 3 levels", fn, ctx},
		      &docs);
	if (r == 0 && docs)
		document_take(&l, docs);
	return r ? r : l.mistakes;
}

int conf_load_file(struct conf *c, const char *path, conf_mistake_fn fn, void *ctx)
{
	_cleanup_(fclosep) FILE *f = fopen(path, "re");
	_cleanup_(freep) char *text = malloc(CONF_FILE_MAX + 1);
	size_t n;

	if (!f)
		return -errno;
	if (!text)
		return -ENOMEM;
	n = fread(text, 1, CONF_FILE_MAX + 1, f);
	if (ferror(f))
		return -EIO;
	return n > CONF_FILE_MAX ? -EFBIG : conf_load(c, text, n, fn, ctx);
}

/* ---- dump ---- */

/* What libyaml takes as it is inside quotes, and an administrator can see. */
static bool is_visible(uint32_t code)
{
	return (code >= 0x20 && code < 0x7f) || code >= 0x10000 ||
	       (code >= 0xa0 && code < 0xfffe && code != 0x2028 && code != 0x2029 &&
		code != 0xfeff);
}

/* A plain scalar where that is safe; a double-quoted one takes any text. */
static void value_dump(FILE *out, const char *text)
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/_.";
	uint32_t code;

	if (*text && !text[strspn(text, plain)]) {
		fprintf(out, "%s\n", text);
		return;
	}
	fputc('"', out);
	for (size_t n; (n = utf8_decode(text, 4, &code)) && code; text += n) {
		if (code == '"' || code == '\\')
			fprintf(out, "\\%c", (char)code);
		else if (is_visible(code))
			fwrite(text, 1, n, out);
		else
			fprintf(out, "\\u%04x", code);
	}
	fputs("\"\n", out);
}

static void key_dump(const struct conf *c, size_t i, const char *indent, FILE *out)
{
	const struct conf_key *key = &c->keys[i];

	fprintf(out, "%s# %s\n%s%s%s:", indent, key->help, indent, c->texts[i] ? "" : "# ",
		after_dot(key->name));
	if (!c->texts[i] || !key->list)
		fputc(' ', out);
	if (!c->texts[i]) {
		fputc('\n', out);
	} else if (!key->list) {
		value_dump(out, c->texts[i]->text);
	} else {
		fputc('\n', out);
		for (const struct text *t = c->texts[i]; t; t = t->next) {
			fprintf(out, "%s  - ", indent);
			value_dump(out, t->text);
		}
	}
}

int conf_dump(const struct conf *c, FILE *out)
{
	const char *section = "";
	size_t len = 0;

	for (size_t i = 0; i < c->n; i++) {
		const char *name = c->keys[i].name, *dot = strchr(name, '.');

		if (dot && ((size_t)(dot - name) != len || strncmp(section, name, len) != 0)) {
			section = name;
			len = (size_t)(dot - name);
			fprintf(out, "%.*s:\n", (int)len, name);
		}
		key_dump(c, i, dot ? "  " : "", out);
	}
	return ferror(out) ? -EIO : 0;
}
