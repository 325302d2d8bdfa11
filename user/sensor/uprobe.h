// SPDX-License-Identifier: Apache-2.0
// Attaches a loaded program to a function of a file, whoever loaded it. Called by probe.c.
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * A breakpoint: at each call of the function whose code is at `offset` in the file, or at its
 * return, by whatever process. A descriptor of the event, or negative errno.
 */
int uprobe_open(const char *path, uint64_t offset, bool at_return);

/* Enters a program at an event, whose descriptor it takes. One of the link, or negative errno. */
int uprobe_attach(int program, int event, uint64_t cookie);
