// SPDX-License-Identifier: Apache-2.0
// Rules on trial: a document with the key `observe` lists them by id or name. What they find is
// marked, and nobody is woken by it. Called by policy.c.
#pragma once

struct diag;
struct doc_node;
struct rule;

/* Is this a document of observed rules, not a rule? */
int observe_is(const struct doc_node *root);

/* Marks them among `rules`. 0, or -EINVAL (mistakes told). */
int observe_mark(struct diag *d, const struct doc_node *root, struct rule *rules);
