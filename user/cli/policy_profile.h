// SPDX-License-Identifier: Apache-2.0
// A product profile beside rules, for the commands that try rules.
#pragma once

#include <stdio.h>

struct policy;

/*
 * Gives the rules a profile's placeholders; NULL: those of none, as in a sensor without a profile.
 * Mistakes in it are told to `to`. 0, -EBADMSG, or an error that was told.
 */
int policy_profile_add(struct policy *p, const char *name, FILE *to);
