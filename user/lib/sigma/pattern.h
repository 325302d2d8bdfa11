// SPDX-License-Identifier: Apache-2.0
// A string of a Sigma rule: bytes and wildcards. Made by the rule parser, changed by its modifiers,
// matched against a value of an event. Immutable once made.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;

#define PATTERN_ONE 0x100 /* "?": one character */
#define PATTERN_ANY 0x101 /* "*" */

struct pattern {
	uint16_t *t; /* a byte, or one of the above */
	size_t n;
};

/* The longest run of bytes in a pattern, which a match must hold. */
struct pattern_literal {
	char *text;
	size_t len;
	bool begins, ends; /* it is at the value's begin, at its end */
	bool whole;	   /* nothing else is in the pattern */
};

/* Escapes as Sigma has them: \* \? \\ are plain, a backslash before anything else is itself. */
int pattern_parse(struct arena *a, const char *text, size_t len, struct pattern *ret_pattern);
/* Bytes, none of which is a wildcard. */
int pattern_bytes(struct arena *a, const void *bytes, size_t len, struct pattern *ret_pattern);
bool pattern_is_plain(const struct pattern *p);
/* The bytes of a plain pattern; `out` has room for p->n. */
void pattern_plain(const struct pattern *p, uint8_t *out);
/* With "*" before and after it, where it has none. */
int pattern_open(struct arena *a, const struct pattern *p, bool before, bool after,
		 struct pattern *ret_pattern);
/* With its letters folded, as the value it is matched with is. */
int pattern_fold(struct arena *a, const struct pattern *p, struct pattern *ret_pattern);
int pattern_literal(struct arena *a, const struct pattern *p, struct pattern_literal *ret_literal);
bool pattern_match(const struct pattern *p, const char *text, size_t len);
