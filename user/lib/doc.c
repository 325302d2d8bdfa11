// SPDX-License-Identifier: Apache-2.0
// YAML to trees, on libyaml's documents.
#include "lib/doc.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

#include "lib/arena.h"
#include "lib/utf8.h"

struct load {
	struct arena *arena;
	const struct doc_opts *opts;
	const char *text;
	size_t size;
	yaml_document_t doc;
	int mistakes;
	bool full; /* out of memory */
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
	l->opts->fn(l->opts->ctx, (unsigned)at->line + 1, (unsigned)at->column + 1, text);
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
		if (depth > (int)l->opts->depth)
			mistake(l, &t.start_mark, "nested too deep: %s", l->opts->too_deep);
		if (t.type == YAML_ANCHOR_TOKEN || t.type == YAML_ALIAS_TOKEN ||
		    t.type == YAML_TAG_TOKEN)
			mistake(l, &t.start_mark, "anchors, aliases and tags are not used here");
		yaml_token_delete(&t);
	}
	yaml_parser_delete(&p);
	return !l->mistakes;
}

static struct doc_node *node_take(struct load *l, int index);

/* Appends to a chain; `**end` is where the next one goes. */
static bool item_add(const struct doc_node ***end, const struct doc_node *item)
{
	if (!item)
		return false;
	**end = item;
	*end = (const struct doc_node **)(uintptr_t)&item->next;
	return true;
}

static void list_take(struct load *l, struct doc_node *n, const yaml_node_t *from)
{
	const struct doc_node **end = &n->first;

	for (yaml_node_item_t *i = from->data.sequence.items.start;
	     i < from->data.sequence.items.top && item_add(&end, node_take(l, *i)); i++)
		n->len++;
}

static void map_take(struct load *l, struct doc_node *n, const yaml_node_t *from)
{
	const struct doc_node **end = &n->first;

	for (yaml_node_pair_t *p = from->data.mapping.pairs.start; p < from->data.mapping.pairs.top;
	     p++) {
		struct doc_node *key = node_take(l, p->key), *value = node_take(l, p->value);

		if (key && value)
			value->key = key;
		if (!key || !item_add(&end, value))
			return;
		n->len++;
	}
}

/* As deep as the tokens were allowed to be. */
static struct doc_node *node_take(struct load *l, int index)
{
	const yaml_node_t *from = yaml_document_get_node(&l->doc, index);
	struct doc_node *n = arena_alloc(l->arena, sizeof(*n));

	if (!n) {
		l->full = true;
		return NULL;
	}
	n->line = (unsigned)from->start_mark.line + 1;
	n->column = (unsigned)from->start_mark.column + 1;
	if (from->type == YAML_SEQUENCE_NODE) {
		n->type = DOC_LIST;
		list_take(l, n, from);
	} else if (from->type == YAML_MAPPING_NODE) {
		n->type = DOC_MAP;
		map_take(l, n, from);
	} else {
		n->plain = from->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
		n->len = from->data.scalar.length;
		n->exact = from->start_mark.line == from->end_mark.line &&
			   from->end_mark.column - from->start_mark.column ==
				   n->len + (n->plain ? 0 : 2);
		n->text = arena_strndup(l->arena, from->data.scalar.value, n->len);
		l->full |= !n->text;
	}
	return n;
}

static struct doc *document_take(struct load *l)
{
	struct doc *d = arena_alloc(l->arena, sizeof(*d));

	if (!d)
		return NULL;
	d->line = (unsigned)l->doc.start_mark.line + 1;
	d->column = (unsigned)l->doc.start_mark.column + 1;
	d->root = node_take(l, 1);
	return d;
}

/* 1: a document; 0: the end, or a mistake. */
static int document_next(struct load *l, yaml_parser_t *p, struct doc **ret_doc)
{
	if (!yaml_parser_load(p, &l->doc)) {
		problem(l, p);
		return 0;
	}
	if (!yaml_document_get_root_node(&l->doc)) {
		yaml_document_delete(&l->doc);
		return 0;
	}
	*ret_doc = document_take(l);
	yaml_document_delete(&l->doc);
	return *ret_doc && !l->full ? 1 : -ENOMEM;
}

int doc_parse(struct arena *a, const char *text, size_t size, const struct doc_opts *opts,
	      struct doc **ret_docs)
{
	static const char bom[] = {'\xef', '\xbb', '\xbf'};
	size_t skip = size >= sizeof(bom) && memcmp(text, bom, sizeof(bom)) == 0 ? sizeof(bom) : 0;
	struct load l = {.arena = a, .opts = opts, .text = text + skip, .size = size - skip};
	struct doc *first = NULL, **end = &first;
	yaml_parser_t p;
	int r = 0;

	if (tokens_good(&l)) {
		parser_init(&p, &l);
		while ((r = document_next(&l, &p, end)) > 0)
			end = &(*end)->next;
		yaml_parser_delete(&p);
	}
	if (r < 0)
		return r;
	*ret_docs = first;
	return l.mistakes;
}

const char *doc_text(const struct doc_node *n)
{
	return n->type == DOC_SCALAR && strlen(n->text) == n->len ? n->text : NULL;
}

const struct doc_node *doc_get(const struct doc_node *map, const char *key)
{
	for (const struct doc_node *n = map->type == DOC_MAP ? map->first : NULL; n; n = n->next)
		if (n->key->type == DOC_SCALAR && strcmp(n->key->text, key) == 0)
			return n;
	return NULL;
}
