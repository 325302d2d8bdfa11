// SPDX-License-Identifier: Apache-2.0
// Log sources: the taxonomy's rows, looked up once for each kind of event.
#include "lib/sigma/sources.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/sigma/rule.h"
#include "lib/sigma/taxonomy.h"

#define ROWS_MAX 2 /* of one kind */

/* A row of the taxonomy: of events whose field `only` is `is`. */
struct row {
	uint32_t source;
	const ProtobufCFieldDescriptor *only; /* NULL: of all */
	bool is;
};

struct kind {
	uint32_t number, source;
	unsigned n_rows;
	struct row rows[ROWS_MAX];
};

struct sources {
	uint32_t n;
	struct kind kinds[]; /* by kind_case; without a source: there is none */
};

static const ProtobufCMessageDescriptor *const event = &rollcall__event__descriptor;

static uint32_t categories(void)
{
	uint32_t n = 0;

	while (taxonomy_sources[n].category)
		n++;
	return n;
}

/* A category's number is that of its first row. */
static uint32_t category_find(const char *name, const char *service)
{
	for (uint32_t i = 0; taxonomy_sources[i].category; i++) {
		const struct taxonomy_source *s = &taxonomy_sources[i];

		if ((!*service &&
		     (strcmp(s->category, name) == 0 || (*name && strcmp(s->ecs, name) == 0))) ||
		    (*service && strcmp(name, "network") == 0 && strcmp(s->ecs, service) == 0))
			return 1 + i;
	}
	return 0;
}

static bool is_kind(uint32_t i)
{
	return event->fields[i].flags & PROTOBUF_C_FIELD_FLAG_ONEOF;
}

static uint32_t kind_source(uint32_t kind)
{
	return 1 + categories() + kind;
}

int sources_find(const struct rule_source *s)
{
	uint32_t n;

	if (*s->product && strcmp(s->product, "linux") != 0 && strcmp(s->product, "rollcall") != 0)
		return -ENOENT;
	if (*s->category) {
		n = category_find(s->category, s->service);
		return n ? (int)n : -ENOENT;
	}
	for (uint32_t i = 0; *s->service && i < event->n_fields; i++)
		if (is_kind(i) && strcmp(event->fields[i].name, s->service) == 0)
			return (int)kind_source(i);
	return *s->service ? -ENOENT : 0;
}

bool sources_has(uint32_t source, uint32_t kind)
{
	const struct taxonomy_source *s = taxonomy_sources;

	if (!is_kind(kind))
		return false;
	if (!source || source == kind_source(kind))
		return true;
	for (; source <= categories() && s->category; s++)
		if (strcmp(s->category, taxonomy_sources[source - 1].category) == 0 &&
		    strcmp(s->kind, event->fields[kind].name) == 0)
			return true;
	return false;
}

static int row_add(struct kind *k, const struct taxonomy_source *s)
{
	struct row *row = &k->rows[k->n_rows];

	if (k->n_rows++ == ROWS_MAX)
		return -E2BIG;
	row->source = category_find(s->category, "");
	row->is = *s->only != '!';
	if (*s->only)
		row->only = protobuf_c_message_descriptor_get_field_by_name(
			event->fields[k->number].descriptor, s->only + !row->is);
	return 0;
}

struct sources *sources_new(void)
{
	uint32_t n = 0;
	struct sources *s;
	int r = 0;

	for (uint32_t i = 0; i < event->n_fields; i++)
		n = event->fields[i].id >= n ? event->fields[i].id + 1 : n;
	s = calloc(1, sizeof(*s) + n * sizeof(*s->kinds));
	if (!s)
		return NULL;
	s->n = n;
	for (uint32_t i = 0; i < event->n_fields; i++) {
		struct kind *k = &s->kinds[event->fields[i].id];

		if (!is_kind(i))
			continue;
		k->number = i;
		k->source = kind_source(i);
		for (const struct taxonomy_source *t = taxonomy_sources; t->category && r == 0; t++)
			if (strcmp(t->kind, event->fields[i].name) == 0)
				r = row_add(k, t);
	}
	return r == 0 ? s : sources_free(s);
}

struct sources *sources_free(struct sources *s)
{
	free(s);
	return NULL;
}

void sources_of(const struct sources *s, const Rollcall__Event *ev, uint32_t *ret_kind,
		uint32_t ret_sources[2])
{
	const struct kind *k = &s->kinds[(uint32_t)ev->kind_case < s->n ? ev->kind_case : 0];
	const char *msg;

	if (!k->source)
		return;
	*ret_kind = k->number;
	ret_sources[0] = k->source;
	msg = *(const char *const *)(const void *)((const char *)ev +
						   event->fields[k->number].offset);
	for (unsigned i = 0; i < k->n_rows; i++) {
		const struct row *row = &k->rows[i];

		if (!row->only || *(const protobuf_c_boolean *)(msg + row->only->offset) == row->is)
			ret_sources[1] = row->source;
	}
}
