// links: user/cli/out.c
// SPDX-License-Identifier: Apache-2.0
// What others chose (names, addresses, reasons) in what people read: on a terminal and in the log.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/out.h"
#include "lib/clean.h"
#include "lib/log.h"

static void text_is(const char *text, const char *wanted)
{
	_cleanup_(freep) char *got = NULL;
	size_t len;
	FILE *f = open_memstream(&got, &len);
	struct out o = {.file = f};

	out_text(&o, OUT_PLAIN, text);
	fclose(f);
	assert_string_equal(got, wanted);
}

static void test_text(void **state)
{
	(void)state;
	text_is("Stäff \xe2\x82\xac", "Stäff \xe2\x82\xac");
	text_is("a\033[2J\r\nb\x7f", "a?[2J??b?");
	text_is("a\xc2\x9b"
		"2Jb\xc2\xa7",
		"a?2Jb\xc2\xa7");
	/* Right-to-left override and isolate; cut off. */
	text_is("x\xe2\x80\xaegnp.exe\xe2\x81\xa6", "x?gnp.exe?");
	text_is("\xe2\x80", "\xe2\x80");
	text_is("\xc2", "\xc2");
}

static void test_log(void **state)
{
	int out[2], old = dup(STDERR_FILENO);
	char got[256];
	ssize_t n;

	(void)state;
	assert_int_equal(pipe(out), 0);
	dup2(out[1], STDERR_FILENO);
	log_error(0, "host 'a\nrollcall: host b\033[2J' is refused");
	dup2(old, STDERR_FILENO);
	n = read(out[0], got, sizeof(got) - 1);
	assert_true(n > 0);
	got[n] = '\0';
	assert_string_equal(got, "rollcall: error: host 'a?rollcall: host b?[2J' is refused\n");
	close(old);
	close(out[0]);
	close(out[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
