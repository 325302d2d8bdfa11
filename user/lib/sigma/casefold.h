// SPDX-License-Identifier: Apache-2.0
// Text without upper and lower case: simple case folding of Unicode 15, one character to one.
// Called for the patterns of rules, once, and for values of events that are not ASCII.
#pragma once

#include <stddef.h>

/*
 * The folded text in `out`, which has room for 2 * len bytes (a few characters grow). Bytes that
 * are not UTF-8 stay as they are. Returns its length.
 */
size_t casefold(const char *text, size_t len, char *out);
