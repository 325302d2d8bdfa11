// SPDX-License-Identifier: Apache-2.0
// PCRE2, wrapped.
#include "lib/sigma/regex.h"

#include <errno.h>
#include <stdlib.h>

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
