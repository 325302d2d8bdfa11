// SPDX-License-Identifier: Apache-2.0
// The lexer. Rules: PostgreSQL manual, "Lexical Structure" (psqlscan.l); MariaDB manual,
// "Comment Syntax" and "String Literals". Unknown bytes are punctuation: it never fails.
#include "lib/sql/lexer.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

void sql_lexer_init(struct sql_lexer *l, enum sql_dialect dialect, const char *text, size_t len)
{
	*l = (struct sql_lexer){.at = text, .end = text + len, .dialect = dialect};
}

static bool word_start(unsigned char c)
{
	return isalpha(c) || c == '_' || c >= 0x80;
}

static bool word_part(unsigned char c)
{
	return word_start(c) || isdigit(c) || c == '$';
}

static char peek(const struct sql_lexer *l, size_t n)
{
	return n < (size_t)(l->end - l->at) ? l->at[n] : '\0';
}

static bool starts(const struct sql_lexer *l, const char *s)
{
	size_t n = strlen(s);

	return (size_t)(l->end - l->at) >= n && memcmp(l->at, s, n) == 0;
}

static void skip_line(struct sql_lexer *l)
{
	while (l->at < l->end && *l->at != '\n')
		l->at++;
}

/* PostgreSQL's comments nest, MySQL's do not. */
static void skip_comment(struct sql_lexer *l)
{
	unsigned depth = 0;

	while (l->at < l->end) {
		if (starts(l, "/*") && (!depth || l->dialect == SQL_POSTGRESQL)) {
			depth++;
			l->at += 2;
		} else if (starts(l, "*/")) {
			l->at += 2;
			if (--depth == 0)
				return;
		} else {
			l->at++;
		}
	}
	l->cut = true;
}

/* The text of a versioned comment is run by the server, so it is not skipped. */
static bool enter_live_comment(struct sql_lexer *l)
{
	if (l->dialect != SQL_MYSQL || !(starts(l, "/*!") || starts(l, "/*M!")))
		return false;
	l->at += starts(l, "/*!") ? 3 : 4;
	while (l->at < l->end && isdigit((unsigned char)*l->at))
		l->at++;
	l->live_comment = true;
	return true;
}

static bool skip_one(struct sql_lexer *l)
{
	if (isspace((unsigned char)*l->at) || *l->at == '\0') {
		l->at++;
	} else if (starts(l, "--") && (l->dialect == SQL_POSTGRESQL || !peek(l, 2) ||
				       isspace((unsigned char)peek(l, 2)))) {
		skip_line(l);
	} else if (*l->at == '#' && l->dialect == SQL_MYSQL) {
		skip_line(l);
	} else if (l->live_comment && starts(l, "*/")) {
		l->live_comment = false;
		l->at += 2;
	} else if (starts(l, "/*")) {
		if (!enter_live_comment(l))
			skip_comment(l);
	} else {
		return false;
	}
	return true;
}

/* From an opening quote to the closing one; doubled quotes and, if so, backslashes escape. */
static struct sql_token quoted(struct sql_lexer *l, const char *from, enum sql_kind kind,
			       bool backslash)
{
	char quote = *l->at++;
	struct sql_token t = {.kind = kind, .at = from, .body = l->at};

	while (l->at < l->end) {
		if (*l->at == '\\' && backslash) {
			l->at += l->end - l->at > 1 ? 2 : 1;
		} else if (*l->at != quote) {
			l->at++;
		} else if (peek(l, 1) == quote) {
			l->at += 2;
		} else {
			t.body_len = (size_t)(l->at - t.body);
			t.len = (size_t)(++l->at - from);
			return t;
		}
	}
	l->cut = true;
	t.body_len = (size_t)(l->at - t.body);
	t.len = (size_t)(l->at - from);
	return t;
}

/* $tag$ ... $tag$; false when this dollar begins none. */
static bool dollar_quoted(struct sql_lexer *l, struct sql_token *t)
{
	size_t n = 1;
	const char *p;

	while (word_part((unsigned char)peek(l, n)) && peek(l, n) != '$')
		n++;
	if (peek(l, n) != '$' || isdigit((unsigned char)peek(l, 1)))
		return false;
	n++;
	*t = (struct sql_token){.kind = SQL_STRING, .at = l->at, .body = l->at + n};
	p = memmem(t->body, (size_t)(l->end - t->body), t->at, n);
	t->body_len = (size_t)((p ? p : l->end) - t->body);
	l->cut |= !p;
	l->at = p ? p + n : l->end;
	t->len = (size_t)(l->at - t->at);
	return true;
}

static struct sql_token number(struct sql_lexer *l)
{
	struct sql_token t = {.kind = SQL_NUMBER, .at = l->at};

	while (l->at < l->end) {
		unsigned char c = (unsigned char)*l->at,
			      before = (unsigned char)l->at[-(l->at > t.at)];

		if (!isalnum(c) && c != '.' && c != '_' &&
		    !((c == '+' || c == '-') && (before == 'e' || before == 'E') && t.at[0] != '0'))
			break;
		l->at++;
	}
	t.len = (size_t)(l->at - t.at);
	return t;
}

static struct sql_token word(struct sql_lexer *l)
{
	struct sql_token t = {.kind = SQL_WORD, .at = l->at};
	char c = (char)tolower((unsigned char)*l->at);
	bool pg = l->dialect == SQL_POSTGRESQL;
	bool prefix = c == 'b' || c == 'x' || c == 'n' || (c == 'e' && pg);

	/* E'..', B'..', X'..', N'..'; U&'..' and U&"..". */
	if (prefix && peek(l, 1) == '\'') {
		l->at++;
		return quoted(l, t.at, SQL_STRING, c == 'e' || (!pg && c == 'n'));
	}
	if (pg && c == 'u' && peek(l, 1) == '&' && (peek(l, 2) == '\'' || peek(l, 2) == '"')) {
		l->at += 2;
		return quoted(l, l->at, *l->at == '"' ? SQL_QUOTED : SQL_STRING, false);
	}
	while (l->at < l->end && word_part((unsigned char)*l->at))
		l->at++;
	t.len = (size_t)(l->at - t.at);
	return t;
}

static struct sql_token param(struct sql_lexer *l)
{
	struct sql_token t = {.kind = SQL_PARAM, .at = l->at++};

	while (l->at < l->end && (word_part((unsigned char)*l->at) || *l->at == '@'))
		l->at++;
	t.len = (size_t)(l->at - t.at);
	return t;
}

struct sql_token sql_next(struct sql_lexer *l)
{
	struct sql_token t;
	bool my = l->dialect == SQL_MYSQL;
	char c;

	while (l->at < l->end && skip_one(l))
		;
	if (l->at >= l->end)
		return (struct sql_token){.kind = SQL_END, .at = l->end};
	c = *l->at;
	if (c == '\'')
		return quoted(l, l->at, SQL_STRING, my);
	/* MySQL takes "..." for a string unless ANSI_QUOTES is set. */
	if (c == '"')
		return quoted(l, l->at, my ? SQL_STRING : SQL_QUOTED, my);
	if (c == '`' && my)
		return quoted(l, l->at, SQL_QUOTED, false);
	if (c == '$' && !my && dollar_quoted(l, &t))
		return t;
	if ((c == '$' && isdigit((unsigned char)peek(l, 1))) || (c == '@' && my) ||
	    (c == '?' && my))
		return param(l);
	if (isdigit((unsigned char)c) || (c == '.' && isdigit((unsigned char)peek(l, 1))))
		return number(l);
	if (word_start((unsigned char)c))
		return word(l);
	return (struct sql_token){.kind = SQL_PUNCT, .at = l->at++, .len = 1};
}

bool sql_is(const struct sql_token *t, const char *keyword)
{
	return t->kind == SQL_WORD && strlen(keyword) == t->len &&
	       strncasecmp(t->at, keyword, t->len) == 0;
}

bool sql_is_punct(const struct sql_token *t, char c)
{
	return t->kind == SQL_PUNCT && *t->at == c;
}

char *sql_identifier(const struct sql_token *t, enum sql_dialect dialect, char *buf, size_t size)
{
	const char *p = t->kind == SQL_WORD ? t->at : t->body;
	size_t len = t->kind == SQL_WORD ? t->len : t->body_len, n = 0;
	char quote = dialect == SQL_MYSQL ? '`' : '"';

	for (size_t i = 0; i < len && n + 1 < size; i++) {
		bool fold = t->kind == SQL_WORD && dialect == SQL_POSTGRESQL;

		buf[n++] = fold ? (char)tolower((unsigned char)p[i]) : p[i];
		if (t->kind == SQL_QUOTED && p[i] == quote && i + 1 < len && p[i + 1] == quote)
			i++;
	}
	buf[n] = '\0';
	return buf;
}
