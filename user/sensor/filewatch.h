// SPDX-License-Identifier: Apache-2.0
// Which files hold watched tables, by inode: feeds the maps of bpf/file.bpf.c and names the
// tables of a file that was read. Knows files from `rollcall setup database` and, for MariaDB,
// from the running server's data directory. Opens no file and asks no database.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "event.pb-c.h"

#define FILEWATCH_FILES_MAX 16384 /* as watched_inode in bpf/file.bpf.c */

struct arena;
struct filewatch;
struct resolved;
struct watch;

/* As struct inode_key in bpf/interest.h. */
struct filewatch_key {
	uint64_t ino;
	uint32_t dev; /* (major << 20) | minor */
	uint32_t pad;
};

/* Sets a key of the map "watched_inode" (value uint64_t) or "server_exe" (value uint32_t);
 * value NULL: deletes it. 0 or negative errno. */
typedef int (*filewatch_set_fn)(void *ctx, const char *map, const void *key, const void *value);

/* Key of a file or directory as BPF reads it. -errno of statx. */
int filewatch_key(const char *path, struct filewatch_key *ret);

struct filewatch *filewatch_new(const struct watch *w); /* borrows w */
struct filewatch *filewatch_free(struct filewatch *f);
void filewatch_freep(struct filewatch **f);

/* Takes the files of watched tables. 0, -ENOMEM, -ENOSPC past the limit. */
int filewatch_resolve(struct filewatch *f, const struct resolved *r);

/* A database server runs as pid: its executable may read; MariaDB: tables by its directory. */
int filewatch_server(struct filewatch *f, Rollcall__System system, int pid);

/*
 * Looks at every file again (after DDL, and from time to time): inodes that changed, segments and
 * partitions that came, files that went. Brings the maps up to date. 0 or the first error.
 */
int filewatch_sync(struct filewatch *f, filewatch_set_fn set, void *ctx);

/* Mask of the watched tables in this file; 0: none. */
uint64_t filewatch_match(const struct filewatch *f, uint32_t dev, uint64_t ino);

/* Their names, "A B"; "": none. Of the arena; NULL: no memory. */
char *filewatch_tables(const struct filewatch *f, struct arena *a, const Rollcall__Inode *inode);

/* Tables of which no file is known or all have gone (VACUUM FULL): physical reads go unseen until
 * setup is run again. */
uint64_t filewatch_blind(const struct filewatch *f);
/* PostgreSQL's tables of which a file that setup found went since it was asked before: by VACUUM
 * FULL, CLUSTER, TRUNCATE, some ALTER TABLE, of an index by REINDEX, too. */
uint64_t filewatch_lost(struct filewatch *f);
