// SPDX-License-Identifier: Apache-2.0
// The log source of a Sigma document, as it is written; the schema knows which events are of it.
#pragma once

struct diag;
struct doc_node;
struct rule_source;

/* 0, or -EINVAL (the mistake told). */
int logsource_parse(struct diag *d, const struct doc_node *n, struct rule_source *ret_source);
