// SPDX-License-Identifier: Apache-2.0
// Counted checks for kernel tests. A failure prints the test, what was checked and both values.
#pragma once

#include <stdbool.h>
#include <stdint.h>

void check(const char *test, const char *what, bool ok);
void check_number(const char *test, const char *what, uint64_t got, uint64_t want);
void check_string(const char *test, const char *what, const char *got, const char *want);

/* Prints "N passed, N failed"; the program's exit status. */
int check_close(void);
