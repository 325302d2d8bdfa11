// SPDX-License-Identifier: Apache-2.0
// Rules onto the disk, all at once: a new directory (or file) is written beside the old one, then
// the two change places. Called by `rollcall policy apply`.
#pragma once

#include <limits.h>
#include <stdbool.h>

struct fileset;

struct policy_install {
	char target[PATH_MAX];
	char staged[PATH_MAX]; /* the new one, then the old one */
	bool fresh;	       /* there was none before */
	int lock;	       /* their directory: one command at a time; until it ends */
};

/*
 * Puts the files in the place of `target`: a directory, or where `single` is set a file. -EISDIR,
 * -ENOTDIR: it is the other of the two. Failures leave everything as it was, and are told.
 */
int policy_install(const struct fileset *files, const char *target, bool single,
		   struct policy_install *ret_install);
/* The old one comes back. */
int policy_install_undo(struct policy_install *i);
/* The old one is kept as TARGET.before; what was that goes. */
int policy_install_keep(struct policy_install *i);
