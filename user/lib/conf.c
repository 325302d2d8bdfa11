// SPDX-License-Identifier: Apache-2.0
// Configuration from a table of keys, on libyaml's documents, whose nodes know line and column.
#include "lib/conf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "lib/clean.h"
#include "lib/utf8.h"

#define CONF_NAME_MAX 80
#define DEPTH_MAX     8 /* a section, its keys, a list; and room for telling what is wrong */

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
	const char *text;
	size_t size;
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

/* Where the character at `offset` is, counted as libyaml counts. */
static yaml_mark_t place(const struct load *l, size_t offset)
{
	yaml_mark_t at = {};
	uint32_t code;
	size_t n;

	for (size_t i = 0; (n = utf8_decode(l->text + i, l->size - i, &code)) && i + n <= offset;
	     i += n) {
		bool crlf = code == '\r' && i + 1 < l->size && l->text[i + 1] == '\n';

		at.column++;
		if (code == '\n' || code == 0x85 || code == 0x2028 || code == 0x2029 ||
		    (code == '\r' && !crlf)) {
			at.line++;
			at.column = 0;
		}
	}
	return at;
}

/* What libyaml cannot read. Of bytes that are no text it tells the offset only. */
static void problem(struct load *l, const yaml_parser_t *p)
{
	yaml_mark_t at =
		p->error == YAML_READER_ERROR ? place(l, p->problem_offset) : p->problem_mark;

	mistake(l, &at, "%s", p->problem ? p->problem : "not YAML");
}

static const char *scalar(const yaml_node_t *n)
{
	const char *text = (const char *)n->data.scalar.value;

	return n->type == YAML_SCALAR_NODE && strlen(text) == n->data.scalar.length ? text : NULL;
}

static void value_take(struct load *l, size_t i, const yaml_node_t *n)
{
	char why[CONF_WHY] = "not a value that can be used";
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
		else if (!scalar(value) || *scalar(value)) /* else all its keys are comments */
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

static void parser_init(yaml_parser_t *p, const struct load *l)
{
	yaml_parser_initialize(p);
	yaml_parser_set_encoding(p, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(p, (const unsigned char *)l->text, l->size);
}

static int deeper(yaml_token_type_t type)
{
	switch (type) {
	case YAML_BLOCK_SEQUENCE_START_TOKEN:
	case YAML_BLOCK_MAPPING_START_TOKEN:
	case YAML_FLOW_SEQUENCE_START_TOKEN:
	case YAML_FLOW_MAPPING_START_TOKEN:
		return 1;
	case YAML_BLOCK_END_TOKEN:
	case YAML_FLOW_SEQUENCE_END_TOKEN:
	case YAML_FLOW_MAPPING_END_TOKEN:
		return -1;
	default:
		return 0;
	}
}

/*
 * Anchors are refused before the document is made: a few bytes of aliases to aliases stand for
 * millions of nodes. So is depth, which costs libyaml time and memory without end, and what it
 * cannot read.
 */
static bool tokens_good(struct load *l)
{
	yaml_parser_t p;
	yaml_token_t t;
	bool end = false;
	int depth = 0;

	parser_init(&p, l);
	while (!end && !l->mistakes) {
		if (!yaml_parser_scan(&p, &t)) {
			problem(l, &p);
			break;
		}
		end = t.type == YAML_STREAM_END_TOKEN;
		depth += deeper(t.type);
		if (depth > DEPTH_MAX)
			mistake(l, &t.start_mark,
				"nested too deep: keys need no more than 3 levels");
		if (t.type == YAML_ANCHOR_TOKEN || t.type == YAML_ALIAS_TOKEN ||
		    t.type == YAML_TAG_TOKEN)
			mistake(l, &t.start_mark, "anchors, aliases and tags are not used here");
		yaml_token_delete(&t);
	}
	yaml_parser_delete(&p);
	return !l->mistakes;
}

/* What comes after the first document would not be read. */
static bool nothing_follows(struct load *l, yaml_parser_t *p)
{
	yaml_document_t next;

	if (!yaml_parser_load(p, &next)) {
		problem(l, p);
		return false;
	}
	if (yaml_document_get_root_node(&next))
		mistake(l, &next.start_mark, "a second document; only one is read");
	yaml_document_delete(&next);
	return !l->mistakes;
}

static void document_take(struct load *l)
{
	yaml_parser_t p;
	yaml_node_t *root;

	parser_init(&p, l);
	if (!yaml_parser_load(&p, &l->doc)) {
		problem(l, &p);
		yaml_parser_delete(&p);
		return;
	}
	root = yaml_document_get_root_node(&l->doc);
	if (nothing_follows(l, &p)) {
		if (root && root->type == YAML_MAPPING_NODE)
			mapping_take(l, root, "");
		else if (root && !(scalar(root) && !*scalar(root)))
			mistake(l, &root->start_mark, "keys and values are expected here");
	}
	yaml_document_delete(&l->doc);
	yaml_parser_delete(&p);
}

int conf_load(struct conf *c, const char *text, size_t size, conf_mistake_fn fn, void *ctx)
{
	static const char bom[] = {'\xef', '\xbb', '\xbf'};
	size_t skip = size >= sizeof(bom) && memcmp(text, bom, sizeof(bom)) == 0 ? sizeof(bom) : 0;
	struct load l = {c, text + skip, size - skip, .fn = fn, .ctx = ctx};

	l.seen = calloc(c->n, sizeof(*l.seen));
	if (!l.seen)
		return -ENOMEM;
	if (tokens_good(&l))
		document_take(&l);
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
