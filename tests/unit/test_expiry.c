// SPDX-License-Identifier: Apache-2.0
// Exceptions: filters that end. They hide what came before their expiry, in both ways of writing a
// filter; those that have expired are told and hide nothing.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>

#include "support/sigma.h"

#define RULE                                                                                       \
	"title: t\nid: r1\nlogsource: {category: test}\n"                                          \
	"detection: {s: {A: x}, condition: s}\n---\n"
#define FILTER(expiry, condition)                                                                  \
	"title: f\nlogsource: {category: test}\nowner: ann\nreason: ticket 7\n"                    \
	"expiry: " expiry "\nfilter:\n  rules: [r1]\n  selection: {B: y}\n  condition: " condition \
	"\n"
#define DAY_END "1769817600" /* 2026-01-31T00:00:00Z */

static void hidden_until(const char *yaml)
{
	static const struct {
		const char *fields[4];
		const char *want;
	} cases[] = {
		{{"A=x", "B=y", "event.time#1769817599000000000", NULL}, ""},
		{{"A=x", "B=y", "event.time#1769817600000000000", NULL}, "t"},
		{{"A=x", "B=z", "event.time#1769817599000000000", NULL}, "t"},
		{{"A=x", "B=y", NULL}, "t"}, /* an event of no time is of no time before */
	};
	struct sigma_told told = {};
	struct policy *p = sigma_load(yaml, &told);
	struct match *m = match_new(policy_program(p));
	struct sigma_matched got;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		sigma_match(m, policy_program(p), 1, cases[i].fields, &got);
		assert_string_equal(got.titles, cases[i].want);
	}
	match_free(m);
	policy_free(p);
}

static void by_event_time(void **state)
{
	(void)state;
	hidden_until(RULE FILTER("2026-01-30", "selection"));
	hidden_until(RULE FILTER("2026-01-30", "not selection"));
	hidden_until(RULE FILTER("'2026-01-31 00:00'", "selection"));
}

/* `now` in seconds; what is told, and whether an event from before the expiry is hidden. */
static void at_load(uint64_t now, const char *want_told, const char *want_titles)
{
	static const char yaml[] = RULE FILTER("2026-01-30", "selection");
	static const char *const fields[] = {"A=x", "B=y", "event.time#1769000000000000000", NULL};
	struct sigma_told told = {};
	struct policy *p = policy_new(&sigma_schema, sigma_tell, &told);
	struct sigma_matched got;
	struct match *m;

	policy_now(p, now * 1000000000);
	policy_text(p, "f", yaml, strlen(yaml));
	assert_int_equal(policy_finish(p), 0);
	assert_string_equal(told.text, want_told);
	assert_int_equal(policy_warnings(p), *want_told != '\0');
	assert_int_equal(policy_notes(p), 0);
	m = match_new(policy_program(p));
	sigma_match(m, policy_program(p), 1, fields, &got);
	assert_string_equal(got.titles, want_titles);
	match_free(m);
	policy_free(p);
}

static void expired(void **state)
{
	static const char told[] = "f:10:9: note: the exception 'f' of 'ann' expired on "
				   "2026-01-30: it hides nothing\n";

	(void)state;
	at_load(1769817599, "", "");
	at_load(1769817600, told, "t");
	at_load(0, "", "");
}

static void said(void **state)
{
	struct sigma_told told = {};
	struct policy *p = sigma_load(RULE FILTER("2026-01-30", "selection"), &told);
	const struct rule *f = policy_rules(p)->next;

	(void)state;
	assert_string_equal(f->owner, "ann");
	assert_string_equal(f->reason, "ticket 7");
	assert_string_equal(f->until, "2026-01-30");
	assert_true(f->expiry == strtoull(DAY_END "000000000", NULL, 10));
	assert_string_equal(policy_rules(p)->owner, "");
	policy_free(p);
}

static void mistakes(void **state)
{
	static const struct {
		const char *yaml, *want;
	} cases[] = {
		{RULE FILTER("soon", "selection"),
		 "f:10:9: expiry: write YYYY-MM-DD, or a time in UTC\n"},
		{RULE FILTER("[2026-01-30]", "selection"),
		 "f:10:9: expiry: a text is expected here\n"},
		{"title: t\nexpiry: 2026-01-30\nlogsource: {category: test}\n"
		 "detection: {s: {A: x}, condition: s}\n",
		 "f:2:9: only filters expire\n"},
		{RULE
		 "title: c\nid: c1\ncorrelation: {type: event_count, rules: [r1], timespan: 1m, "
		 "condition: {gte: 2}}\n---\ntitle: f\nlogsource: {category: test}\n"
		 "filter: {rules: [c1], s: {A: x}, condition: s}\n",
		 "f:12:18: 'c1' is a correlation: a filter hides events, name the rules that it "
		 "counts\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sigma_told told = {};
		struct policy *p = policy_new(&sigma_schema, sigma_tell, &told);

		policy_text(p, "f", cases[i].yaml, strlen(cases[i].yaml));
		assert_int_equal(policy_finish(p), -EBADMSG);
		assert_string_equal(told.text, cases[i].want);
		policy_free(p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_event_time),
		cmocka_unit_test(expired),
		cmocka_unit_test(said),
		cmocka_unit_test(mistakes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
