// SPDX-License-Identifier: Apache-2.0
// One Sigma document: a detection rule, a filter or a correlation rule, read and checked but not
// yet compiled. Made by policy.c; lives in its arena.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/sigma/expr.h"
#include "lib/sigma/item.h"

/* A search of a detection or filter, by the name that its condition calls it. */
struct rule_search {
	const char *name;
	const struct expr *expr; /* its leaves are items */
};

enum rule_kind { RULE_DETECTION, RULE_FILTER, RULE_CORRELATION };

struct correlation;

struct rule_texts {
	const char **s;
	size_t n;
};

struct rule_source {
	const struct doc_node *at;
	const char *category, *product, *service; /* "": any */
};

struct rule {
	struct rule *next;
	enum rule_kind kind;
	const char *file;
	const struct doc_node *at;
	const char *title, *id, *name, *level, *status, *description, *taxonomy;
	const char *attack_version;
	const char *key; /* what a finding calls it: its id, else name, else title */
	uint64_t text;	 /* hash of the document, without comments and layout */
	struct rule_texts tags, fields, falsepositives;
	struct rule_source source;
	int events; /* the schema's number of the source, given by the policy; negative: none */
	/* Of detections, what it matches, and filters, what they hide: the leaves are items. */
	struct item *items;
	size_t n_items;
	const struct expr *expr;
	const struct rule_search *searches;
	size_t n_searches;
	const struct doc_node *rules; /* of filters: a list; NULL: all of the log source */
	/* Of filters that are exceptions: who answers for it and why; "" when not said. */
	const char *owner, *reason, *until;
	uint64_t expiry;		 /* it hides what came before; 0: for ever */
	bool expired;			 /* when the policy was read */
	struct correlation *correlation; /* of correlations */
	uint32_t number;		 /* among all that can match, given by the policy */
	uint32_t depth;			 /* of correlations: how many are below each other */
	bool counted;			 /* a correlation counts it */
	bool silent;			 /* and it makes no findings of its own */
	bool observes;			 /* it is on trial: its findings are no alerts */
};

/* 0, -ENOMEM, or -EINVAL (mistakes told). `file` is kept. */
int rule_parse(const struct item_opts *o, const struct doc_node *root, struct rule **ret_rule);

/* Is this what a correlation or filter calls the rule? Ids are compared without case. */
bool rule_is(const struct rule *r, const char *reference);
/* Does the filter name the rule, or every rule of its log source? */
bool rule_filters(const struct rule *filter, const struct rule *r);
