// SPDX-License-Identifier: Apache-2.0
// What `rollcall setup database` learned of the watched tables: object ids, dependent views,
// routines, partitions, columns, files by inode, number of rows. One JSON file, written by the
// command line as an administrator and read by the sensor, which has no database credentials.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/watchname.h"

#define RESOLVED_PATH	    "/var/lib/rollcall/database.json"
#define RESOLVED_TABLES_MAX 64
#define RESOLVED_ITEMS_MAX  65536 /* relations, columns or files of one table */
#define RESOLVED_FILE_MAX   (16 << 20)

struct resolved_server {
	Rollcall__System system;
	char *version;
	char *datadir;
	char *exe;
	char *socket;
	uint64_t exe_ino;
	uint32_t exe_dev; /* (major << 20) | minor, as the kernel and rollcall.Inode keep it */
};

/*
 * One object that shows rows of the watched table: itself, a partition, a view; a routine that
 * reads it; a table of which a trigger does.
 */
struct resolved_relation {
	uint32_t oid; /* 0: the system has none (MariaDB) */
	char *kind; /* table, partition, child, parent, view, matview, foreign, routine, trigger */
	char *schema; /* MariaDB: the database */
	char *name;
};

struct resolved_column {
	uint32_t number;
	char *name;
};

struct resolved_file {
	char *path;
	char *kind; /* heap, toast, index, tablespace */
	uint64_t ino;
	uint32_t dev;
};

struct resolved_table {
	char *watch; /* as configured */
	struct watchname name;
	size_t server; /* index into servers */
	uint32_t database_oid;
	uint64_t rows; /* the server's estimate; 0: not known */
	uint64_t pages;
	struct resolved_relation *relations;
	size_t n_relations;
	struct resolved_column *columns;
	size_t n_columns;
	struct resolved_file *files;
	size_t n_files;
};

struct resolved {
	char *time; /* RFC 3339 */
	struct resolved_server *servers;
	size_t n_servers;
	struct resolved_table *tables;
	size_t n_tables;
};

struct resolved *resolved_new(void);
struct resolved *resolved_free(struct resolved *r); /* accepts NULL, returns NULL */
void resolved_freep(struct resolved **r);

/* -EBADMSG: not such a file, and ret_why (of len bytes) says where. Else -errno of reading. */
int resolved_read(const char *path, struct resolved **ret_resolved, char *ret_why, size_t len);
int resolved_parse(const char *text, size_t n, struct resolved **ret_resolved, char *ret_why,
		   size_t len);
/* Atomically, mode 0640. */
int resolved_write(const struct resolved *r, const char *path);
/* The same text, malloced. NULL when out of memory or when a name or path is not UTF-8. */
char *resolved_text(const struct resolved *r);

/* For the writer. Each copies its strings; -ENOMEM, -E2BIG past the limits above. */
int resolved_add_server(struct resolved *r, const struct resolved_server *server);
int resolved_add_table(struct resolved *r, const char *watch, size_t server);
int resolved_add_relation(struct resolved_table *t, const struct resolved_relation *relation);
int resolved_add_column(struct resolved_table *t, uint32_t number, const char *name);
int resolved_add_file(struct resolved_table *t, const struct resolved_file *file);

/* Lookups. The first table at or after index *pos that fits, *pos moved past it; else NULL. */
const struct resolved_table *resolved_by_oid(const struct resolved *r, const char *database,
					     uint32_t oid, size_t *pos);
const struct resolved_table *resolved_by_name(const struct resolved *r, Rollcall__System system,
					      const char *database, const char *schema,
					      const char *name, size_t *pos);
/* Calls fn for every watched file; stops at its first non-zero result and returns it. */
typedef int (*resolved_inode_fn)(const struct resolved_table *t, const struct resolved_file *f,
				 void *arg);
int resolved_inodes(const struct resolved *r, resolved_inode_fn fn, void *arg);

/* MariaDB and MySQL speak one protocol: a watch name of one is also good for the other. */
bool resolved_same_system(Rollcall__System a, Rollcall__System b);
