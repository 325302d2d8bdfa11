// SPDX-License-Identifier: Apache-2.0
// Literal folding. A literal that is cut off by the end of the text is folded like any other.
#include "lib/sql/fold.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

struct folder {
	char *buf;
	size_t size, n;
	uint64_t hash;
	char last, before; /* of what was written */
};

static void put(struct folder *f, char c)
{
	if (!c)
		c = ' '; /* a quoted name may hold any byte; what is written is a C string */
	if (f->n + 1 < f->size)
		f->buf[f->n++] = c;
	f->hash = (f->hash ^ (unsigned char)tolower((unsigned char)c)) * 1099511628211ull;
	f->before = f->last;
	f->last = c;
}

/* No space around what binds tightly: a.b, (a, b), a::b; but "+ . 5x" is not "+.5x". */
static bool needs_space(const struct folder *f, char c)
{
	unsigned char name = (unsigned char)f->before;

	if (f->last == '.' && isdigit((unsigned char)c))
		return !isalnum(name) && name < 0x80 && name != '_' && name != '$' && name != '`';
	return f->last && !strchr("(.@:", f->last) && !strchr("),.;:", c);
}

static void put_token(struct folder *f, const char *s, size_t len)
{
	if (len && needs_space(f, *s))
		put(f, ' ');
	for (size_t i = 0; i < len; i++)
		put(f, s[i]);
}

static bool is_literal(const struct sql_token *t)
{
	return t->kind == SQL_STRING || t->kind == SQL_NUMBER || t->kind == SQL_PARAM;
}

/*
 * Whether a backslash escapes a quote, and a versioned comment is SQL, the text does not show.
 * Read in the wrong way, strings and what is between them change places: then, sooner or later, a
 * backslash stands outside a string, or the last one has no end. Returns where that begins, NULL
 * if nowhere.
 */
static const char *misread(enum sql_dialect dialect, const char *text, size_t len)
{
	struct sql_lexer l;
	struct sql_token t;
	bool stray = false;

	sql_lexer_init(&l, dialect, text, len);
	while ((t = sql_next(&l)).kind != SQL_END)
		stray |= sql_is_punct(&t, '\\');
	return stray || l.cut ? l.doubtful : NULL;
}

uint64_t sql_fold(enum sql_dialect dialect, const char *text, size_t len, char *buf, size_t size)
{
	struct folder f = {.buf = buf, .size = size, .hash = 14695981039346656037ull};
	const char *wrong = misread(dialect, text, len);
	struct sql_lexer l;
	struct sql_token t;
	unsigned literals = 0; /* "?" "," "?" ... seen in a row, written as one */
	bool comma = false;

	sql_lexer_init(&l, dialect, text, len);
	while ((t = sql_next(&l)).kind != SQL_END) {
		bool rest = wrong && t.at >= wrong;

		if (rest || is_literal(&t)) {
			if (literals++ == 0 || !comma)
				put_token(&f, "?", 1);
			comma = false;
			if (rest)
				break;
			continue;
		}
		if (literals && sql_is_punct(&t, ',') && !comma) {
			comma = true; /* written only if no literal follows */
			continue;
		}
		if (comma)
			put_token(&f, ",", 1);
		comma = false;
		literals = 0;
		put_token(&f, t.at, t.len);
	}
	if (size)
		buf[f.n] = '\0';
	return f.hash;
}
