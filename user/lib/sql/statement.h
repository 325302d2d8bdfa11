// SPDX-License-Identifier: Apache-2.0
// What one SQL statement does, as far as its words tell: the relations it names, the routines it
// calls, where its rows go, the cursors and prepared statements it makes or uses. No grammar: a
// scan of the tokens that may name a relation too many, rarely one too few (dynamic SQL inside
// functions is not seen).
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "lib/sql/lexer.h"

#define SQL_NAME_MAX	  64  /* NAMEDATALEN */
#define SQL_RELATION_MAX  193 /* MySQL: 64 characters of at most 3 bytes */
#define SQL_RELATIONS_MAX 48
#define SQL_CALLS_MAX	  64
#define SQL_RENAMED_MAX	  8

struct sql_relation {
	char schema[SQL_RELATION_MAX]; /* "" when unqualified; MySQL: the database */
	char name[SQL_RELATION_MAX];
	bool weak;    /* found inside a string: dynamic SQL, dblink, a DO body */
	bool written; /* MySQL: its triggers run */
};

/* A name with an argument list, or behind CALL: of a built-in function, too. */
struct sql_call {
	struct sql_token schema; /* SQL_END when unqualified */
	struct sql_token name;
};

/* What a CREATE makes that shows or reads other tables. Routines and triggers: MySQL only. */
enum sql_creates {
	SQL_CREATES_NOTHING,
	SQL_CREATES_VIEW,
	SQL_CREATES_ROUTINE,
	SQL_CREATES_TRIGGER
};

struct sql_statement {
	const char *text;
	size_t len;
	char verb[24]; /* first keyword, lower case */
	unsigned n_relations;
	struct sql_relation relations[SQL_RELATIONS_MAX];
	unsigned n_calls; /* MySQL only: PostgreSQL itself tells what a function touches */
	struct sql_call calls[SQL_CALLS_MAX];
	bool more_names; /* there were more of either than fit: any may be among them */
	enum sql_creates creates;
	struct sql_relation created; /* by what name; of a trigger: its table */
	/* MySQL, whose results name tables and not their ids: what tables are called afterwards. */
	unsigned n_renamed;
	struct sql_relation renamed[SQL_RENAMED_MAX];
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
