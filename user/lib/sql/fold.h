// SPDX-License-Identifier: Apache-2.0
// A statement without its literals: what may leave the host, and what makes two statements equal.
#pragma once

#include <stdint.h>

#include "lib/sql/lexer.h"

/*
 * Writes the tokens of (text, len) with each literal replaced by ?, lists of them by one, one
 * space between tokens, comments gone. Where it is not clear what is inside a string and what is
 * not, all the rest is one literal. Cut to fit, always ended. The hash (FNV-1a, 64 bits) is of
 * the whole folded statement with words in lower case, whatever fits.
 */
uint64_t sql_fold(enum sql_dialect dialect, const char *text, size_t len, char *buf, size_t size);
