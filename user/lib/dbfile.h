// SPDX-License-Identifier: Apache-2.0
// Names of the files in which MariaDB and MySQL keep a table, below the data directory. Used by
// the command line (setup) and the sensor, so that both watch the same files.
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Room that dbfile_encode needs for a name of n bytes. */
#define DBFILE_ENCODED(n) (5 * (n) + 1)

/* The server's file name of a table or database: what is not a word character becomes @xxxx. */
void dbfile_encode(const char *name, char *ret_encoded);

/* Does this file (its name alone) hold rows or keys of the table (its encoded name)? */
bool dbfile_is_of(const char *file, const char *table);

/* "heap" or "index", by the ending. */
const char *dbfile_kind(const char *file);
