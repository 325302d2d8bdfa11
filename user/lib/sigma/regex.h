// SPDX-License-Identifier: Apache-2.0
// Regular expressions of rules, on PCRE2 with its compiler: all of PCRE2's syntax but \C. Steps of
// a match are bounded, so that a value made for it cannot stop the sensor. The only file that knows
// PCRE2.
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct regex;

/* Of Sigma's modifiers, and where in the value it must be: else it is found anywhere. */
enum regex_flags { REGEX_I = 1, REGEX_M = 2, REGEX_S = 4, REGEX_BEGINS = 8, REGEX_ENDS = 16 };

/* -EINVAL: `why` (of `size` bytes) says what is wrong, `*ret_offset` where. */
int regex_new(const char *text, size_t len, unsigned flags, struct regex **ret_regex, char *why,
	      size_t size, unsigned *ret_offset);
struct regex *regex_free(struct regex *r); /* accepts NULL, returns NULL */

/* 1: found in the text; 0: not; -ETIME: gave up. Not for two threads at once. */
int regex_match(const struct regex *r, const char *text, size_t len);

/*
 * A text that every match must hold, upper and lower case aside: a run of plain characters at the
 * top of the expression. Returns its length; 0: there is none that is surely needed. `out` has room
 * for the expression's text.
 */
size_t regex_literal(const char *text, size_t len, char *out);
