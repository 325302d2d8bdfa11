// SPDX-License-Identifier: Apache-2.0
// Resolves a watched table on one MariaDB or MySQL server.
#pragma once

#include <stddef.h>

#include "cli/setup_server.h"

/* As setup_pg_resolve. */
int setup_mariadb_resolve(struct setup_server *s, const char *user, const char *watch,
			  struct resolved *r, char *ret_why, size_t len);
