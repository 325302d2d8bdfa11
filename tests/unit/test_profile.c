// SPDX-License-Identifier: Apache-2.0
// Product profiles: the shipped ones, mistakes with their place, and what rules see of them.
#include <errno.h>
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "lib/clean.h"
#include "lib/profile.h"
#include "lib/sigma/fields.h"
#include "support/sigma.h"

static void tell(void *ctx, unsigned line, unsigned column, const char *text)
{
	size_t n = strlen(ctx);

	snprintf((char *)ctx + n, 512 - n, "%u:%u: %s\n", line, column, text);
}

static int read_text(const char *text, struct profile **ret, char *told)
{
	char path[] = "/tmp/test_profile.XXXXXX";
	int fd = mkstemp(path), r;

	told[0] = '\0';
	assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
	r = profile_read(path, tell, told, ret);
	unlink(path);
	return r;
}

static void shipped(void **state)
{
	char told[512] = "";
	glob_t g;

	(void)state;
	assert_int_equal(glob("policy/profiles/*.yaml", 0, NULL, &g), 0);
	assert_int_equal(g.gl_pathc, 9);
	for (size_t i = 0; i < g.gl_pathc; i++) {
		struct profile *p = NULL;

		if (profile_read(g.gl_pathv[i], tell, told, &p) < 0)
			fail_msg("%s: %s", g.gl_pathv[i], told);
		assert_true(profile_count(p, PROFILE_SERVICES) > 0);
		assert_true(profile_signs(p, PROFILE_FILE) > 0);
		/* Only the generic one does not know its tables. */
		assert_int_equal(profile_count(p, PROFILE_TABLES) == 0,
				 strstr(g.gl_pathv[i], "generic") != NULL);
		profile_free(p);
	}
	globfree(&g);
}

static void mistakes(void **state)
{
	static const struct {
		const char *text, *told;
	} cases[] = {
		{"titel: x\n", "1:1: unknown key 'titel'; did you mean 'title'?\n"},
		{"title: x\nservice: [/a]\n",
		 "2:1: unknown key 'service'; did you mean 'services'?\n"},
		{"title: x\nservices: [java]\n",
		 "2:12: services: 'java': write an absolute path; * stands for any text in it\n"},
		{"title: x\ndatabase:\n  tables: [staff]\n", "3:12: database.tables: 'staff': "},
		{"title: x\nsetup:\n  files: [/opt]\n",
		 "3:11: setup.files: '/opt': write a weight, 1 to 100, a space, and a pattern\n"},
		{"title: x\nsetup:\n  files: [101 /opt]\n", "3:11: setup.files: '101 /opt': "},
		{"title: x\nsetup:\n  files: [0 /opt]\n", "3:11: setup.files: '0 /opt': "},
		{"title: x\nusers: [\"a\\nb\"]\n", "2:9: users: 'a\nb': write one line of text\n"},
		{"users: [x]\n", "1:1: title: is missing\n"},
	};
	char told[512];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct profile *p = NULL;

		assert_int_equal(read_text(cases[i].text, &p, told), -EBADMSG);
		assert_null(p);
		if (strncmp(told, cases[i].told, strlen(cases[i].told)) != 0)
			fail_msg("%s: %s", cases[i].text, told);
	}
	assert_int_equal(profile_read("/nonexistent", tell, told, &(struct profile *){NULL}),
			 -ENOENT);
}

static void values(void **state)
{
	_cleanup_(profile_freep) struct profile *p = NULL;
	_cleanup_(freep) char *text = NULL, *none = NULL;
	unsigned weight;
	char told[512];

	(void)state;
	assert_int_equal(read_text("title: T\nservices: [/a, \"/b's\"]\n"
				   "database: {tables: ['postgresql:hr.public.\"a.b\"']}\n"
				   "setup: {databases: ['7 mariadb:x y']}\n",
				   &p, told),
			 0);
	assert_string_equal(profile_title(p), "T");
	assert_int_equal(profile_count(p, PROFILE_SERVICES), 2);
	assert_string_equal(profile_item(p, PROFILE_SERVICES, 1), "/b's");
	assert_string_equal(profile_sign(p, PROFILE_DATABASE, 0, &weight), "mariadb:x y");
	assert_int_equal(weight, 7);
	text = profile_placeholders(p);
	assert_non_null(strstr(text, " profile_services:\n  - '/a'\n  - '/b''s'\n"));
	assert_non_null(strstr(text, " profile_tables:\n  - 'hr.public.a.b'\n"));
	assert_non_null(strstr(text, " profile_web_roots:\n  - '-'\n"));
	none = profile_placeholders(NULL);
	assert_non_null(strstr(none, " profile_services:\n  - '-'\n"));
}

/* The document is one that the rules' parser takes, and a rule can name each list. */
static void placeholders(void **state)
{
	static const char rule[] =
		"title: t\nlogsource: {category: process_creation}\n"
		"detection:\n  s: {Image|expand: ['%profile_services%', '%profile_users%', "
		"'%profile_children%', '%profile_peers%', '%profile_tables%', "
		"'%profile_columns%', '%profile_clients%', '%profile_web_roots%/*', "
		"'%profile_secrets%', '%profile_logs%', '%profile_config%']}\n  condition: s\n";
	_cleanup_(freep) char *none = profile_placeholders(NULL);
	struct sigma_told told = {};
	struct policy *p = policy_new(&fields_schema, sigma_tell, &told);

	(void)state;
	assert_int_equal(policy_text(p, "profile", none, strlen(none)), 0);
	assert_int_equal(policy_text(p, "rule", rule, strlen(rule)), 0);
	assert_int_equal(policy_finish(p), 0);
	policy_free(p);
}

static void names(void **state)
{
	_cleanup_(freep) char *path = NULL, *given = NULL, *near = NULL;
	char *none;

	(void)state;
	assert_int_equal(profile_path("glpi", NULL, &path), 0);
	assert_string_equal(path, "/etc/rollcall/profiles/glpi.yaml");
	assert_int_equal(profile_path("/x/y.yaml", "/z", &given), 0);
	assert_string_equal(given, "/x/y.yaml");
	assert_int_equal(profile_path("../glpi", NULL, &none), -EINVAL);
	assert_int_equal(profile_path("", NULL, &none), -EINVAL);
	near = profile_near("glpy", "policy/profiles");
	assert_string_equal(near, "glpi");
	assert_null(profile_near("something-else", "policy/profiles"));
	assert_null(profile_near("glpi", "/nonexistent"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shipped), cmocka_unit_test(mistakes),	   cmocka_unit_test(values),
		cmocka_unit_test(names),   cmocka_unit_test(placeholders),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
