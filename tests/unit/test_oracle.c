// SPDX-License-Identifier: Apache-2.0
// Random rules and events, judged twice: by the engine, which shares its work between rules and
// looks only at those that a literal leads to; and by an oracle that reads Sigma's words one after
// the other.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/sigma.h"

#define POLICIES   60
#define RULES	   40
#define EVENTS	   40
#define SEARCHES   3
#define LINES_MAX  2
#define VALUES_MAX 3
#define TEXT_MAX   8

static uint64_t state = 88172645463325252ull;

static unsigned dice(unsigned n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned)((state >> 20) % n);
}

/* A small alphabet, so that much is found, nearly found, or found twice. */
static void text_make(char *out, const char *alphabet)
{
	unsigned n = dice(TEXT_MAX);

	for (unsigned i = 0; i < n; i++)
		out[i] = alphabet[dice((unsigned)strlen(alphabet))];
	out[n] = '\0';
}

/* ---- what a rule is made of ---- */

struct line {
	char field; /* 'A' to 'C' */
	bool null, begins, ends, cased, all, neq;
	unsigned n;
	char values[VALUES_MAX][TEXT_MAX];
};

struct search {
	unsigned n;
	struct line lines[LINES_MAX];
};

/* Each of the searches, or not it, then "and" or "or" between them; the whole turned around. */
struct rule_made {
	struct search searches[SEARCHES];
	bool inverted[SEARCHES], is_or[SEARCHES], turned;
};

struct event_made {
	bool has[3];
	char values[3][TEXT_MAX];
};

static void line_make(struct line *m, char field)
{
	*m = (struct line){.field = field, .null = !dice(12), .begins = dice(2), .ends = dice(2)};
	m->cased = !dice(3);
	m->n = m->null ? 0 : 1 + dice(VALUES_MAX);
	m->all = m->n > 1 && !dice(3);
	m->neq = !m->all && !dice(6);
	for (unsigned i = 0; i < m->n; i++)
		text_make(m->values[i], "aAbB*?\\/");
}

static void rule_make(struct rule_made *r)
{
	for (unsigned i = 0; i < SEARCHES; i++) {
		unsigned field = dice(3);

		r->searches[i].n = 1 + dice(LINES_MAX);
		for (unsigned k = 0; k < r->searches[i].n; k++)
			line_make(&r->searches[i].lines[k], (char)('A' + (field + k) % 3));
		r->inverted[i] = !dice(4);
		r->is_or[i] = dice(2);
	}
	r->turned = !dice(5);
}

static void line_write(FILE *f, const struct line *m)
{
	const char *place = m->begins && m->ends ? ""
			    : m->begins		 ? "|startswith"
			    : m->ends		 ? "|endswith"
						 : "|contains";

	if (m->null) {
		fprintf(f, "    %c: null\n", m->field);
		return;
	}
	fprintf(f, "    %c%s%s%s%s: [", m->field, place, m->cased ? "|cased" : "",
		m->all ? "|all" : "", m->neq ? "|neq" : "");
	for (unsigned i = 0; i < m->n; i++)
		fprintf(f, "%s'%s'", i ? ", " : "", m->values[i]);
	fputs("]\n", f);
}

static void rule_write(FILE *f, const struct rule_made *r, unsigned number)
{
	fprintf(f, "title: '%u'\nlogsource: {category: test}\ndetection:\n", number);
	for (unsigned i = 0; i < SEARCHES; i++) {
		fprintf(f, "  s%u:\n", i);
		for (unsigned k = 0; k < r->searches[i].n; k++)
			line_write(f, &r->searches[i].lines[k]);
	}
	fprintf(f, "  condition: %s(", r->turned ? "not (" : "");
	for (unsigned i = 0; i < SEARCHES; i++)
		fprintf(f, "%s%ss%u",
			!i	      ? ""
			: r->is_or[i] ? ") or ("
				      : ") and (",
			r->inverted[i] ? "not " : "", i);
	fprintf(f, ")%s\n---\n", r->turned ? ")" : "");
}

/* ---- the oracle ---- */

static char lower(char c, bool cased)
{
	return !cased && c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

/* "*", "?", and a backslash before either or before itself, as the specification says it. */
static bool glob(const char *p, const char *v, bool cased, bool open)
{
	bool escaped = p[0] == '\\' && p[1] && strchr("*?\\", p[1]);

	if (!*p)
		return !*v || open;
	if (*p == '*')
		return glob(p + 1, v, cased, open) || (*v && glob(p, v + 1, cased, open));
	if (*p == '?')
		return *v && glob(p + 1, v + 1, cased, open);
	return *v && lower(p[escaped], cased) == lower(*v, cased) &&
	       glob(p + 1 + escaped, v + 1, cased, open);
}

static bool value_holds(const struct line *m, const char *pattern, const char *value)
{
	do
		if (glob(pattern, value, m->cased, !m->ends))
			return true;
	while (!m->begins && *value++);
	return false;
}

static bool line_holds(const struct line *m, const struct event_made *ev)
{
	unsigned field = (unsigned)(m->field - 'A'), n = 0;

	if (m->null)
		return !ev->has[field];
	for (unsigned i = 0; i < m->n && ev->has[field]; i++)
		n += value_holds(m, m->values[i], ev->values[field]);
	return (m->all ? n == m->n : n > 0) != m->neq;
}

static bool search_holds(const struct search *s, const struct event_made *ev)
{
	for (unsigned i = 0; i < s->n; i++)
		if (!line_holds(&s->lines[i], ev))
			return false;
	return true;
}

/* "and" binds more than "or". */
static bool rule_holds(const struct rule_made *r, const struct event_made *ev)
{
	bool any = false, all = true;

	for (unsigned i = 0; i < SEARCHES; i++) {
		if (i && r->is_or[i]) {
			any |= all;
			all = true;
		}
		all &= search_holds(&r->searches[i], ev) != r->inverted[i];
	}
	return (any || all) != r->turned;
}

/* ---- both ---- */

static void event_make(struct event_made *ev, const char *fields[4], char text[3][TEXT_MAX + 2])
{
	unsigned n = 0;

	for (unsigned i = 0; i < 3; i++) {
		ev->has[i] = dice(5);
		text_make(ev->values[i], "aAbB*?\\/");
		sprintf(text[i], "%c=%s", (char)('A' + i), ev->values[i]);
		if (ev->has[i])
			fields[n++] = text[i];
	}
	fields[n] = NULL;
}

static void compare(const struct policy *p, struct match *m, const struct rule_made *rules)
{
	char text[3][TEXT_MAX + 2], want[1024] = "";
	struct sigma_matched got;
	const char *fields[4];
	struct event_made ev;

	event_make(&ev, fields, text);
	for (unsigned i = 0; i < RULES; i++)
		if (rule_holds(&rules[i], &ev))
			sprintf(want + strlen(want), "%s%u", *want ? " " : "", i);
	sigma_match(m, policy_program(p), 1, fields, &got);
	if (strcmp(got.titles, want) != 0)
		fail_msg("of %s %s %s match %s\nand should %s", fields[0] ? fields[0] : "",
			 fields[0] && fields[1] ? fields[1] : "",
			 fields[0] && fields[1] && fields[2] ? fields[2] : "", got.titles, want);
}

static void engine_and_oracle(void **unused)
{
	static struct rule_made rules[RULES];

	(void)unused;
	for (unsigned i = 0; i < POLICIES; i++) {
		struct sigma_told told = {};
		char *yaml;
		size_t size;
		FILE *f = open_memstream(&yaml, &size);
		struct policy *p;
		struct match *m;

		for (unsigned k = 0; k < RULES; k++) {
			rule_make(&rules[k]);
			rule_write(f, &rules[k], k);
		}
		fclose(f);
		p = sigma_load(yaml, &told);
		m = match_new(policy_program(p));
		for (unsigned k = 0; k < EVENTS; k++)
			compare(p, m, rules);
		match_free(m);
		policy_free(p);
		free(yaml);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(engine_and_oracle)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
