// SPDX-License-Identifier: Apache-2.0
// What one SQL statement does, as far as its words tell: the relations it names, where its rows
// go, the cursors and prepared statements it makes or uses. No grammar: a scan of the tokens that
// may name a relation too many, rarely one too few (dynamic SQL inside functions is not seen).
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "lib/sql/lexer.h"

#define SQL_NAME_MAX	  64  /* NAMEDATALEN */
#define SQL_RELATION_MAX  193 /* MySQL: 64 characters of at most 3 bytes */
#define SQL_RELATIONS_MAX 48

struct sql_relation {
	char schema[SQL_RELATION_MAX]; /* "" when unqualified; MySQL: the database */
	char name[SQL_RELATION_MAX];
	bool weak; /* found inside a string: dynamic SQL, dblink, a DO body */
};

struct sql_statement {
	const char *text;
	size_t len;
	char verb[24]; /* first keyword, lower case */
	unsigned n_relations;
	struct sql_relation relations[SQL_RELATIONS_MAX];
	bool more_relations; /* there were more than fit: any may be among them */
	bool where, offset;
	bool copy_from; /* COPY ... FROM: rows come in */
	bool to_server; /* COPY TO file or program, INTO OUTFILE or DUMPFILE, CREATE TABLE AS,
			 * SELECT INTO, INSERT ... SELECT */
	bool ddl;
	char declares[SQL_NAME_MAX];
	char prepares[SQL_NAME_MAX];
	char uses_portal[SQL_NAME_MAX];
	char uses_prepared[SQL_NAME_MAX];
	char database[SQL_NAME_MAX]; /* USE */
	char replication[16];	     /* physical, logical, base_backup */
};

/*
 * Takes the next statement off (*text, *len): up to a top-level semicolon. False when only white
 * space, comments and semicolons are left.
 */
bool sql_statement_next(enum sql_dialect dialect, const char **text, size_t *len,
			struct sql_statement *ret);
