// SPDX-License-Identifier: Apache-2.0
// A directory of our own with a watched tree in it, for the tests of the file family: www is
// watched, other is not, sh is a program whose lineage is.
#pragma once

#include <stdbool.h>
#include <sys/stat.h>

#include "event.pb-c.h"

#define TREE_WEB_ROOT 1u
#define TREE_SECRET   2u
#define TREE_LINEAGE  1u
#define TREE_ITSELF   2u

/* Opens the witness, makes the directory, watches. False: cannot, and said why. */
bool tree_open(const char *name);

/* Removes it and closes the witness; the program's exit status. */
int tree_close(void);

/* The path of something in it; one of eight buffers in turn. */
const char *tree_at(const char *name);

/*
 * Makes it anew: www/{a,sub/b}, other/{c,dir}, secret/{key}. www/.old and secret/.old were there
 * before the witness, and stay.
 */
void tree_fill(const char *test);

void tree_inode_check(const char *test, const Rollcall__Inode *inode, const struct stat *want);
