// SPDX-License-Identifier: Apache-2.0
// One line of a search: "field|modifiers: values", with the modifiers applied. Made by rule.c,
// compiled by ruleset.c.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "lib/sigma/pattern.h"
#include "lib/sigma/when.h"

struct arena;
struct diag;
struct doc_node;
struct placeholders;

enum item_kind {
	ITEM_STRING,  /* patterns */
	ITEM_REGEX,   /* texts, flags of regex.h */
	ITEM_CIDR,    /* texts */
	ITEM_COMPARE, /* numbers, by `op`, of the whole value or a part of a date */
	ITEM_NULL,
	ITEM_EXISTS,
	ITEM_FIELD, /* texts name other fields */
};

enum item_op { ITEM_EQ, ITEM_LT, ITEM_LTE, ITEM_GT, ITEM_GTE };

struct item_text {
	const char *s;
	size_t len;
};

/* One value of the rule; what it stands for are alternatives. */
struct item_value {
	struct item_value *next;
	const struct doc_node *at;
	struct item_text *texts; /* as written; several after `expand` */
	size_t n_texts;
	struct pattern *patterns; /* of ITEM_STRING; NULL while no modifier has changed them */
	size_t n_patterns;
};

struct item {
	enum item_kind kind;
	const struct doc_node *at; /* its field, for mistakes */
	const char *field;	   /* "": a keyword, looked for in every field */
	bool all;		   /* every value must match, not one */
	bool neq;		   /* none may */
	bool cased;
	bool any_before, any_after; /* startswith, endswith, contains */
	bool exists;		    /* ITEM_EXISTS: what is asked for */
	bool expanded;
	unsigned regex_flags;
	enum item_op op;
	enum when_part part;
	struct item_value *values;
	size_t n_values;
};

struct item_opts {
	struct arena *arena;
	struct diag *diag;
	const struct placeholders *placeholders;
};

/* `key`: "field|modifiers", NULL for plain keywords. 0, -ENOMEM, or -EINVAL (mistakes told). */
int item_parse(const struct item_opts *o, const struct doc_node *key, const struct doc_node *values,
	       struct item *ret_item);
