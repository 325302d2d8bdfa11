// SPDX-License-Identifier: Apache-2.0
// Statements. The first byte chooses the dialect (even: PostgreSQL), the rest is the text. Tokens
// stand in order and with blanks and comments are all of it; folding a folded text changes
// nothing; other literals fold to the same; the work is in proportion to the text.
#include <stdint.h>
#include <stdlib.h>

#include "lib/clean.h"
#include "user/lib/sql/lexer.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Bytes that were passed, again and again where somebody looks ahead. */
static size_t work, work_max;

static struct sql_token counted_next(struct sql_lexer *l)
{
	const char *from = l->at;
	struct sql_token t = sql_next(l);

	work += (size_t)(l->at - from) + 1;
	if (work_max && work > work_max)
		abort();
	return t;
}

#define sql_next counted_next
#include "user/lib/sql/fold.c"
#include "user/lib/sql/statement.c"

#define LONG	    65536
#define WORK_A_BYTE 64

static void must(bool what)
{
	if (!what)
		abort();
}

/* What lies between two tokens holds none. */
static void is_blank(const struct sql_lexer *before, const char *end)
{
	struct sql_lexer l = *before;

	l.end = end;
	must(sql_next(&l).kind == SQL_END);
}

static void tokens_cover(enum sql_dialect dialect, const char *text, size_t len)
{
	struct sql_lexer l, before;
	struct sql_token t;

	sql_lexer_init(&l, dialect, text, len);
	for (before = l; (t = sql_next(&l)).kind != SQL_END; before = l) {
		must(t.len && t.at >= before.at && t.at + t.len == l.at && l.at <= l.end);
		must(!t.body || (t.body > t.at && t.body + t.body_len <= l.at));
		is_blank(&before, t.at);
	}
	must(l.at == l.end && sql_next(&l).kind == SQL_END);
}

/* Whatever fits, the text ends, and as a text with nothing else behind it. */
static char *fold_text(enum sql_dialect dialect, const char *text, size_t len, uint64_t *ret_hash)
{
	size_t size = 2 * len + 2;
	char *folded = malloc(size);

	*ret_hash = sql_fold(dialect, text, len, folded, size);
	must(strlen(folded) < size - 1);
	return folded;
}

static void fold_is_idempotent(enum sql_dialect dialect, const char *text, size_t len)
{
	uint64_t first, second;
	_cleanup_(freep) char *a = fold_text(dialect, text, len, &first);
	_cleanup_(freep) char *b = fold_text(dialect, a, strlen(a), &second);

	must(strcmp(a, b) == 0 && first == second);
}

/* Other figures and letters, where that makes no other token. */
static void literal_change(const struct sql_token *t, char *text)
{
	char quote = t->body ? t->body[-1] : 0;
	size_t from = t->body ? (size_t)(t->body - t->at) : 0, n = t->body ? t->body_len : t->len;

	if ((t->kind != SQL_STRING && t->kind != SQL_NUMBER) || quote == '$' || *t->at == '0')
		return;
	for (char *p = text + from; p < text + from + n; p++) {
		if (*p >= '1' && *p <= '9')
			*p = *p == '9' ? '1' : *p + 1;
		else if (t->kind == SQL_STRING && isalpha((unsigned char)*p))
			*p = *p == 'q' ? 'k' : 'q';
	}
}

static void literals_do_not_show(enum sql_dialect dialect, const char *text, size_t len)
{
	_cleanup_(freep) char *other = malloc(len + 1), *a = NULL, *b = NULL;
	uint64_t first, second;
	struct sql_lexer l;
	struct sql_token t;

	memcpy(other, text, len);
	sql_lexer_init(&l, dialect, text, len);
	while ((t = sql_next(&l)).kind != SQL_END)
		literal_change(&t, other + (t.at - text));
	a = fold_text(dialect, text, len, &first);
	b = fold_text(dialect, other, len, &second);
	must(strcmp(a, b) == 0 && first == second);
}

static void statements_scan(enum sql_dialect dialect, const char *text, size_t len)
{
	const char *end = text + len, *at = text;
	struct sql_statement st;

	while (sql_statement_next(dialect, &text, &len, &st)) {
		must(st.text >= at && st.len && st.text + st.len <= text && text + len == end);
		must(st.n_relations <= SQL_RELATIONS_MAX);
		for (unsigned i = 0; i < st.n_relations; i++)
			must(strnlen(st.relations[i].name, SQL_RELATION_MAX) < SQL_RELATION_MAX &&
			     strnlen(st.relations[i].schema, SQL_RELATION_MAX) < SQL_RELATION_MAX);
		for (unsigned i = 0; i < st.n_calls; i++) {
			const struct sql_token *name = &st.calls[i].name,
					       *schema = &st.calls[i].schema;

			must(name->len && name->at >= st.text && name->at + name->len <= end);
			must(!schema->len ||
			     (schema->at >= st.text && schema->at + schema->len <= name->at));
		}
		must(strnlen(st.created.name, SQL_RELATION_MAX) < SQL_RELATION_MAX &&
		     strnlen(st.created.schema, SQL_RELATION_MAX) < SQL_RELATION_MAX);
		must(st.n_renamed <= SQL_RENAMED_MAX);
		for (unsigned i = 0; i < st.n_renamed; i++)
			must(strnlen(st.renamed[i].name, SQL_RELATION_MAX) < SQL_RELATION_MAX &&
			     strnlen(st.renamed[i].schema, SQL_RELATION_MAX) < SQL_RELATION_MAX);
		at = text;
	}
	must(!len && text == end);
}

/* The text again and again, up to 64 KiB. It takes long: for the seeds, and now and then. */
static void work_is_linear(enum sql_dialect dialect, const char *text, size_t len)
{
	_cleanup_(freep) char *big = malloc(LONG);
	char buf[16];

	for (size_t i = 0; i < LONG; i++)
		big[i] = text[i % len];
	work = 0;
	work_max = (size_t)WORK_A_BYTE * LONG;
	statements_scan(dialect, big, LONG);
	sql_fold(dialect, big, LONG, buf, sizeof(buf));
	work_max = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(freep) char *text = NULL;
	enum sql_dialect dialect;
	size_t sum = 0;

	if (size < 2)
		return 0;
	dialect = data[0] % 2 ? SQL_MYSQL : SQL_POSTGRESQL;
	/* A copy of that size: what is read beyond it is reported. */
	text = malloc(--size);
	memcpy(text, data + 1, size);
	tokens_cover(dialect, text, size);
	fold_is_idempotent(dialect, text, size);
	literals_do_not_show(dialect, text, size);
	statements_scan(dialect, text, size);
	for (size_t i = 0; i < size; i++)
		sum = sum * 31 + data[1 + i];
	if ((size <= 3 && isupper(data[0])) || sum % 256 == 0)
		work_is_linear(dialect, text, size);
	return 0;
}
