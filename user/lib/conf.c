// SPDX-License-Identifier: Apache-2.0
// Configuration from a table of keys, on libyaml's documents, whose nodes know line and column.
#include "lib/conf.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "lib/clean.h"

#define WHY	      128
#define CONF_NAME_MAX 80

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

/* ---- field types ---- */

int conf_bool(const struct conf_key *key, void *field, const char *text, char *why)
{
	(void)key;
	if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0) {
		snprintf(why, WHY, "write true or false");
		return -EINVAL;
	}
	*(bool *)field = text[0] == 't';
	return 0;
}

static int number(const struct conf_key *key, const char *text, uint64_t factor, uint64_t *ret,
		  char *why)
{
	uint64_t n, max = key->max ? key->max : INT64_MAX;
	char *end;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (end == text || *end || *text == '-' || errno || n > UINT64_MAX / factor ||
	    n * factor < key->min || n * factor > max) {
		snprintf(why, WHY, "write a whole number from %llu to %llu",
			 (unsigned long long)key->min, (unsigned long long)max);
		return -EINVAL;
	}
	*ret = n * factor;
	return 0;
}

int conf_u64(const struct conf_key *key, void *field, const char *text, char *why)
{
	return number(key, text, 1, field, why);
}

int conf_u32(const struct conf_key *key, void *field, const char *text, char *why)
{
	uint64_t n;
	int r = number(key, text, 1, &n, why);

	if (r == 0)
		*(uint32_t *)field = (uint32_t)n;
	return r;
}

int conf_size(const struct conf_key *key, void *field, const char *text, char *why)
{
	static const struct {
		const char *unit;
		uint64_t factor;
	} units[] = {{"KiB", 1ull << 10}, {"MiB", 1ull << 20}, {"GiB", 1ull << 30}, {"B", 1}};
	size_t len = strlen(text), u;
	char digits[24];

	for (unsigned i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		u = strlen(units[i].unit);
		if (len <= u || len - u >= sizeof(digits) ||
		    strcmp(text + len - u, units[i].unit) != 0)
			continue;
		memcpy(digits, text, len - u);
		digits[len - u] = '\0';
		if (number(key, digits, units[i].factor, field, why) == 0)
			return 0;
		break;
	}
	snprintf(why, WHY,
		 "write a size, for example 64KiB, 512MiB or 1GiB, of at least %llu bytes",
		 (unsigned long long)key->min);
	return -EINVAL;
}

int conf_fraction(const struct conf_key *key, void *field, const char *text, char *why)
{
	char *end;
	double d = strtod(text, &end);

	(void)key;
	if (end == text || *end || !(d >= 0) || d > 1 || isnan(d)) {
		snprintf(why, WHY, "write a fraction from 0 to 1");
		return -EINVAL;
	}
	*(double *)field = d;
	return 0;
}

int conf_text(const struct conf_key *key, void *field, const char *text, char *why)
{
	(void)key;
	(void)why;
	*(const char **)field = text;
	return 0;
}

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
	r = key->parse(key, (char *)c->target + key->offset, t->text, why);
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
	char why[WHY];

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

static unsigned least(unsigned a, unsigned b, unsigned c)
{
	unsigned m = a < b ? a : b;

	return m < c ? m : c;
}

/* Levenshtein's distance. */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[CONF_NAME_MAX + 1];
	size_t n = strlen(b);

	if (n > CONF_NAME_MAX)
		return UINT32_MAX;
	for (size_t j = 0; j <= n; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; a[i - 1]; i++) {
		unsigned diagonal = row[0];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= n; j++) {
			unsigned above = row[j];

			row[j] =
				least(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
			diagonal = above;
		}
	}
	return row[n];
}

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
		d = distance(name, c->keys[i].name);
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
	yaml_document_t doc;
	conf_mistake_fn fn;
	void *ctx;
	int mistakes;
	bool *seen;
};

static void mistake(struct load *l, const yaml_mark_t *at, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void mistake(struct load *l, const yaml_mark_t *at, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	l->mistakes++;
	l->fn(l->ctx, (unsigned)at->line + 1, (unsigned)at->column + 1, text);
}

static const char *scalar(const yaml_node_t *n)
{
	const char *text = (const char *)n->data.scalar.value;

	return n->type == YAML_SCALAR_NODE && strlen(text) == n->data.scalar.length ? text : NULL;
}

static void value_take(struct load *l, size_t i, const yaml_node_t *n)
{
	char why[WHY] = "not a value that can be used";
	const char *text = scalar(n);

	if (!text)
		mistake(l, &n->start_mark, "%s: one value is expected here", l->c->keys[i].name);
	else if (key_set(l->c, i, text, why) < 0)
		mistake(l, &n->start_mark, "%s: '%.60s': %s", l->c->keys[i].name, text, why);
}

static void key_take(struct load *l, size_t i, const yaml_node_t *n)
{
	if (!l->c->keys[i].list || n->type != YAML_SEQUENCE_NODE) {
		value_take(l, i, n);
		return;
	}
	for (yaml_node_item_t *k = n->data.sequence.items.start; k < n->data.sequence.items.top;
	     k++)
		value_take(l, i, yaml_document_get_node(&l->doc, *k));
}

static bool is_section(const struct conf *c, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < c->n; i++)
		if (strncmp(c->keys[i].name, name, len) == 0 && c->keys[i].name[len] == '.')
			return true;
	return false;
}

static void mapping_take(struct load *l, const yaml_node_t *n, const char *section);

static void pair_take(struct load *l, const yaml_node_t *key, const yaml_node_t *value,
		      const char *section)
{
	const char *text = scalar(key), *near;
	char name[2 * CONF_NAME_MAX];
	ssize_t i;

	if (!text || strlen(text) > CONF_NAME_MAX) {
		mistake(l, &key->start_mark, "a key is expected here");
		return;
	}
	snprintf(name, sizeof(name), "%s%s%s", section, *section ? "." : "", text);
	i = key_find(l->c, name);
	if (i < 0 && !*section && is_section(l->c, name)) {
		if (value->type == YAML_MAPPING_NODE)
			mapping_take(l, value, name);
		else
			mistake(l, &value->start_mark, "%s: a section of keys is expected here",
				name);
		return;
	}
	if (i < 0) {
		near = suggestion(l->c, name);
		mistake(l, &key->start_mark, "unknown key '%.80s'%s%s%s", name,
			near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
		return;
	}
	if (l->seen[i])
		mistake(l, &key->start_mark, "%s: was given before", name);
	l->seen[i] = true;
	key_take(l, (size_t)i, value);
}

static void mapping_take(struct load *l, const yaml_node_t *n, const char *section)
{
	for (yaml_node_pair_t *p = n->data.mapping.pairs.start; p < n->data.mapping.pairs.top; p++)
		pair_take(l, yaml_document_get_node(&l->doc, p->key),
			  yaml_document_get_node(&l->doc, p->value), section);
}

/*
 * Anchors are refused before the document is made: a few bytes of aliases to aliases stand for
 * millions of nodes. So is what libyaml itself cannot read.
 */
static bool tokens_good(struct load *l, const char *text, size_t size)
{
	yaml_parser_t p;
	yaml_token_t t;
	bool end = false;

	yaml_parser_initialize(&p);
	yaml_parser_set_input_string(&p, (const unsigned char *)text, size);
	while (!end && !l->mistakes) {
		if (!yaml_parser_scan(&p, &t)) {
			mistake(l, &p.problem_mark, "%s", p.problem ? p.problem : "not YAML");
			break;
		}
		end = t.type == YAML_STREAM_END_TOKEN;
		if (t.type == YAML_ANCHOR_TOKEN || t.type == YAML_ALIAS_TOKEN ||
		    t.type == YAML_TAG_TOKEN)
			mistake(l, &t.start_mark, "anchors, aliases and tags are not used here");
		yaml_token_delete(&t);
	}
	yaml_parser_delete(&p);
	return !l->mistakes;
}

static void document_take(struct load *l, const char *text, size_t size)
{
	yaml_parser_t p;
	yaml_node_t *root;

	yaml_parser_initialize(&p);
	yaml_parser_set_input_string(&p, (const unsigned char *)text, size);
	if (!yaml_parser_load(&p, &l->doc)) {
		mistake(l, &p.problem_mark, "%s", p.problem ? p.problem : "not YAML");
		yaml_parser_delete(&p);
		return;
	}
	root = yaml_document_get_root_node(&l->doc);
	if (root && root->type == YAML_MAPPING_NODE)
		mapping_take(l, root, "");
	else if (root && !(scalar(root) && !*scalar(root)))
		mistake(l, &root->start_mark, "keys and values are expected here");
	yaml_document_delete(&l->doc);
	yaml_parser_delete(&p);
}

int conf_load(struct conf *c, const char *text, size_t size, conf_mistake_fn fn, void *ctx)
{
	struct load l = {.c = c, .fn = fn, .ctx = ctx};

	l.seen = calloc(c->n, sizeof(*l.seen));
	if (!l.seen)
		return -ENOMEM;
	if (tokens_good(&l, text, size))
		document_take(&l, text, size);
	free(l.seen);
	return l.mistakes;
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

/* A plain scalar where that is safe; a double-quoted one takes any text. */
static void value_dump(FILE *out, const char *text)
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/_.";

	if (*text && !text[strspn(text, plain)]) {
		fprintf(out, "%s\n", text);
		return;
	}
	fputc('"', out);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			fprintf(out, "\\%c", *text);
		else if ((unsigned char)*text < 0x20)
			fprintf(out, "\\x%02x", (unsigned char)*text);
		else
			fputc(*text, out);
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
