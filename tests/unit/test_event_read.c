// SPDX-License-Identifier: Apache-2.0
// Events read back from their JSON are the events that were written; what is wrong is named.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/event.h"
#include "lib/event_read.h"

static const char *const lines[] = {
	"{\"time\":\"2026-01-30T09:12:44.000000500Z\",\"host\":\"mdm1\",\"event\":\"exec\",\"id\":"
	"\"b-crit-1\",\"process\":{\"id\":\"a\",\"pid\":7,\"exe\":\"/bin/sh\",\"args\":[\"sh\","
	"\"-c\",\"id \\\"x\\\"\\n\"],\"user\":\"tomcat\",\"parent\":{\"pid\":6,\"exe\":\"/usr/bin/"
	"java\",\"start_time\":0,\"uid\":0,\"exe_inode\":0,\"exe_deleted\":false,"
	"\"args_truncated\":false,\"path_truncated\":false},\"start_time\":12,\"uid\":33,\"cwd\":"
	"\"/\",\"exe_inode\":5,\"exe_deleted\":true,\"args_truncated\":false,\"path_truncated\":"
	"false},\"exe\":\"/bin/"
	"sh\",\"args\":\"sh\\u0000-c\\u0000\",\"cgroup_id\":0,\"exe_nlink\":1,\"sid\":0,\"args_"
	"truncated\":"
	"false,\"path_truncated\":false,\"env_truncated\":false,\"exe_memfd\":true,"
	"\"exe_unlinked\":false,\"exe_ctime\":0,\"exe_age\":3,\"secure\":false,\"caller\":0}",
	"{\"time\":\"2026-01-30T09:12:44.000000000Z\",\"host\":\"\",\"event\":\"db_result\","
	"\"id\":\"b-crit-2\",\"db\":{\"system\":\"mariadb\",\"name\":\"mdm\",\"user\":\"app\","
	"\"tables\":[\"mariadb:mdm.staff\"],\"rows\":9007199254740992,\"bytes\":2,\"confidence\":"
	"\"exact\",\"client\":{\"pid\":0,\"address\":\"[::1]:4\"},\"duration\":0,\"fraction\":"
	"0.25,\"max_row\":0,\"side_bytes\":0,\"server_side\":false,\"server_pid\":0,\"pages\":0,"
	"\"page_coverage\":0,\"page_rows\":0,\"rows_written\":0,\"rows_read\":0,"
	"\"read_fraction\":0,\"uncounted\":false}}",
	"{\"time\":\"2026-01-30T09:12:44.000000000Z\",\"host\":\"h\",\"event\":\"signal\","
	"\"id\":\"b-1\",\"target_tgid\":7,\"number\":9,\"code\":-6}",
	"{\"time\":\"2026-01-30T09:12:44.000000000Z\",\"host\":\"h\",\"event\":\"finding\","
	"\"id\":\"f-1\",\"rule\":{\"id\":\"r\",\"attack\":[\"T1005\"]},\"rows\":1,\"rows_min\":1,"
	"\"rows_max\":1,\"evidence\":[\"a\",\"b\"],\"gap\":false,\"first_seen\":0,\"last_seen\":0,"
	"\"threshold\":0,\"bytes\":0,\"events\":3}",
};

static void the_same(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct arena *a = arena_new(4096);
		Rollcall__Event *ev;
		char why[200] = "", *again;
		size_t n;
		FILE *f = open_memstream(&again, &n);

		if (event_read(a, lines[i], strlen(lines[i]), &ev, why, sizeof(why)) < 0)
			fail_msg("%s", why);
		event_json(f, ev);
		fclose(f);
		assert_string_equal(again, lines[i]);
		free(again);
		arena_free(a);
	}
}

static void what_is_wrong(void **state)
{
	static const struct {
		const char *line, *why;
	} cases[] = {
		{"", "not a JSON object: "},
		{"[]", "not a JSON object: "},
		{"{}", "event: no such kind: ''"},
		{"{\"event\":\"exce\"}", "event: no such kind: 'exce'"},
		{"{\"event\":\"host\"}", "event: no such kind: 'host'"},
		{"{\"event\":\"exec\",\"exes\":\"x\"}", "Exec has no field 'exes'"},
		{"{\"event\":\"exec\",\"exe\":\"a\\u0000\"}", "exe: a text is expected"},
		{"{\"event\":\"exec\",\"exe\":5}", "exe: a text is expected"},
		{"{\"event\":\"exec\",\"exe_age\":\"x\"}", "exe_age: a number is expected"},
		{"{\"event\":\"exec\",\"exe_age\":-1}", "exe_age: a number is expected"},
		{"{\"event\":\"exec\",\"exe_memfd\":1}", "exe_memfd: true or false is expected"},
		{"{\"event\":\"exec\",\"input\":{\"kind\":\"fd_x\"}}",
		 "kind: no such value: 'fd_x'"},
		{"{\"event\":\"exec\",\"process\":{\"args\":\"x\"}}", "args: a list is expected"},
		{"{\"event\":\"exec\",\"process\":5}", "Process: an object is expected"},
		{"{\"event\":\"exec\",\"time\":\"now\"}", "time: RFC 3339 is expected"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct arena *a = arena_new(4096);
		Rollcall__Event *ev;
		char why[200] = "";

		assert_int_equal(
			event_read(a, cases[i].line, strlen(cases[i].line), &ev, why, sizeof(why)),
			-EBADMSG);
		assert_memory_equal(why, cases[i].why, strlen(cases[i].why));
		arena_free(a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same),
		cmocka_unit_test(what_is_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
