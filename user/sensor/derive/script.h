// SPDX-License-Identifier: Apache-2.0
// What the text of a client's message says: one query a statement. Reference-counted, because a
// prepared statement outlives its message.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "event.pb-c.h"

struct sql_relation;
struct watch;

struct query {
	uint64_t strong;  /* watched tables it names, a bit each (index in the watch set) */
	uint64_t weak;	  /* named only inside a string or a procedure body */
	uint64_t routine; /* read by a routine it calls or a trigger that it runs */
	char fingerprint[17];
	char *folded;	      /* literals replaced by ?; owned */
	char declares[64];    /* cursor that this DECLARE makes */
	char prepares[64];    /* name that this PREPARE makes */
	char uses_portal[64]; /* FETCH ... FROM name */
	char uses_prepared[64];
	char database[64];    /* USE name */
	char replication[16]; /* replication command */
	bool copy_from;	      /* loads rows: nothing is read */
	bool server_copy;     /* rows go to a file, program or table of the server */
	bool point;	      /* WHERE and no OFFSET: a look-up, not a walk */
	bool ddl;
	bool call;		      /* MariaDB: makes any number of results */
	unsigned creates;	      /* enum sql_creates */
	struct sql_relation *created; /* NULL: nothing; owned */
	struct sql_relation *renamed; /* what tables are called afterwards; owned */
	unsigned n_renamed;
};

struct script {
	unsigned refs;
	unsigned n;
	struct query queries[];
};

#define SCRIPT_STATEMENTS_MAX 64

/* Never NULL but when out of memory; a text without a statement has n == 0. */
struct script *script_new(const char *text, size_t len, Rollcall__System system,
			  const struct watch *watch, const char *database);
struct script *script_ref(struct script *s); /* accepts NULL */
void script_unref(struct script *s);	     /* accepts NULL */

/* Tables that a query names in any way. */
uint64_t script_query_tables(const struct query *q);
/* Tables that what the query creates shows or reads: of a routine, its whole body in the text. */
uint64_t script_created(const struct script *s, const struct query *q);
/* One SELECT, that only reads, by no name made elsewhere. */
bool script_is_select(const struct script *s);
/* The nth query; the last one when there are fewer (a CALL makes many results). NULL if none. */
const struct query *script_query(const struct script *s, unsigned nth);
