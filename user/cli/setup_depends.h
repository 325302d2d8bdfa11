// SPDX-License-Identifier: Apache-2.0
// What in a MariaDB server shows or reads a watched table without naming it: views, stored
// routines, triggers, one over the other. Works on what information_schema said; asks nobody.
#pragma once

struct client_result;
struct resolved_table;

/*
 * Adds to the table's relations from the rows (kind, schema, name, text) of the kinds view,
 * routine and trigger (of which the name is that of its table). 0 or -errno.
 */
int setup_depends_add(struct resolved_table *t, const struct client_result *got);
