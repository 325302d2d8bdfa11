// SPDX-License-Identifier: Apache-2.0
// PCRE2, wrapped.
#include "lib/sigma/regex.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clean.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#define STEPS_MAX 100000
#define HEAP_MAX  1024 /* KiB */

struct regex {
	pcre2_code *code;
	pcre2_match_data *match;
	pcre2_match_context *limits;
};

struct regex *regex_free(struct regex *r)
{
	if (!r)
		return NULL;
	pcre2_match_context_free(r->limits);
	pcre2_match_data_free(r->match);
	pcre2_code_free(r->code);
	free(r);
	return NULL;
}

static void regex_freep(struct regex **r)
{
	*r = regex_free(*r);
}

int regex_new(const char *text, size_t len, unsigned flags, struct regex **ret_regex, char *why,
	      size_t size, unsigned *ret_offset)
{
	_cleanup_(regex_freep) struct regex *r = calloc(1, sizeof(*r));
	uint32_t options = PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C;
	PCRE2_SIZE offset = 0;
	int error = 0;

	if (!r)
		return -ENOMEM;
	options |= flags & REGEX_I ? PCRE2_CASELESS : 0;
	options |= flags & REGEX_M ? PCRE2_MULTILINE : 0;
	options |= flags & REGEX_S ? PCRE2_DOTALL : 0;
	options |= flags & REGEX_BEGINS ? PCRE2_ANCHORED : 0;
	options |= flags & REGEX_ENDS ? PCRE2_ENDANCHORED : 0;
	r->code = pcre2_compile((PCRE2_SPTR)text, len, options, &error, &offset, NULL);
	if (!r->code) {
		pcre2_get_error_message(error, (PCRE2_UCHAR *)why, size);
		*ret_offset = (unsigned)offset;
		return -EINVAL;
	}
	/* Without its compiler PCRE2 interprets: slower, the same answers. */
	pcre2_jit_compile(r->code, PCRE2_JIT_COMPLETE);
	r->match = pcre2_match_data_create(1, NULL);
	r->limits = pcre2_match_context_create(NULL);
	if (!r->match || !r->limits)
		return -ENOMEM;
	pcre2_set_match_limit(r->limits, STEPS_MAX);
	pcre2_set_heap_limit(r->limits, HEAP_MAX);
	*ret_regex = take_ptr(r);
	return 0;
}

int regex_match(const struct regex *r, const char *text, size_t len)
{
	int n = pcre2_match(r->code, (PCRE2_SPTR)text, len, 0, 0, r->match, r->limits);

	return n >= 0 ? 1 : n == PCRE2_ERROR_NOMATCH ? 0 : -ETIME;
}

/* ---- a literal that must be there ---- */

/* The end of the class that begins at `i`. */
static size_t class_end(const char *text, size_t len, size_t i)
{
	i += i + 1 < len && text[i + 1] == '^' ? 2 : 1;
	/* A "]" that comes first is of the class. */
	for (i += i < len && text[i] == ']'; i < len && text[i] != ']'; i++)
		i += text[i] == '\\';
	return i + 1;
}

/* The end of the group that begins at `i`: what is inside may be left out. */
static size_t group_end(const char *text, size_t len, size_t i)
{
	size_t depth = 0;

	while (i < len) {
		if (text[i] == '[') {
			i = class_end(text, len, i);
			continue;
		}
		depth += text[i] == '(';
		depth -= text[i] == ')';
		i += text[i] == '\\' ? 2 : 1;
		if (!depth)
			break;
	}
	return i;
}

/* What changes the meaning of other parts, or what its own end is, is left to PCRE2. */
static bool is_simple(const char *text, size_t len)
{
	for (size_t i = 0; i + 1 < len; i++) {
		if (text[i] == '\\') {
			if (isalnum((unsigned char)text[++i]) && !strchr("dDsSwWbB", text[i]))
				return false;
		} else if (text[i] == '[' && strchr(":.=", text[i + 1])) {
			return false;
		} else if (text[i] == '(' && strchr("?*", text[i + 1]) &&
			   (i + 2 >= len || text[i + 1] == '*' || text[i + 2] != ':')) {
			return false;
		}
	}
	return !memchr(text, '\0', len);
}

/* The length of what is one plain character at `i`, once; 0: it is something else. */
static size_t plain_at(const char *text, size_t len, size_t i)
{
	size_t n = text[i] == '\\' && i + 1 < len && ispunct((unsigned char)text[i + 1]) ? 2 : 1;

	if (text[i] & 0x80 || (n == 1 && strchr("\\[](){}.*+?^$|", text[i])))
		return 0;
	return i + n < len && strchr("*?{+", text[i + n]) ? 0 : n;
}

static size_t special_end(const char *text, size_t len, size_t i)
{
	if (text[i] == '(')
		return group_end(text, len, i);
	if (text[i] == '[')
		return class_end(text, len, i);
	if (text[i] == '{')
		return i + strcspn(text + i, "}") + 1;
	return i + (text[i] == '\\' ? 2 : 1);
}

size_t regex_literal(const char *text, size_t len, char *out)
{
	size_t best = 0, best_at = 0, at = 0, n = 0, plain;

	if (!is_simple(text, len))
		return 0;
	for (size_t i = 0; i < len;) {
		if (text[i] == '|')
			return 0;
		plain = plain_at(text, len, i);
		if (plain) {
			out[at + n++] = text[i + plain - 1];
			i += plain;
		} else {
			i = special_end(text, len, i);
		}
		if (n > best) {
			best = n;
			best_at = at;
		}
		at += plain ? 0 : n;
		n = plain ? n : 0;
	}
	memmove(out, out + best_at, best);
	return best;
}
