// SPDX-License-Identifier: Apache-2.0
// SQL as tokens, for two dialects. Text may be cut anywhere and may hold any bytes; nothing is
// allocated, nothing beyond `end` is read.
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum sql_dialect { SQL_POSTGRESQL, SQL_MYSQL };

enum sql_kind {
	SQL_END,
	SQL_WORD,   /* keyword or unquoted identifier */
	SQL_QUOTED, /* quoted identifier, quotes included in the span */
	SQL_STRING, /* any string literal */
	SQL_NUMBER,
	SQL_PARAM, /* $1, ?, @var */
	SQL_PUNCT, /* one byte of punctuation or operator */
};

struct sql_token {
	enum sql_kind kind;
	const char *at;
	size_t len;
	const char *body; /* SQL_STRING, SQL_QUOTED: what is between the quotes */
	size_t body_len;
	char escape; /* U&"..": what stands before a code point, else 0 */
};

struct sql_lexer {
	const char *at, *end;
	enum sql_dialect dialect;
	bool live_comment; /* inside MySQL's versioned comment: its text is SQL */
	bool cut;	   /* a string or comment had no end */
	const char *joint; /* MySQL: end of a name or of a dot behind one: no number begins here */
	/*
	 * The first string with a backslash before a quote, or versioned comment. Whether the one
	 * ends there (standard_conforming_strings, NO_BACKSLASH_ESCAPES) and the other is SQL is
	 * the server's choice.
	 */
	const char *doubtful;
};

void sql_lexer_init(struct sql_lexer *l, enum sql_dialect dialect, const char *text, size_t len);

/* The next token; SQL_END at the end of the text, again and again. */
struct sql_token sql_next(struct sql_lexer *l);

/* Is the token this keyword (given in lower case)? Quoted identifiers never are. */
bool sql_is(const struct sql_token *t, const char *keyword);
bool sql_is_punct(const struct sql_token *t, char c);

/*
 * The identifier as the server sees it: PostgreSQL folds unquoted words to lower case, quotes are
 * removed and doubled quotes halved. Cut to fit; returns buf.
 */
char *sql_identifier(const struct sql_token *t, enum sql_dialect dialect, char *buf, size_t size);
