// SPDX-License-Identifier: Apache-2.0
// Walks event.proto's descriptors along the taxonomy's paths; knows no event by name.
#include "lib/sigma/fields.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/event.h"
#include "lib/principal.h"
#include "lib/sigma/program.h"
#include "lib/sigma/sources.h"
#include "lib/sigma/taxonomy.h"

#define STEPS_MAX  6
#define VALUES_MAX 256 /* of one field; what is beyond is not looked at */

/* How the text of a path's end becomes values. */
enum form {
	FORM_PLAIN,
	FORM_JOINED,
	FORM_WORDS,
	FORM_BASE,
	FORM_TIME,
	FORM_BIT,
	FORM_PRINCIPAL,
	FORM_ALL
};

struct step {
	const ProtobufCFieldDescriptor *field;
	bool again; /* "parent*": this one, and its own, and so on */
};

struct getter {
	unsigned n; /* 0: the event has no such field, unless it is a constant */
	struct step steps[STEPS_MAX];
	enum form form;
	uint32_t bit; /* of FORM_BIT */
	const char *constant;
	bool there;
};

struct fields {
	const struct program *program;
	struct getter *getters; /* kinds x fields */
	struct sources *sources;
};

static const ProtobufCMessageDescriptor *const event = &rollcall__event__descriptor;

/* ---- paths ---- */

static const ProtobufCMessageDescriptor *sub(const ProtobufCFieldDescriptor *f)
{
	return f->type == PROTOBUF_C_TYPE_MESSAGE && f->label != PROTOBUF_C_LABEL_REPEATED
		       ? f->descriptor
		       : NULL;
}

static enum form form_of(char *path, uint32_t *ret_bit)
{
	static const char marks[] = "+/^@";
	static const enum form forms[] = {FORM_JOINED, FORM_WORDS, FORM_BASE, FORM_TIME};
	size_t len = strlen(path);
	const char *mark = len ? strchr(marks, path[len - 1]) : NULL;
	char *bit = strchr(path, '&');

	if (bit) {
		*bit = '\0';
		*ret_bit = (uint32_t)strtoul(bit + 1, NULL, 10);
		return FORM_BIT;
	}
	if (!mark)
		return FORM_PLAIN;
	path[len - 1] = '\0';
	return forms[mark - marks];
}

/* The steps of `path` from `from` on; false when there is no such path. */
static bool path_steps(struct getter *g, const ProtobufCMessageDescriptor *from, char *path)
{
	char *save, *name = strtok_r(path, ".", &save);

	for (; name; name = strtok_r(NULL, ".", &save)) {
		struct step *s = &g->steps[g->n];
		size_t len = strlen(name);

		if (!from || g->n == STEPS_MAX)
			return false;
		s->again = name[len - 1] == '*';
		if (s->again)
			name[len - 1] = '\0';
		s->field = protobuf_c_message_descriptor_get_field_by_name(from, name);
		if (!s->field || (s->again && sub(s->field) != from))
			return false;
		g->n++;
		from = sub(s->field);
	}
	return g->n && !from && g->steps[g->n - 1].field->type != PROTOBUF_C_TYPE_MESSAGE;
}

/* A path of the taxonomy or of a rule, for one kind of event. */
static bool getter_path(struct getter *g, uint32_t kind, const char *path)
{
	const ProtobufCFieldDescriptor *k = &event->fields[kind];
	char copy[128];

	*g = (struct getter){};
	if (strlen(path) >= sizeof(copy))
		return false;
	strcpy(copy, path);
	if (*path == '=') {
		g->constant = path + 1;
		return g->there = true;
	}
	if (strcmp(path, "principal()") == 0) {
		g->steps[0].field = k;
		g->steps[1].field =
			protobuf_c_message_descriptor_get_field_by_name(k->descriptor, "db");
		g->n = 2;
		g->form = FORM_PRINCIPAL;
		return g->there = g->steps[1].field &&
				  g->steps[1].field->descriptor == &rollcall__db__descriptor;
	}
	g->form = form_of(copy, &g->bit);
	if (strncmp(copy, "event.", 6) == 0)
		return g->there = path_steps(g, event, copy + 6);
	if (strncmp(copy, "process.", 8) == 0)
		return g->there = path_steps(g, event, copy);
	g->steps[g->n++].field = k;
	return g->there = path_steps(g, k->descriptor, copy);
}

static bool row_applies(const struct taxonomy_field *f, const char *kind)
{
	size_t star = strcspn(f->of, "*");

	if (!*f->of || strcmp(f->of, kind) == 0 || (f->of[star] && strncmp(f->of, kind, star) == 0))
		return true;
	for (uint32_t i = 0; taxonomy_sources[i].category; i++)
		if (strcmp(taxonomy_sources[i].category, f->of) == 0 &&
		    strcmp(taxonomy_sources[i].kind, kind) == 0)
			return true;
	return false;
}

/* Rows of the kind itself come before those of its category and of every event. */
static bool getter_find(struct getter *g, uint32_t kind, const char *name)
{
	const char *k = event->fields[kind].name;

	if (!*name) {
		*g = (struct getter){.form = FORM_ALL, .there = true};
		return true;
	}
	for (unsigned own = 2; own-- > 0;)
		for (const struct taxonomy_field *f = taxonomy_fields; f->name; f++)
			if ((strcmp(f->of, k) == 0) == own && row_applies(f, k) &&
			    (strcmp(f->name, name) == 0 || strcmp(f->ecs, name) == 0))
				return getter_path(g, kind, f->path);
	return strpbrk(name, "=()+/^@&*") ? (*g = (struct getter){}, false)
					  : getter_path(g, kind, name);
}

/* ---- the schema ---- */

struct names {
	uint32_t source;
};

static const char *names_next(const void *ctx, unsigned i)
{
	const struct names *n = ctx;

	for (const struct taxonomy_field *f = taxonomy_fields; f->name; f++)
		for (uint32_t k = 0; k < event->n_fields; k++)
			if (sources_has(n->source, k) && row_applies(f, event->fields[k].name) &&
			    !i--)
				return f->name;
	return NULL;
}

static bool schema_field(uint32_t source, const char *name, const char **ret_near)
{
	struct getter g;

	for (uint32_t k = 0; k < event->n_fields; k++)
		if (sources_has(source, k) && getter_find(&g, k, name))
			return true;
	*ret_near = diag_near(name, names_next, &(struct names){source});
	return false;
}

const struct policy_schema fields_schema = {256, sources_find, schema_field};

/* ---- values ---- */

struct out {
	struct arena *arena;
	struct match_values *values;
	enum form form;
	uint32_t bit;
	size_t room; /* for values */
};

static void value_add(struct out *o, const struct match_value *v)
{
	struct match_values *m = o->values;

	m->exists = true;
	if (!m->n)
		m->v = &m->first;
	if (m->n == o->room && o->room < VALUES_MAX) {
		struct match_value *more = arena_alloc(o->arena, 4 * o->room * sizeof(*more));

		if (!more)
			return;
		m->v = memcpy(more, m->v, m->n * sizeof(*more));
		o->room *= 4;
	}
	if (m->n < o->room)
		m->v[m->n++] = *v;
}

static void text_add(struct out *o, const char *text, size_t len)
{
	const char *slash = o->form == FORM_BASE ? memrchr(text, '/', len) : NULL;

	if (slash) {
		len -= (size_t)(slash + 1 - text);
		text = slash + 1;
	}
	if (o->form == FORM_WORDS) {
		for (size_t n; len; text += n, len -= n) {
			const char *space = memchr(text, ' ', len);

			n = space ? (size_t)(space - text) : len;
			if (n)
				value_add(o, &(struct match_value){.text = text, .len = n});
			n += space != NULL;
		}
	} else if (len) {
		value_add(o, &(struct match_value){.text = text, .len = len});
	}
}

static void truth_add(struct out *o, bool is)
{
	text_add(o, is ? "true" : "false", is ? 4 : 5);
}

static void number_add(struct out *o, double n)
{
	value_add(o, &(struct match_value){.type = MATCH_NUMBER, .number = n});
}

#define EXACT (1ull << 53) /* a double holds every whole number up to here */

static void whole_add(struct out *o, uint64_t n)
{
	char *text = n > EXACT ? arena_printf(o->arena, "%" PRIu64, n) : NULL;

	value_add(o, &(struct match_value){.type = MATCH_NUMBER,
					   .number = (double)n,
					   .text = text,
					   .len = text ? strlen(text) : 0});
}

static void time_add(struct out *o, uint64_t ns)
{
	char *text = arena_alloc(o->arena, 40);

	if (text)
		value_add(o, &(struct match_value){.type = MATCH_TIME,
						   .text = event_time(ns, text, 40),
						   .len = strlen(text),
						   .time = ns});
}

/* "[::1]" is how an endpoint writes IPv6; rules write ::1. */
static void string_add(struct out *o, const ProtobufCMessage *msg, const char *text)
{
	size_t len = strlen(text);
	bool bracket =
		msg->descriptor == &rollcall__endpoint__descriptor && len > 2 && text[0] == '[';

	text_add(o, text + bracket, len - 2 * bracket);
}

static void scalar_add(struct out *o, const ProtobufCMessage *msg,
		       const ProtobufCFieldDescriptor *f)
{
	const void *p = (const char *)msg + f->offset;
	const ProtobufCBinaryData *bytes = p;
	const ProtobufCEnumValue *v;

	switch (f->type) {
	case PROTOBUF_C_TYPE_STRING:
		string_add(o, msg, *(char *const *)p);
		break;
	case PROTOBUF_C_TYPE_BYTES:
		text_add(o, (const char *)bytes->data, bytes->len);
		break;
	case PROTOBUF_C_TYPE_BOOL:
		truth_add(o, *(const protobuf_c_boolean *)p);
		break;
	case PROTOBUF_C_TYPE_ENUM:
		v = *(const int *)p
			    ? protobuf_c_enum_descriptor_get_value(f->descriptor, *(const int *)p)
			    : NULL;
		if (v)
			text_add(o, v->name, strlen(v->name));
		break;
	case PROTOBUF_C_TYPE_DOUBLE:
		number_add(o, *(const double *)p);
		break;
	case PROTOBUF_C_TYPE_SINT32:
		number_add(o, *(const int32_t *)p);
		break;
	case PROTOBUF_C_TYPE_SINT64:
		number_add(o, (double)*(const int64_t *)p);
		break;
	case PROTOBUF_C_TYPE_UINT32:
		if (o->form == FORM_BIT)
			truth_add(o, *(const uint32_t *)p & o->bit);
		else
			number_add(o, *(const uint32_t *)p);
		break;
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		if (o->form == FORM_TIME)
			time_add(o, *(const uint64_t *)p);
		else
			whole_add(o, *(const uint64_t *)p);
		break;
	default:
		break;
	}
}

static void strings_join(struct out *o, char *const *list, size_t n)
{
	size_t size = 0, used = 0;
	char *text;

	for (size_t i = 0; i < n; i++)
		size += strlen(list[i]) + 1;
	text = arena_alloc(o->arena, size + 1);
	for (size_t i = 0; text && i < n; i++) {
		size_t len = strlen(list[i]);

		if (i)
			text[used++] = ' ';
		memcpy(text + used, list[i], len);
		used += len;
	}
	if (text)
		text_add(o, text, used);
}

static void field_add(struct out *o, const ProtobufCMessage *msg, const ProtobufCFieldDescriptor *f)
{
	const char *base = (const char *)msg;
	char *const *list;
	size_t n;

	if (f->label != PROTOBUF_C_LABEL_REPEATED) {
		scalar_add(o, msg, f);
		return;
	}
	if (f->type != PROTOBUF_C_TYPE_STRING)
		return;
	n = *(const size_t *)(const void *)(base + f->quantifier_offset);
	list = *(char *const *const *)(const void *)(base + f->offset);
	if (o->form == FORM_JOINED)
		strings_join(o, list, n);
	for (size_t i = 0; o->form != FORM_JOINED && i < n; i++)
		text_add(o, list[i], strlen(list[i]));
}

static const ProtobufCMessage *sub_message(const ProtobufCMessage *msg,
					   const ProtobufCFieldDescriptor *f)
{
	return *(ProtobufCMessage *const *)(const void *)((const char *)msg + f->offset);
}

static void steps_add(struct out *o, const ProtobufCMessage *msg, const struct step *s, unsigned n)
{
	if (n == 1) {
		field_add(o, msg, s->field);
		return;
	}
	while ((msg = sub_message(msg, s->field))) {
		steps_add(o, msg, s + 1, n - 1);
		if (!s->again)
			return;
	}
}

/* Every text of the message, for keywords. */
static void message_add(struct out *o, const ProtobufCMessage *msg)
{
	for (unsigned i = 0; i < msg->descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &msg->descriptor->fields[i];

		if (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
			continue;
		if (sub(f) && sub_message(msg, f))
			message_add(o, sub_message(msg, f));
		else if (f->type != PROTOBUF_C_TYPE_MESSAGE && f->type != PROTOBUF_C_TYPE_BYTES)
			field_add(o, msg, f);
	}
}

static void get(const void *ctx, struct arena *a, uint32_t field, struct match_values *ret_values)
{
	const struct fields_view *v = ctx;
	const struct fields *f = v->fields;
	const struct getter *g = &f->getters[v->kind * f->program->n_fields + field];
	struct out o = {a, ret_values, g->form, g->bit, 1};
	const char *who;

	if (!g->there)
		return;
	if (g->constant) {
		text_add(&o, g->constant, strlen(g->constant));
	} else if (g->form == FORM_ALL) {
		o.form = FORM_JOINED;
		message_add(&o, &v->ev->base);
		message_add(&o, event_message(v->ev));
	} else if (g->form == FORM_PRINCIPAL) {
		const ProtobufCMessage *db = sub_message(event_message(v->ev), g->steps[1].field);

		who = db ? principal_of(a, (const Rollcall__Db *)db) : NULL;
		if (who)
			text_add(&o, who, strlen(who));
	} else {
		steps_add(&o, &v->ev->base, g->steps, g->n);
	}
}

/* ---- binding ---- */

struct fields *fields_new(const struct program *p)
{
	struct fields *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->program = p;
	f->getters = calloc((size_t)event->n_fields * p->n_fields + 1, sizeof(*f->getters));
	f->sources = sources_new();
	if (!f->getters || !f->sources)
		return fields_free(f);
	for (uint32_t k = 0; k < event->n_fields; k++)
		for (uint32_t i = 0; sources_has(0, k) && i < p->n_fields; i++)
			getter_find(&f->getters[k * p->n_fields + i], k, p->fields[i].name);
	return f;
}

struct fields *fields_free(struct fields *f)
{
	if (!f)
		return NULL;
	free(f->getters);
	sources_free(f->sources);
	free(f);
	return NULL;
}

void fields_view(const struct fields *f, const Rollcall__Event *ev, struct fields_view *ret_view)
{
	*ret_view = (struct fields_view){.fields = f, .ev = ev};
	ret_view->match.get = get;
	ret_view->match.ctx = ret_view;
	sources_of(f->sources, ev, &ret_view->kind, ret_view->match.sources);
}
