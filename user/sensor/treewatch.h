// SPDX-License-Identifier: Apache-2.0
// Which directories and executables are of interest, by path as the configuration names them:
// feeds the maps of bpf/interest.h. Made by options, driven by sensor.c each second. Opens no file.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "sensor/filewatch.h"

#define TREEWATCH_PATHS_MAX 1024 /* as watched_exe in bpf/interest.h */

struct treewatch;

struct treewatch *treewatch_new(void);
struct treewatch *treewatch_free(struct treewatch *t); /* accepts NULL, returns NULL */

/*
 * `list` is a key of the configuration ("files.web_roots", "processes.watch"): it says which map
 * and mark. 0, -EINVAL: not an absolute path, -ENOSPC past the limit, -ENOENT: no such list.
 */
int treewatch_add(struct treewatch *t, const char *list, const char *path);

/*
 * Looks at each path again and brings the maps "watched_tree" and "watched_exe" up to date. 0 or
 * the first error. *ret_exes: an executable is new, tasks that run it already are not marked yet.
 */
int treewatch_sync(struct treewatch *t, filewatch_set_fn set, void *ctx, bool *ret_exes);

/*
 * Before the first look: an entry that a map has from an earlier sensor. It goes when no path is
 * like that. 0, -ENOSPC or -ENOENT (no such map).
 */
int treewatch_adopt(struct treewatch *t, const char *map, const struct filewatch_key *key,
		    uint32_t marks);

/* Everything that was added, as text: the same text is the same watch. 0 or -EIO. */
int treewatch_print(const struct treewatch *t, FILE *f);

/* Is it a program of processes.watch, as it was last there? The path is without symbolic links. */
bool treewatch_exe(const struct treewatch *t, const char *path);

/* Does the configuration name none at all? */
bool treewatch_empty(const struct treewatch *t);

/* Paths that are not there, for the log. */
unsigned treewatch_missing(const struct treewatch *t);
