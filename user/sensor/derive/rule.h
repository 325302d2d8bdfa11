// SPDX-License-Identifier: Apache-2.0
// What a built-in rule is called and means. Used by the files of derive/ that make findings.
#pragma once

#include "event.pb-c.h"

struct arena;

struct rule {
	const char *id, *title, *level;
	const char *attack[3]; /* ids of ATT&CK version 16 */
	const char *window;    /* "result", "10m", ... */
};

/* As a finding has it. NULL when out of memory. */
Rollcall__Rule *rule_message(struct arena *a, const struct rule *rule);
