// SPDX-License-Identifier: Apache-2.0
// Does this kernel take a program? Called by probe.c while it chooses hooks.
#pragma once

#include <stdbool.h>

/* Loads (and attaches) the program alone, in an object of its own. 0 or negative errno. */
int trial_program(const char *name, bool attach);
