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

static bool word_start(unsigned char c, enum sql_dialect dialect)
{
	return isalpha(c) || c == '_' || c >= 0x80 || (c == '$' && dialect == SQL_MYSQL);
}

static bool word_part(unsigned char c)
{
	return isalnum(c) || c == '_' || c >= 0x80 || c == '$';
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

/* A carriage return alone ends PostgreSQL's comments, not MySQL's. */
static void skip_line(struct sql_lexer *l)
{
	while (l->at < l->end && *l->at != '\n' &&
	       !(*l->at == '\r' && l->dialect == SQL_POSTGRESQL))
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
	if (!l->doubtful)
		l->doubtful = l->at;
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

/*
 * PostgreSQL: a quote, white space with a line's end, a quote: the string goes on, and in E'..'
 * backslashes go on escaping. Returns where, or NULL.
 */
static const char *continued(const struct sql_lexer *l)
{
	struct sql_lexer ahead = *l;
	bool line = false;

	while (ahead.at < ahead.end) {
		if (*ahead.at == '\'')
			return line ? ahead.at : NULL;
		if (starts(&ahead, "--")) {
			skip_line(&ahead);
			continue;
		}
		if (!isspace((unsigned char)*ahead.at))
			return NULL;
		line |= *ahead.at == '\n' || *ahead.at == '\r';
		ahead.at++;
	}
	return NULL;
}

static bool odd_backslashes(const char *from, const char *to)
{
	const char *p = to;

	while (p > from && p[-1] == '\\')
		p--;
	return (to - p) % 2;
}

static struct sql_token quoted_end(const struct sql_lexer *l, struct sql_token t, const char *end)
{
	t.body_len = (size_t)(end - t.body);
	t.len = (size_t)(l->at - t.at);
	return t;
}

/* From an opening quote to the closing one; doubled quotes and, if so, backslashes escape. */
static struct sql_token quoted(struct sql_lexer *l, const char *from, enum sql_kind kind,
			       bool backslash)
{
	bool pg = l->dialect == SQL_POSTGRESQL, fixed = kind == SQL_QUOTED || (pg && from != l->at);
	char quote = *l->at++;
	struct sql_token t = {.kind = kind, .at = from, .body = l->at};
	const char *more;

	while (l->at < l->end) {
		if (!fixed && !l->doubtful && *l->at == quote && odd_backslashes(t.body, l->at))
			l->doubtful = from;
		if (*l->at == '\\' && backslash) {
			if (!fixed && !l->doubtful && peek(l, 1) == quote)
				l->doubtful = from;
			l->at += l->end - l->at > 1 ? 2 : 1;
		} else if (*l->at++ != quote) {
			continue;
		} else if (peek(l, 0) == quote) {
			l->at++;
		} else if (pg && backslash && (more = continued(l)) != NULL) {
			l->at = more + 1;
		} else {
			return quoted_end(l, t, l->at - 1);
		}
	}
	l->cut = true;
	return quoted_end(l, t, l->end);
}

static void skip_blank(struct sql_lexer *l)
{
	while (l->at < l->end && skip_one(l))
		;
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

/* U&"..." UESCAPE 'c': c stands for the backslash. */
static char unicode_escape(const struct sql_lexer *l)
{
	struct sql_lexer ahead = *l;
	struct sql_token t = {};

	skip_blank(&ahead);
	if (ahead.end - ahead.at < 7 || strncasecmp(ahead.at, "uescape", 7) != 0)
		return '\\';
	ahead.at += 7;
	skip_blank(&ahead);
	if (peek(&ahead, 0) == '\'')
		t = quoted(&ahead, ahead.at, SQL_STRING, false);
	else if (peek(&ahead, 0) == '$')
		dollar_quoted(&ahead, &t);
	return t.body_len == 1 ? *t.body : '\\';
}

static void skip_digits(struct sql_lexer *l)
{
	bool pg = l->dialect == SQL_POSTGRESQL;

	while (isdigit((unsigned char)peek(l, 0)) ||
	       (pg && peek(l, 0) == '_' && isdigit((unsigned char)peek(l, 1))))
		l->at++;
}

/* 0x1f, 0b1, 0o7. False, and nothing skipped, when this is none. */
static bool skip_radix(struct sql_lexer *l)
{
	char c = (char)tolower((unsigned char)peek(l, 1));

	if (peek(l, 0) != '0' || (c != 'x' && c != 'b' && c != 'o') ||
	    !isxdigit((unsigned char)peek(l, 2)))
		return false;
	l->at += 2;
	while (isxdigit((unsigned char)peek(l, 0)))
		l->at++;
	return true;
}

/*
 * Exactly the number: in "1.from staff" and "1e1from staff" MySQL reads FROM after it, older
 * PostgreSQL in "1from staff" too. MySQL's names may begin with digits, as in 2024_staff.
 */
static struct sql_token number(struct sql_lexer *l)
{
	struct sql_token t = {.kind = SQL_NUMBER, .at = l->at};
	bool whole = true;

	if (!skip_radix(l)) {
		skip_digits(l);
		if (peek(l, 0) == '.') {
			l->at++;
			skip_digits(l);
			whole = false;
		}
		if (tolower((unsigned char)peek(l, 0)) == 'e' &&
		    (isdigit((unsigned char)peek(l, 1)) ||
		     ((peek(l, 1) == '+' || peek(l, 1) == '-') &&
		      isdigit((unsigned char)peek(l, 2))))) {
			l->at += 2;
			skip_digits(l);
			whole = false;
		}
	}
	while (whole && l->dialect == SQL_MYSQL && word_part((unsigned char)peek(l, 0))) {
		l->at++;
		t.kind = SQL_WORD;
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
		t = quoted(l, t.at, *l->at == '"' ? SQL_QUOTED : SQL_STRING, false);
		t.escape = unicode_escape(l);
		return t;
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

/* Then a dot belongs to the name. At the joint but not here: behind that dot. */
static bool behind_name(const struct sql_lexer *l)
{
	return l->at == l->joint && l->at[-1] != '.';
}

static struct sql_token token(struct sql_lexer *l)
{
	struct sql_token t;
	bool my = l->dialect == SQL_MYSQL;
	char c = *l->at;

	if (c == '\'')
		return quoted(l, l->at, SQL_STRING, my);
	/* MySQL takes "..." for a string unless ANSI_QUOTES is set. */
	if (c == '"')
		return quoted(l, l->at, my ? SQL_STRING : SQL_QUOTED, my);
	if (c == '`' && my)
		return quoted(l, l->at, SQL_QUOTED, false);
	if (c == '$' && !my && dollar_quoted(l, &t))
		return t;
	if ((c == '$' && !my && isdigit((unsigned char)peek(l, 1))) || (c == '@' && my) ||
	    (c == '?' && my))
		return param(l);
	if (isdigit((unsigned char)c) && l->at == l->joint && !behind_name(l))
		return word(l);
	if (isdigit((unsigned char)c) ||
	    (c == '.' && isdigit((unsigned char)peek(l, 1)) && !behind_name(l)))
		return number(l);
	if (word_start((unsigned char)c, l->dialect))
		return word(l);
	return (struct sql_token){.kind = SQL_PUNCT, .at = l->at++, .len = 1};
}

struct sql_token sql_next(struct sql_lexer *l)
{
	struct sql_token t;
	bool joins;

	skip_blank(l);
	if (l->at >= l->end)
		return (struct sql_token){.kind = SQL_END, .at = l->end};
	joins = behind_name(l);
	t = token(l);
	if (l->dialect == SQL_MYSQL &&
	    (t.kind == SQL_WORD || t.kind == SQL_QUOTED || (joins && sql_is_punct(&t, '.'))))
		l->joint = l->at;
	return t;
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

/* Hexadecimal digits at (s, len), `want` of them. -1: there are not that many. */
static long hex(const char *s, size_t len, size_t want)
{
	long n = 0;

	for (size_t i = 0; i < want; i++) {
		const char *digits = "0123456789abcdef", *d;

		d = i < len && s[i] ? strchr(digits, tolower((unsigned char)s[i])) : NULL;
		if (!d)
			return -1;
		n = n * 16 + (d - digits);
	}
	return n;
}

/* After an escape: XXXX, +XXXXXX or the escape itself. Returns the code point or -1. */
static long code_point(const char *s, size_t len, char escape, size_t *ret_used)
{
	bool plus = len && *s == '+';

	if (len && *s == escape) {
		*ret_used = 1;
		return (unsigned char)escape;
	}
	*ret_used = plus ? 7 : 4;
	return plus ? hex(s + 1, len - 1, 6) : hex(s, len, 4);
}

/* As UTF-8. Returns the bytes written, 0 when there is no room. */
static size_t utf8_put(long c, char *buf, size_t room)
{
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	static const unsigned char leads[] = {0, 0, 0xc0, 0xe0, 0xf0};

	if (n > room)
		return 0;
	for (size_t i = n; i-- > 0; c >>= 6)
		buf[i] = (char)(i ? 0x80 | (c & 0x3f) : leads[n] | c);
	return n;
}

char *sql_identifier(const struct sql_token *t, enum sql_dialect dialect, char *buf, size_t size)
{
	bool plain = t->kind == SQL_WORD, fold = plain && dialect == SQL_POSTGRESQL;
	const char *p = plain ? t->at : t->body;
	size_t len = plain ? t->len : t->body_len, n = 0, used;

	for (size_t i = 0; i < len && n + 1 < size; i++) {
		long c = t->escape && p[i] == t->escape
				 ? code_point(p + i + 1, len - i - 1, t->escape, &used)
				 : -1;

		if (c > 0) {
			n += utf8_put(c, buf + n, size - n - 1);
			i += used;
			continue;
		}
		buf[n++] = fold ? (char)tolower((unsigned char)p[i]) : p[i];
		/* The byte before the body is the quote; doubled, it stands for itself. */
		if (!plain && p[i] == t->body[-1] && i + 1 < len && p[i + 1] == p[i])
			i++;
	}
	buf[n] = '\0';
	return buf;
}
