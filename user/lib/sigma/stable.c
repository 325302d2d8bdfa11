// SPDX-License-Identifier: Apache-2.0
// Volatile parts are found by their shape: a date, a UUID, a long number, the letters and digits of
// mktemp. What only some share is found by comparing.
#include "lib/sigma/stable.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/sigma/fields.h"
#include "lib/sigma/match.h"
#include "lib/sigma/program.h"
#include "lib/utf8.h"

#define DIGITS_LONG  5 /* a number this long is a time, an id, a size */
#define HEX_LONG     8
#define RANDOM_LONG  6
#define RANDOM_TURNS 3 /* between letters and digits, from small to capital */

/*
 * Of a database event the process is the server: what is stable is who asked for what. The others
 * have the process that acted and what it acted on.
 */
static const struct {
	const char *name;
	bool process; /* of the process: left out for databases */
	bool changes; /* parts of it change each time; else it is taken as it is */
} names[] = {
	{"Principal", false, false},
	{"principal", false, false}, /* of a finding that is built in, with its tables */
	{"Tables", false, false},
	{"tables", false, false},
	{"ClientUser", false, false},
	{"ClientProgram", false, true},
	{"Image", true, false},
	{"ParentImage", true, false},
	{"User", true, false},
	{"CommandLine", true, true},
	{"Script", false, true},
	{"TargetFilename", false, true},
	{"SourceFilename", false, true},
	{"FileType", false, false},
	{"DestinationIp", false, false},
	{"DestinationPort", false, false},
	{"Protocol", false, false},
	{"Initiated", false, false},
	{"QueryName", false, true},
	{"StatementFingerprint", false, false},
};
#define NAMES (sizeof(names) / sizeof(names[0]))
_Static_assert(NAMES <= STABLE_FIELDS_MAX, "as many fields as there are names");

struct stable {
	struct program *program;
	uint32_t numbers[NAMES];
	struct fields *fields;
};

/* ---- shapes ---- */

static bool shape_is(const char *text, size_t len, const char *shape)
{
	size_t n = strlen(shape);

	if (len < n)
		return false;
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)text[i];

		if (shape[i] == 'd' ? !isdigit(c) : shape[i] == 'h' ? !isxdigit(c) : shape[i] != c)
			return false;
	}
	return len == n || !isalnum((unsigned char)text[n]);
}

/* Bytes of a date, a time, a UUID; 0: none begins here. */
static size_t shaped(const char *text, size_t len)
{
	static const char *const shapes[] = {
		"hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh",
		"dddd-dd-ddTdd:dd:dd",
		"dddd-dd-dd",
		"dd:dd:dd",
	};

	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
		if (shape_is(text, len, shapes[i]))
			return strlen(shapes[i]);
	return 0;
}

/* A run of letters and digits; `before` is what was written up to it. */
static bool is_volatile(const char *run, size_t len, const char *before, size_t n)
{
	size_t digits = 0, hex = 0, turns = 0;

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)run[i], last = (unsigned char)run[i ? i - 1 : 0];

		digits += isdigit(c) != 0;
		hex += isxdigit(c) != 0;
		turns += i && (!isdigit(c) != !isdigit(last) || (islower(last) && isupper(c)));
	}
	if (n >= 4 && memcmp(before + n - 4, "tmp.", 4) == 0 && len >= RANDOM_LONG)
		return true;
	if (digits == len)
		return len >= DIGITS_LONG || (n >= 6 && memcmp(before + n - 6, "/proc/", 6) == 0);
	return (hex == len && digits && len >= HEX_LONG) ||
	       (digits && len >= RANDOM_LONG && turns >= RANDOM_TURNS);
}

/* ---- patterns ---- */

static void any_put(FILE *out, bool *any)
{
	if (!*any)
		fputc('*', out);
	*any = true;
}

/* What YAML cannot hold in one line, or at all, is any one character. */
static bool is_printable(uint32_t code)
{
	return code >= 0x20 && (code < 0x7f || code > 0x9f) && code != 0x2028 && code != 0x2029 &&
	       code != 0xfeff && code != 0xfffe && code != 0xffff;
}

static size_t character_put(FILE *out, const char *text, size_t len)
{
	uint32_t code = 0;
	size_t n = utf8_decode(text, len, &code);

	if (!n || !is_printable(code)) {
		fputc('?', out);
		return n ? n : 1;
	}
	if (strchr("*?\\", *text))
		fputc('\\', out);
	fwrite(text, 1, n, out);
	return n;
}

static size_t run_of(const char *text, size_t len)
{
	size_t n = 0;

	while (n < len && isalnum((unsigned char)text[n]))
		n++;
	return n;
}

static void pattern_put(FILE *out, const char *text, size_t len, bool changes)
{
	size_t at = 0;
	bool any = false; /* a "*" was the last */

	while (at < len && at < STABLE_TEXT_MAX) {
		size_t n = changes ? shaped(text + at, len - at) : 0;
		size_t run = run_of(text + at, len - at);

		if (n || (changes && run && is_volatile(text + at, run, text, at))) {
			any_put(out, &any);
			at += n ? n : run;
			continue;
		}
		any = false;
		if (!run)
			at += character_put(out, text + at, len - at);
		for (; run; run--)
			fputc(text[at++], out);
	}
	if (at < len)
		any_put(out, &any);
}

static char *pattern_of(struct arena *a, const char *text, size_t len, bool changes)
{
	char *bytes = NULL, *kept;
	size_t size;
	FILE *out = open_memstream(&bytes, &size);

	if (!out)
		return NULL;
	pattern_put(out, text, len, changes);
	kept = fclose(out) == 0 ? arena_strdup(a, bytes) : NULL;
	free(bytes);
	return kept;
}

char *stable_pattern(struct arena *a, const char *text, size_t len)
{
	return pattern_of(a, text, len, true);
}

/* ---- merging ---- */

/* Is the byte at `at` escaped by the one before it? */
static bool is_escaped(const char *p, size_t at)
{
	size_t n = 0;

	while (n < at && p[at - n - 1] == '\\')
		n++;
	return n % 2;
}

static bool is_inside(const char *p, size_t at)
{
	return is_escaped(p, at) || ((unsigned char)p[at] & 0xc0) == 0x80;
}

/* Same at both ends, "*" between; an escape and a character are not cut. */
static void part_merge(FILE *out, const char *p, size_t n, const char *q, size_t m)
{
	size_t shorter = n < m ? n : m, head = 0, tail = 0;
	bool stars;

	while (head < shorter && p[head] == q[head])
		head++;
	if (head == n && head == m) {
		fwrite(p, 1, n, out);
		return;
	}
	while (head && (is_inside(p, head) || is_inside(q, head)))
		head--;
	while (tail < shorter - head && p[n - tail - 1] == q[m - tail - 1])
		tail++;
	while (tail && (is_inside(p, n - tail) || is_inside(q, m - tail)))
		tail--;
	stars = head && p[head - 1] == '*' && !is_escaped(p, head - 1);
	fwrite(p, 1, head, out);
	if (!stars && !(tail && p[n - tail] == '*'))
		fputc('*', out);
	fwrite(p + n - tail, 1, tail, out);
}

static size_t words(const char *p)
{
	size_t n = 1;

	for (; *p; p++)
		n += *p == ' ';
	return n;
}

char *stable_merge(struct arena *a, const char *one, const char *other)
{
	bool by_words = words(one) == words(other);
	char *bytes = NULL, *kept;
	size_t size;
	FILE *out = open_memstream(&bytes, &size);

	if (!out)
		return NULL;
	for (;;) {
		size_t n = by_words ? strcspn(one, " ") : strlen(one);
		size_t m = by_words ? strcspn(other, " ") : strlen(other);

		part_merge(out, one, n, other, m);
		one += n;
		other += m;
		if (!*one)
			break;
		fputc(' ', out);
		one++;
		other++;
	}
	kept = fclose(out) == 0 ? arena_strdup(a, bytes) : NULL;
	free(bytes);
	return kept;
}

/* ---- fields ---- */

struct stable *stable_new(void)
{
	struct stable *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->program = program_new(fields_schema.sources);
	for (size_t i = 0; i < NAMES; i++)
		if (!s->program || program_field(s->program, names[i].name, &s->numbers[i]) < 0)
			return stable_free(s);
	s->fields = fields_new(s->program);
	return s->fields ? s : stable_free(s);
}

struct stable *stable_free(struct stable *s)
{
	if (!s)
		return NULL;
	fields_free(s->fields);
	program_free(s->program);
	free(s);
	return NULL;
}

static char *value_pattern(struct arena *a, const struct match_value *v, bool changes)
{
	char number[32];

	if (v->text)
		return pattern_of(a, v->text, v->len, changes);
	snprintf(number, sizeof(number), "%lld", (long long)v->number);
	return arena_strdup(a, number); /* of a field that is a number nothing is volatile */
}

static int field_add(struct arena *a, size_t name, const struct match_values *values,
		     struct stable_fields *fields)
{
	struct stable_field *f = &fields->f[fields->n];

	*f = (struct stable_field){.name = names[name].name};
	for (size_t i = 0; i < values->n && f->n < STABLE_VALUES_MAX; i++) {
		f->values[f->n] = value_pattern(a, &values->v[i], names[name].changes);
		if (!f->values[f->n])
			return -ENOMEM;
		if (strcmp(f->values[f->n], "*") != 0)
			f->n++;
	}
	fields->n += f->n > 0;
	return 0;
}

int stable_event(const struct stable *s, struct arena *a, const Rollcall__Event *ev,
		 struct stable_fields *ret_fields)
{
	struct fields_view view;
	bool database = false;
	int r = 0;

	*ret_fields = (struct stable_fields){};
	fields_view(s->fields, ev, &view);
	for (size_t i = 0; i < NAMES && r == 0; i++) {
		struct match_values values = {};

		view.match.get(view.match.ctx, a, s->numbers[i], &values);
		database |= i < 2 && values.n;
		if (!names[i].process || !database)
			r = field_add(a, i, &values, ret_fields);
	}
	return r;
}

static const struct stable_field *field_find(const struct stable_fields *fields, const char *name)
{
	for (size_t i = 0; i < fields->n; i++)
		if (strcmp(fields->f[i].name, name) == 0)
			return &fields->f[i];
	return NULL;
}

static bool has(const struct stable_field *f, const char *value)
{
	for (size_t i = 0; i < f->n; i++)
		if (strcmp(f->values[i], value) == 0)
			return true;
	return false;
}

/* A single value is merged; of several those that both have stay. */
static int field_join(struct arena *a, struct stable_field *f, const struct stable_field *other)
{
	size_t n = 0;

	if (f->n == 1 && other->n == 1) {
		f->values[0] = stable_merge(a, f->values[0], other->values[0]);
		if (!f->values[0])
			return -ENOMEM;
		f->n = strcmp(f->values[0], "*") != 0;
		return 0;
	}
	for (size_t i = 0; i < f->n; i++)
		if (has(other, f->values[i]))
			f->values[n++] = f->values[i];
	f->n = n;
	return 0;
}

int stable_join(struct arena *a, struct stable_fields *fields, const struct stable_fields *other)
{
	size_t n = 0;
	int r = 0;

	for (size_t i = 0; i < fields->n && r == 0; i++) {
		struct stable_field f = fields->f[i];
		const struct stable_field *o = field_find(other, f.name);

		if (!o)
			continue;
		r = field_join(a, &f, o);
		if (f.n)
			fields->f[n++] = f;
	}
	fields->n = n;
	return r;
}
