// SPDX-License-Identifier: Apache-2.0
// What stays of events: volatile parts of texts, what two have in common, and that what comes out
// is a Sigma value that matches all it was made of.
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
#include "lib/event_read.h"
#include "lib/sigma/pattern.h"
#include "lib/sigma/stable.h"

static bool matches(struct arena *a, const char *value, const char *text)
{
	struct pattern p;

	assert_int_equal(pattern_parse(a, value, strlen(value), &p), 0);
	return pattern_match(&p, text, strlen(text));
}

static void patterns(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{"/usr/bin/tar czf /srv/x.tgz", "/usr/bin/tar czf /srv/x.tgz"},
		{"pg_dump -p 5432 -U app", "pg_dump -p 5432 -U app"},
		{"sleep 86400", "sleep *"},
		{"cat /proc/17/maps", "cat /proc/*/maps"},
		{"backup-2026-11-23.sql", "backup-*.sql"},
		{"at 2026-11-23T23:59:54 go", "at * go"},
		{"at 23:59:54", "at *"},
		{"id 550e8400-e29b-41d4-a716-446655440000 x", "id * x"},
		{"/tmp/tmp.XkvUdFwqLm/a", "/tmp/tmp.*/a"},
		{"/tmp/aB3dE5fG", "/tmp/*"},
		{"deadbeef01", "*"},
		{"deadbeef", "deadbeef"}, /* a word */
		{"sha256sum utf8", "sha256sum utf8"},
		{"Base64Decoder", "Base64Decoder"},
		{"postgresql15", "postgresql15"},
		{"12345 67890", "* *"},
		{"ls *.c a?b c\\d", "ls \\*.c a\\?b c\\\\d"},
		{"a\nb\x01 \x7f \xff", "a?b? ? ?"},
		{"\xc3\xa9t\xc3\xa9 \xe2\x80\xa8 \xef\xbb\xbf", "\xc3\xa9t\xc3\xa9 ? ?"},
		{"", ""},
	};
	struct arena *a = arena_new(4096);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *got = stable_pattern(a, cases[i].text, strlen(cases[i].text));

		assert_string_equal(got, cases[i].want);
		assert_true(matches(a, got, cases[i].text));
	}
	arena_free(a);
}

static void long_text(void **state)
{
	struct arena *a = arena_new(4096);
	char text[3 * STABLE_TEXT_MAX + 1], *got;

	(void)state;
	for (size_t i = 0; i < sizeof(text) - 1; i++)
		text[i] = i % 5 ? 'x' : ' ';
	text[sizeof(text) - 1] = '\0';
	got = stable_pattern(a, text, strlen(text));
	assert_true(strlen(got) <= STABLE_TEXT_MAX + 8);
	assert_int_equal(got[strlen(got) - 1], '*');
	assert_true(matches(a, got, text));
	arena_free(a);
}

static void merges(void **state)
{
	static const struct {
		const char *one, *other, *want;
	} cases[] = {
		{"a b c", "a b c", "a b c"},
		{"job one", "job two", "job *"},
		{"job one.sql x", "job two.sql x", "job *.sql x"},
		{"job abc", "job axc", "job a*c"},
		{"job a b", "job a", "job a*"},
		{"abc", "xyz", "*"},
		{"a* x", "ab x", "a* x"},
		{"a*c", "abc", "a*c"},
		{"x\\*", "x\\?", "x*"},	       /* no escape is cut */
		{"\\*", "\\\\*", "*"},	       /* nor taken for the end of one */
		{"\xc3\xa9", "\xc3\xa8", "*"}, /* nor a character */
		{"aa", "aaa", "aa*"},
		{"", "x", "*"},
	};
	struct arena *a = arena_new(4096);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_string_equal(stable_merge(a, cases[i].one, cases[i].other), cases[i].want);
		assert_non_null(stable_merge(a, cases[i].other, cases[i].one));
	}
	arena_free(a);
}

/* Whatever the texts: what is made of two matches both. */
static void random_texts(void **state)
{
	static const char letters[] = "ab1 *?\\/\xc3\xa9.-";
	unsigned seed = 7;
	struct arena *a = arena_new(4096);

	(void)state;
	for (unsigned round = 0; round < 20000; round++) {
		char text[2][16] = {};
		const char *p[2], *m;

		for (unsigned k = 0; k < 2; k++) {
			for (size_t i = (size_t)rand_r(&seed) % 12; i > 0; i--)
				text[k][i - 1] =
					letters[(size_t)rand_r(&seed) % (sizeof(letters) - 1)];
			p[k] = stable_pattern(a, text[k], strlen(text[k]));
			assert_true(matches(a, p[k], text[k]));
		}
		m = stable_merge(a, p[0], p[1]);
		if (!matches(a, m, text[0]) || !matches(a, m, text[1]))
			fail_msg("'%s' of '%s' and '%s'", m, text[0], text[1]);
		arena_reset(a);
	}
	arena_free(a);
}

#define EXEC(user, args)                                                                           \
	"{\"event\":\"exec\",\"process\":{\"pid\":7,\"exe\":\"/bin/sh\",\"user\":\"" user          \
	"\",\"args\":[" args "],\"parent\":{\"exe\":\"/usr/sbin/cron\"}}}"
#define RESULT(shape)                                                                              \
	"{\"event\":\"db_result\",\"process\":{\"exe\":\"/usr/sbin/mariadbd\",\"user\":\"mysql\"}" \
	",\"db\":{\"system\":\"mariadb\",\"name\":\"mdm\",\"user\":\"app\",\"rows\":7,"            \
	"\"fingerprint\":\"" shape "\",\"tables\":[\"mariadb:mdm.staff\",\"mariadb:mdm.device\"]," \
	"\"client\":{\"exe\":\"/usr/bin/mysql\",\"user\":\"tomcat\"}}}"

/* The fields that one or two events have in common, as a text. */
static void fields_are(const char *one, const char *other, const char *want)
{
	struct stable *s = stable_new();
	struct arena *a = arena_new(4096);
	struct stable_fields f[2];
	char got[1024] = "", why[200];
	Rollcall__Event *ev;

	for (unsigned i = 0; i < (other ? 2 : 1); i++) {
		const char *json = i ? other : one;

		assert_int_equal(event_read(a, json, strlen(json), &ev, why, sizeof(why)), 0);
		assert_int_equal(stable_event(s, a, ev, &f[i]), 0);
	}
	if (other)
		assert_int_equal(stable_join(a, &f[0], &f[1]), 0);
	for (size_t i = 0; i < f[0].n; i++)
		for (size_t k = 0; k < f[0].f[i].n; k++)
			snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s=%s\n",
				 f[0].f[i].name, f[0].f[i].values[k]);
	assert_string_equal(got, want);
	stable_free(s);
	arena_free(a);
}

static void fields(void **state)
{
	(void)state;
	fields_are(EXEC("bob", "\"sh\",\"-c\",\"17323811\""), NULL,
		   "Image=/bin/sh\nParentImage=/usr/sbin/cron\nUser=bob\nCommandLine=sh -c *\n");
	fields_are(EXEC("bob", "\"sh\",\"a.sql\""), EXEC("eve", "\"sh\",\"b.sql\""),
		   "Image=/bin/sh\nParentImage=/usr/sbin/cron\nCommandLine=sh *.sql\n");
	/* A program's place is not guessed at: who can make /tmp/tmp.X can make another. */
	fields_are("{\"event\":\"exec\",\"process\":{\"exe\":\"/tmp/tmp.a1b2c3d4/x\",\"args\":["
		   "\"/tmp/tmp.a1b2c3d4/x\"]}}",
		   NULL, "Image=/tmp/tmp.a1b2c3d4/x\nCommandLine=/tmp/tmp.*/x\n");
	fields_are(RESULT("f1"), RESULT("f1"),
		   "Principal=mariadb:app@mdm via /usr/bin/mysql as tomcat\n"
		   "Tables=mariadb:mdm.staff\nTables=mariadb:mdm.device\nClientUser=tomcat\n"
		   "StatementFingerprint=f1\n");
	fields_are("{\"event\":\"finding\",\"principal\":\"p\",\"tables\":[\"t\"],\"process\":{"
		   "\"exe\":\"/usr/sbin/mariadbd\",\"user\":\"mysql\"}}",
		   NULL, "principal=p\ntables=t\n");
	fields_are(RESULT("x"), RESULT("y"),
		   "Principal=mariadb:app@mdm via /usr/bin/mysql as tomcat\n"
		   "Tables=mariadb:mdm.staff\nTables=mariadb:mdm.device\nClientUser=tomcat\n");
	fields_are(RESULT("x"), EXEC("bob", "\"sh\""), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(patterns), cmocka_unit_test(long_text),
		cmocka_unit_test(merges),   cmocka_unit_test(random_texts),
		cmocka_unit_test(fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
