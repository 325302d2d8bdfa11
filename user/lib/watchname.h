// SPDX-License-Identifier: Apache-2.0
// The name of a watched table as an administrator writes it: SYSTEM:DATABASE.TABLE, for
// PostgreSQL also SYSTEM:DATABASE.SCHEMA.TABLE. A part with a dot or a colon in it is written in
// double quotes or backticks, a quote inside doubled. Knows nothing of servers or files.
#pragma once

#include <stddef.h>

#include "event.pb-c.h"

#define WATCHNAME_PART_MAX 256

struct watchname {
	Rollcall__System system;
	char database[WATCHNAME_PART_MAX];
	char schema[WATCHNAME_PART_MAX]; /* PostgreSQL; empty: whatever schema has the table */
	char table[WATCHNAME_PART_MAX];
};

/* 0; -EINVAL: not of this form, and *ret_why (static text) says what is wrong. */
int watchname_parse(const char *text, struct watchname *ret_name, const char **ret_why);

/* "postgresql", "mariadb", "mysql"; 0 (unspecified) when it is none of them. */
Rollcall__System watchname_system(const char *text, size_t len);
const char *watchname_system_text(Rollcall__System system);
