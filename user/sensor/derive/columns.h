// SPDX-License-Identifier: Apache-2.0
// Which watched tables a server's own description of a result names.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "event.pb-c.h"

struct watch;

/*
 * `body`: RowDescription's body (PostgreSQL) or column definition packets (MariaDB), perhaps cut.
 * `named`: tables the statement names; when it names exactly one and all columns come from one
 * unknown object, that object is learnt as the table's id.
 */
uint64_t columns_tables(struct watch *w, Rollcall__System system, const char *database,
			const char *body, size_t len, uint64_t named);
