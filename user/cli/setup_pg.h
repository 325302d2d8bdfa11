// SPDX-License-Identifier: Apache-2.0
// Resolves a watched table on one PostgreSQL server.
#pragma once

#include <stddef.h>

#include "cli/setup_server.h"

/*
 * Adds the server and the table to r. 0; -ENOENT: this server has no such table; -EACCES: it
 * refused; ret_why then says what to do, in one sentence.
 */
int setup_pg_resolve(struct setup_server *s, const char *user, const char *watch,
		     struct resolved *r, char *ret_why, size_t len);
