// SPDX-License-Identifier: Apache-2.0
// How near two names are: what "did you mean" is made of. Called where a file names what is not
// there: the configuration and the policy.
#pragma once

#define NEAR_NAME_MAX 80

/* Levenshtein's distance; UINT_MAX when `b` is longer than NEAR_NAME_MAX. */
unsigned near_distance(const char *a, const char *b);
