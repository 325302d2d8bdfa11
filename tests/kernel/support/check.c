// SPDX-License-Identifier: Apache-2.0
// Checks of a kernel test that is no cmocka program: they go on after a failure, and say what.
#include "kernel/support/check.h"

#include <stdio.h>
#include <string.h>

static unsigned passed, failed;

void check(const char *test, const char *what, bool ok)
{
	passed += ok;
	failed += !ok;
	if (!ok)
		printf("FAILED %s: %s\n", test, what);
}

void check_number(const char *test, const char *what, uint64_t got, uint64_t want)
{
	check(test, what, got == want);
	if (got != want)
		printf("\tgot %#llx, want %#llx\n", (unsigned long long)got,
		       (unsigned long long)want);
}

void check_string(const char *test, const char *what, const char *got, const char *want)
{
	bool ok = got && strcmp(got, want) == 0;

	check(test, what, ok);
	if (!ok)
		printf("\tgot \"%.200s\", want \"%.200s\"\n", got ? got : "(none)", want);
}

int check_close(void)
{
	printf("%u passed, %u failed\n", passed, failed);
	return failed != 0;
}
