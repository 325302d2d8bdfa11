// SPDX-License-Identifier: Apache-2.0
// The watched tables: names from the configuration, and what `rollcall setup database` resolved
// of them. A table is a bit (its index) in the masks. Reads no database.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "event.pb-c.h"
#include "lib/watchname.h"

struct resolved;
struct watch;

#define WATCH_TABLES_MAX 64

/* Object ids are of a database. */
struct watch_oid {
	char database[64];
	uint32_t oid;
	uint64_t mask;
};

struct watch *watch_new(void);
struct watch *watch_free(struct watch *w);
void watch_freep(struct watch **w);

/* 0, -ENOSPC past WATCH_TABLES_MAX, -ENOMEM. A name given twice is one table. */
int watch_add(struct watch *w, const struct watchname *name);
unsigned watch_count(const struct watch *w);

/* "hr.public.staff", "mdm.staff": as events name it. "" when there is no such table. */
const char *watch_table_name(const struct watch *w, unsigned i);
const struct watchname *watch_table(const struct watch *w, unsigned i);

/* Rows the server estimated, or the largest number seen in one result; 0: not known. */
uint64_t watch_table_rows(const struct watch *w, unsigned i);

/* Its blocks of 8 KiB when it was resolved; 0: not known. */
uint64_t watch_table_pages(const struct watch *w, unsigned i);

/* Takes object ids, dependent views, sizes and files of the tables it knows. 0 or -ENOMEM. */
int watch_resolve(struct watch *w, const struct resolved *r);

/* Masks of tables that a relation or an object id shows. schema: "" when unqualified. */
uint64_t watch_match_name(const struct watch *w, Rollcall__System system, const char *database,
			  const char *schema, const char *relation);
/* Those that a MariaDB routine reads when it is called, or a table's triggers when it is written.
 */
uint64_t watch_match_routine(const struct watch *w, Rollcall__System system, const char *database,
			     const char *schema, const char *routine);
uint64_t watch_match_trigger(const struct watch *w, Rollcall__System system, const char *database,
			     const char *schema, const char *relation);
uint64_t watch_match_oid(const struct watch *w, const char *database, uint32_t oid);

/* An id that a server gave a table named in a statement: known from now on. */
void watch_learn_oid(struct watch *w, const char *database, uint32_t oid, uint64_t mask);

/* How an object lets rows of a watched table be read. */
enum watch_dependence {
	WATCH_SHOWS,   /* a view or partition, by a statement that names it */
	WATCH_ROUTINE, /* by one that calls it */
	WATCH_TRIGGER, /* by one that writes the table of this name */
};

/* One that was created while the sensor looked on: known until it ends. */
void watch_learn_relation(struct watch *w, enum watch_dependence how, Rollcall__System system,
			  const char *database, const char *schema, const char *name,
			  uint64_t mask);

/* Object ids known so far, of which none is ever forgotten: 0 to watch_oids() - 1. */
unsigned watch_oids(const struct watch *w);
const struct watch_oid *watch_oid(const struct watch *w, unsigned i);

/* A statement changed some table's shape: files and ids may be new ones. */
void watch_ddl_seen(struct watch *w, Rollcall__System system, const char *database);
/* True once after a DDL was seen; the caller refreshes the files. */
bool watch_take_stale(struct watch *w);
