// SPDX-License-Identifier: Apache-2.0
// Policies: documents that refer to each other, what rules have in common when many are loaded, and
// every mistake with its place and what would be right.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <time.h>

#include "support/sigma.h"

static void placeholders(void **state)
{
	static const char yaml[] =
		"placeholders:\n  web: [/srv/www, '/var/*']\n  net: [10.0.0.0/8, fd00::/8]\n"
		"  app: [tomcat, 'a?p']\n---\n"
		"title: paths\nlogsource: {category: test}\n"
		"detection: {s: {A|expand|startswith: '%web%/'}, condition: s}\n---\n"
		"title: nets\nlogsource: {category: test}\n"
		"detection: {s: {A|expand|cidr: '%net%'}, condition: s}\n---\n"
		"title: plain\nlogsource: {category: test}\n"
		"detection: {s: {A|expand: ['\\%web%', 'x%%y', '%app%-%app%']}, condition: "
		"s}\n---\n"
		"title: literal\nlogsource: {category: test}\n"
		"detection: {s: {A: '%web%'}, condition: s}\n---\n"
		"title: last\nlogsource: {category: test}\n"
		"detection: {s: {B|contains|expand: '%app%'}, condition: s}\n---\n"
		"title: re\nlogsource: {category: test}\n"
		"detection: {s: {C|re|expand: '^%app%$'}, condition: s}\n---\n"
		"title: net\nlogsource: {category: test}\n"
		"detection: {s: {D|cidr|expand: '%net%'}, condition: s}\n";
	static const struct {
		const char *field, *want;
	} cases[] = {
		{"A=/srv/www/x.jsp", "paths"},
		{"A=/srv/wwwx", ""},
		{"A=/var/lib/x", "paths"},
		{"A=10.2.3.4", "nets"},
		{"A=fd00::1", "nets"},
		{"A=%web%", "plain literal"},
		{"A=x%%y", "plain"},
		{"A=tomcat-app", "plain"},
		{"A=app-tomca", ""},
		{"B=x tomcat x", "last"},
		{"B=x axp x", "last"},
		{"C=tomcat", "re"},
		{"C=ap", "re"},
		{"D=10.1.1.1", "net"},
	};
	struct sigma_told told = {};
	struct policy *p = sigma_load(yaml, &told);
	struct match *m = match_new(policy_program(p));
	struct sigma_matched got;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *const fields[] = {cases[i].field, NULL};

		sigma_match(m, policy_program(p), 1, fields, &got);
		assert_string_equal(got.titles, cases[i].want);
	}
	match_free(m);
	policy_free(p);
}

/* Log sources are kept apart; a rule without one is for every event. */
static void sources(void **state)
{
	static const char yaml[] =
		"title: test\nlogsource: {category: test}\ndetection: {s: {A: x}, condition: "
		"s}\n---\n"
		"title: other\nlogsource: {category: other}\ndetection: {s: {A: x}, condition: s}\n"
		"---\ntitle: any\nlogsource: {product: linux}\ndetection: {s: {A: x}, condition: "
		"s}\n"
		"---\ntitle: slow\nlogsource: {category: other}\n"
		"detection: {s: {A|re: x}, condition: s}\n";
	static const char *const fields[] = {"A=x", NULL};
	struct sigma_told told = {};
	struct policy *p = sigma_load(yaml, &told);
	struct match *m = match_new(policy_program(p));
	struct sigma_matched got;

	(void)state;
	sigma_match(m, policy_program(p), 1, fields, &got);
	assert_string_equal(got.titles, "test any");
	sigma_match(m, policy_program(p), 2, fields, &got);
	assert_string_equal(got.titles, "other any slow");
	sigma_match(m, policy_program(p), 0, fields, &got);
	assert_string_equal(got.titles, "any");
	match_free(m);
	policy_free(p);
}

/* Rules that are found through a literal, and those that are not, say what they say alone. */
static void many_rules(void **state)
{
	struct sigma_told told = {};
	char *yaml;
	size_t size;
	FILE *f = open_memstream(&yaml, &size);
	struct policy *p;
	struct match *m;
	struct sigma_matched got;

	(void)state;
	for (unsigned i = 0; i < 1000; i++)
		fprintf(f,
			"title: t%u\nlogsource: {category: test}\ndetection:\n  s: {A|endswith: "
			"'/tool%u', B|contains: ['-x%u', common]}\n  f: {B: 'no%u'}\n"
			"  condition: s and not f\n---\n",
			i, i, i, i);
	fclose(f);
	p = sigma_load(yaml, &told);
	m = match_new(policy_program(p));
	for (unsigned i = 0; i < 1000; i += 37) {
		char a[32], b[32], want[16];
		const char *const fields[] = {a, b, NULL};

		snprintf(a, sizeof(a), "A=/bin/TOOL%u", i);
		snprintf(b, sizeof(b), "B=go -x%u", i);
		snprintf(want, sizeof(want), "t%u", i);
		sigma_match(m, policy_program(p), 1, fields, &got);
		assert_string_equal(got.titles, want);
		snprintf(b, sizeof(b), "B=no%u", i);
		sigma_match(m, policy_program(p), 1, fields, &got);
		assert_string_equal(got.titles, "");
		snprintf(b, sizeof(b), "B=common");
		sigma_match(m, policy_program(p), 1, fields, &got);
		assert_string_equal(got.titles, want);
	}
	match_free(m);
	policy_free(p);
	free(yaml);
}

/* A list as feeds have it, in no time: each domain is found with all below it, and no other. */
static void long_list(void **state)
{
	struct sigma_told told = {};
	clock_t begun;
	char *yaml, a[64];
	size_t size;
	FILE *f = open_memstream(&yaml, &size);
	struct policy *p;
	struct match *m;
	struct sigma_matched got;

	(void)state;
	fputs("placeholders:\n  bad:\n", f);
	for (unsigned i = 0; i < 1000; i++)
		fprintf(f, "    - d%u.example\n", i * 7919);
	fputs("---\ntitle: bad\nlogsource: {category: test}\ndetection:\n"
	      "  itself: {A|expand: '%bad%'}\n  below: {A|expand|endswith: '.%bad%'}\n"
	      "  condition: 1 of them\n",
	      f);
	fclose(f);
	begun = clock();
	p = sigma_load(yaml, &told);
	assert_true(clock() - begun < CLOCKS_PER_SEC / 4);
	m = match_new(policy_program(p));
	for (unsigned i = 0; i < 1000; i++) {
		const char *const fields[] = {a, NULL};

		snprintf(a, sizeof(a), "A=%sD%u.example", i % 2 ? "www." : "", i * 7919);
		sigma_match(m, policy_program(p), 1, fields, &got);
		assert_string_equal(got.titles, "bad");
		snprintf(a, sizeof(a), "A=x%u.example", i * 7919);
		sigma_match(m, policy_program(p), 1, fields, &got);
		assert_string_equal(got.titles, "");
	}
	match_free(m);
	policy_free(p);
	free(yaml);
}

static void filters(void **state)
{
	static const char yaml[] =
		"title: one\nname: one\nlogsource: {category: test}\n"
		"detection: {s: {A: x}, condition: s}\n---\n"
		"title: two\nid: 929A690e-bef0-4204-a928-ef5e620d6fcc\nlogsource: {category: "
		"test}\n"
		"detection: {s: {A: x}, condition: s}\n---\n"
		"title: f\nlogsource: {category: test}\n"
		"filter: {rules: [one], selection: {B: adm}, condition: selection}\n---\n"
		"title: g\nlogsource: {category: test}\nfilter:\n"
		"  rules: [one, 929a690e-bef0-4204-a928-ef5e620d6fcc]\n"
		"  selection: {C: yes}\n  condition: not selection\n";
	static const char *const plain[] = {"A=x", NULL}, *const adm[] = {"A=x", "B=adm", NULL},
				 *const yes[] = {"A=x", "C=yes", NULL};
	struct sigma_told told = {};
	struct policy *p = sigma_load(yaml, &told);
	struct match *m = match_new(policy_program(p));
	struct sigma_matched got;

	(void)state;
	sigma_match(m, policy_program(p), 1, plain, &got);
	assert_string_equal(got.titles, "one two");
	sigma_match(m, policy_program(p), 1, adm, &got);
	assert_string_equal(got.titles, "two");
	sigma_match(m, policy_program(p), 1, yes, &got);
	assert_string_equal(got.titles, "");
	match_free(m);
	policy_free(p);
}

/* What is hidden is what the condition selects; with nothing but negations, what it leaves. */
static void filter_conditions(void **state)
{
	static const struct {
		const char *condition;
		bool none, a, b, both; /* is the event hidden? */
	} cases[] = {
		{"a or _b", false, true, true, true},
		{"a and not _b", false, true, false, false},
		{"not a", false, true, false, true},
		{"not (a or _b)", false, true, true, true},
		{"not a and not _b", false, true, true, true},
		{"not a or not _b", false, false, false, true},
		{"not 1 of *", false, true, true, true},
		{"not not a", false, true, false, true},
		{"[not a, not _b]", false, false, false, true},
	};
	static const char *const events[][4] = {
		{"A=x"}, {"A=x", "B=1"}, {"A=x", "C=1"}, {"A=x", "B=1", "C=1"}};

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
		const bool want[] = {cases[i / 2].none, cases[i / 2].a, cases[i / 2].b,
				     cases[i / 2].both};
		const char *condition = cases[i / 2].condition;
		struct sigma_told told = {};
		struct policy *p;
		struct match *m;
		char yaml[600];

		/* An exception that has not expired hides the same. */
		snprintf(yaml, sizeof(yaml),
			 "title: t\nname: t\nlogsource: {category: test}\n"
			 "detection: {s: {A: x}, condition: s}\n---\n"
			 "title: f\n%slogsource: {category: test}\n"
			 "filter:\n  rules: [t]\n  a: {B: 1}\n  _b: {C: 1}\n  condition: %s\n",
			 i % 2 ? "expiry: 2090-01-01\n" : "", condition);
		p = sigma_load(yaml, &told);
		m = match_new(policy_program(p));
		for (unsigned k = 0; k < 4; k++) {
			struct sigma_matched got;
			const char *fields[6] = {"event.time#1"};

			memcpy(fields + 1, events[k], sizeof(events[k]));
			sigma_match(m, policy_program(p), 1, fields, &got);
			if (!*got.titles != want[k])
				fail_msg("%s: event %u is %shidden", yaml, k,
					 *got.titles ? "not " : "");
		}
		match_free(m);
		policy_free(p);
	}
}

/* Of all rules of its log source; of one, that is named without a list. */
static void filters_of_any(void **state)
{
#define ONE(name, category)                                                                        \
	"title: " name "\nname: " name "\nlogsource: {category: " category                         \
	"}\ndetection: {s: {A: x}, condition: s}\n---\n"
	static const char yaml[] = ONE("one", "test") ONE("two", "test")
		ONE("three", "other") "title: f\nlogsource: {category: test}\n"
				      "filter: {rules: any, s: {Alpha: adm}, condition: s}\n---\n"
				      "title: g\nlogsource: {product: linux}\n"
				      "filter: {rules: Any, s: {Alpha: all}, condition: s}\n---\n"
				      "title: h\nlogsource: {category: test}\n"
				      "filter: {rules: two, s: {Alpha: one}, condition: s}\n";
	static const struct {
		uint32_t source;
		const char *field, *want;
	} events[] = {
		{1, "Alpha=adm", ""},	   {2, "Alpha=adm", "three"}, {1, "Alpha=all", ""},
		{2, "Alpha=all", ""},	   {1, "Alpha=one", "one"},   {2, "Alpha=one", "three"},
		{1, "Alpha=x", "one two"},
	};
	struct sigma_told told = {};
	struct policy *p = sigma_load(yaml, &told);
	struct match *m = match_new(policy_program(p));
	struct sigma_matched got;

	(void)state;
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		const char *const fields[] = {"A=x", events[i].field, NULL};

		sigma_match(m, policy_program(p), events[i].source, fields, &got);
		assert_string_equal(got.titles, events[i].want);
	}
	match_free(m);
	policy_free(p);
}

/* A rule of one search; its first line is line 4, where field begins in column 5. */
#define RULE(search)                                                                               \
	"title: t\nlogsource: {category: test}\ndetection:\n  s:\n    " search "\n  condition: "   \
	"s\n"
#define COND(c)                                                                                    \
	"title: t\nlogsource: {category: test}\ndetection:\n  a: {A: x}\n  b: {B: x}\n  "          \
	"condition: " c "\n"

static const struct {
	const char *yaml, *want;
} cases[] = {
	{"{}", "1:1: 'title' is missing"},
	{"title: t", "1:1: 'detection', 'correlation' or 'filter' is missing"},
	{"- x", "1:1: a Sigma document is a map of keys"},
	{"title: t\ntitel: x", "2:1: unknown key 'titel'; did you mean 'title'?"},
	{"title: t\ntitle: u", "2:1: 'title' was given before"},
	{"title: t\nlevel: hihg",
	 "2:8: level: 'hihg' is none of informational, low, medium, high, critical"},
	{"title: t\nstatus: x",
	 "2:9: status: 'x' is none of stable, test, experimental, deprecated, unsupported"},
	{"title: t\ntaxonomy: ocsf", "2:11: taxonomy: 'ocsf' is none of sigma, ecs, rollcall"},
	{"title: t\ndate: 2026/01/30", "2:7: date: write YYYY-MM-DD"},
	{"title: t\ntags: attack.t1005", "2:7: tags: a list is expected here"},
	{"title: t\nlogsource: linux",
	 "2:12: logsource: category, product or service is expected here"},
	{"title: t\ndetection: {s: {A: x}, condition: s}", "1:1: 'logsource' is missing"},
	{"title: t\nlogsource: {category: test}\ndetection: {s: {A: x}}",
	 "3:12: the condition is missing"},
	{"title: t\nlogsource: {category: test}\ndetection: {s: {A: x}, condition: "
	 "s}\nfilter: {}",
	 "4:1: a document is a detection, a filter or a correlation"},
	{"title: t\nlogsource: {category: nope, product: linux}\ndetection: {s: {A: x}, "
	 "condition: s}",
	 "2:12: no event of this sensor is of category 'nope', product 'linux', service "
	 "''"},
	{RULE("A|contain: x"), "5:7: unknown modifier 'contain'; did you mean 'contains'?"},
	{RULE("A|contains|xyzzy: x"), "5:16: unknown modifier 'xyzzy'"},
	{RULE("A|cidr|contains: x"), "5:12: 'contains' cannot follow 'cidr'"},
	{RULE("A|contains|re: x"), "5:16: 're' takes the value as it is written: no "
				   "modifier that changes it may come before"},
	{RULE("A|i: x"), "5:7: 'i' comes after 're'"},
	{RULE("A|re: 'a(b'"), "5:15: re: 'a(b': missing closing parenthesis"},
	{RULE("A|re: 'a\\Cb'"), "5:15: re: 'a\\Cb': using \\C is disabled by the application"},
	{RULE("A|all: x"), "5:5: all is for a list of two values or more"},
	{RULE("A|all|neq: [x, y]"), "5:5: neq is none of the values: all cannot be with it"},
	{RULE("A|re|cased: x"), "5:5: 'cased' is not for 're'"},
	{RULE("A|exists|neq: true"), "5:5: neq is not for exists: write exists: false"},
	{RULE("'|startswith': x"), "5:5: startswith and endswith need a field"},
	{RULE("'|endswith': [x, y]"), "5:5: startswith and endswith need a field"},
	{RULE("A|minute: 60"), "5:15: '60' is no minute"},
	{RULE("A|hour: [3, 24]"), "5:17: '24' is no hour"},
	{RULE("A|day: 0"), "5:12: '0' is no day"},
	{RULE("A|week: 54"), "5:13: '54' is no week"},
	{RULE("A|month|neq: 1.5"), "5:18: '1.5' is no month"},
	{RULE("A|base64|expand: '%x%'"), "5:14: 'expand' takes the value as it is written: no "
					 "modifier that changes it may come before"},
	{RULE("A|exists: yes"), "5:15: exists: write true or false"},
	{RULE("A|cidr: 10.0.0.0"),
	 "5:13: cidr: '10.0.0.0': write a network, for example 10.0.0.0/8 or fd00::/8"},
	{RULE("A|cidr: 10.0.0.1/8"), "5:13: cidr: '10.0.0.1/8': bits beyond the network's are set"},
	{RULE("A|cidr: 10.0.0.0/33"),
	 "5:13: cidr: '10.0.0.0/33': write a network, for example 10.0.0.0/8 or fd00::/8"},
	{RULE("A|gt: many"), "5:11: 'many' is not a number"},
	{RULE("A|gt|lt: 5"), "5:10: 'lt' cannot follow 'a comparison'"},
	{RULE("A|gt: 0x10"), "5:11: '0x10' is not a number"},
	{RULE("A|base64: 'a*'"), "5:15: base64: a text without wildcards is expected "
				 "before Base64 (contains comes after it)"},
	{RULE("A|contains|base64: a"),
	 "5:16: 'base64' cannot encode the * of a modifier before it: contains, startswith "
	 "and endswith come after it"},
	{RULE("A|windash: '-a -b -c -d -e'"), "5:16: windash: more than four dashes"},
	{RULE("A|wide: 'a?b'"), "5:13: wide: only text and * can be UTF-16"},
	{RULE("A|expand: '%nope%'"), "5:16: placeholder 'nope' is not defined"},
	{RULE("A: [x, null]"), "5:12: null cannot be part of a list: write a search of its own"},
	{RULE("A|contains: null"), "5:7: 'contains' is not for null"},
	{RULE("A: []"), "5:8: an empty list matches nothing"},
	{RULE("A: {B: c}"), "5:8: a value is expected here"},
	{RULE("'|cidr': 10.0.0.0/8"), "5:5: 'cidr' needs a field"},
	{RULE("- - x"), "5:7: a map of fields is expected here"},
	{RULE("A: x\n    A: y"), "6:5: 'A' was given before"},
	{"title: t\nlogsource: {category: test}\ndetection: {s: {}, condition: s}",
	 "3:16: an empty search matches nothing"},
	{"title: t\nlogsource: {category: test}\ndetection: {s: [], condition: s}",
	 "3:16: an empty search matches nothing"},
	{"title: t\nlogsource: {category: test}\ndetection: {s: {A: x}, timeframe: 5m, "
	 "condition: s}",
	 "3:24: timeframe is of Sigma 1: write a correlation rule"},
	{COND("a"), "5:3: search 'b' is not used by the condition"},
	{COND("a and c"), "6:20: condition: 'c': no such search"},
	{COND("a and bb or b"), "6:20: condition: 'bb': no such search; did you mean 'b'?"},
	{COND("'a and c'"), "6:21: condition: 'c': no such search"},
	{COND("a and"), "6:19: condition: at its end: the name of a search is expected here"},
	{COND("(a and b"), "6:22: condition: at its end: ')' is expected here"},
	{COND("a b"), "6:16: condition: 'b': 'and' or 'or' is expected here"},
	{COND("a) or b"), "6:15: condition: ')': 'and' or 'or' is expected here"},
	{COND("2 of them"), "6:14: condition: '2': only '1 of' and 'all of' are Sigma"},
	{COND("any of them"), "6:14: condition: 'any': write '1 of'"},
	{COND("1 of c*"), "6:19: condition: 'c*': no search has such a name"},
	{COND("1 of"),
	 "6:18: condition: at its end: 'them' or a pattern of names is expected here"},
	{COND("a or b | count() > 5"),
	 "6:21: condition: '|': aggregations are of Sigma 1: write a correlation rule"},
	{COND("{a: b}"), "6:14: condition: a text is expected here"},
	{"title: t\nlogsource: {category: test}\nfilter: {rules: [x], s: {A: x}, "
	 "condition: s}",
	 "3:18: no rule has the id or name 'x'"},
	{"title: t\nlogsource: {category: test}\nfilter: {s: {A: x}, condition: s}",
	 "3:9: filter: 'rules' is missing: a list of ids and names, or any"},
	{"title: t\nlogsource: {category: test}\nfilter: {rules: [], s: {A: x}, condition: s}",
	 "3:17: filter: a list of ids and names is expected, or any"},
	{"title: t\nlogsource: {category: test}\nfilter: {rules: x, s: {A: x}, condition: s}",
	 "3:17: no rule has the id or name 'x'"},
	{"title: t\nlogsource: {category: nope}\nfilter: {rules: any, s: {A: x}, condition: s}",
	 "2:12: no event of this sensor is of category 'nope', product '', service ''"},
	{"title: t\nlogsource: {catgory: test}\ndetection: {s: {A: x}, condition: s}",
	 "2:13: logsource: unknown key 'catgory'; did you mean 'category'?"},
	{"title: t\nlogsource: {definition: test}\ndetection: {s: {A: x}, condition: s}",
	 "2:12: logsource: category, product or service is expected here"},
	{"action: global\ntitle: t\nlogsource: {category: test}",
	 "1:1: action is of Sigma 1: write each document whole"},
	{"title: t\ndate: 2026-13-01", "2:7: date: write YYYY-MM-DD"},
	{"placeholders: [x]", "1:15: names and lists of values are expected here"},
	{"placeholders: {x: y}", "1:19: x: a list of values is expected here"},
	{"placeholders: {x: [y], x: [z]}", "1:24: placeholder 'x' was given before"},
	{"placeholders: {x: [y]}\nrules: 1", "2:1: a document of placeholders has the keys "
					     "title, description and placeholders"},
	{"title: &x t", "1:8: anchors, aliases and tags are not used here"},
	{"title: 't", "1:10: found unexpected end of stream"},
	{"[[[[[[[[[[[[[[[[[", "1:17: nested too deep: a Sigma rule needs no more than 6 levels"},
};

static void mistakes(void **state)
{
	unsigned wrong = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sigma_told told = {};
		struct policy *p = policy_new(&sigma_schema, sigma_tell, &told);
		char want[256];

		assert_int_equal(policy_text(p, "f", cases[i].yaml, strlen(cases[i].yaml)), 0);
		assert_int_equal(policy_finish(p), -EBADMSG);
		snprintf(want, sizeof(want), "f:%s\n", cases[i].want);
		if (strncmp(told.text, want, strlen(want)) != 0) {
			print_message("%s\nsays %swant %s", cases[i].yaml, told.text, want);
			wrong++;
		}
		assert_true(policy_mistakes(p) > 0);
		policy_free(p);
	}
	assert_int_equal(wrong, 0);
}

/* Every mistake of every document is told, not the first only. */
static void all_mistakes(void **state)
{
	struct sigma_told told = {};
	struct policy *p = policy_new(&sigma_schema, sigma_tell, &told);
	static const char
		a[] = RULE("A|contain: x"),
		b[] = RULE("A|re: '('"),
		c[] = "title: u\nid: 1\nlogsource: {category: test}\ndetection: {s: {A: x}, "
		      "condition: s}\n---\ntitle: v\nid: 1\nlogsource: {category: test}\n"
		      "detection: {s: {A: x}, condition: s}\n";

	(void)state;
	policy_text(p, "a", a, strlen(a));
	policy_text(p, "b", b, strlen(b));
	policy_text(p, "c", c, strlen(c));
	assert_int_equal(policy_finish(p), -EBADMSG);
	assert_string_equal(told.text,
			    "a:5:7: unknown modifier 'contain'; did you mean 'contains'?\n"
			    "c:7:5: '1' is the id of 'u' in c\n"
			    "b:5:13: re: '(': missing closing parenthesis\n");
	policy_free(p);
}

static void notes(void **state)
{
	static const char yaml[] = "title: t\nname: t\nlogsource: {category: other, x: y}\n"
				   "detection:\n  s: {A: x, Alpah: y, Zeta: z, A|fieldref: Zet}\n"
				   "  condition: s\nresponse: call\n---\ntitle: f\n"
				   "logsource: {category: other}\n"
				   "filter: {rules: [t], s: {Eta: x}, condition: s}\n";
	struct sigma_told told = {};
	struct policy *p = policy_new(&sigma_schema, sigma_tell, &told);

	(void)state;
	policy_text(p, "f", yaml, strlen(yaml));
	assert_int_equal(policy_finish(p), 0);
	assert_string_equal(
		told.text,
		"f:3:30: note: logsource: 'x' is not read\n"
		"f:7:1: note: 'response' is no key of Sigma: it is not read\n"
		"f:5:13: note: no event of this log source has the field 'Alpah'; did you mean "
		"'Alpha'?\n"
		"f:5:23: note: no event of this log source has the field 'Zeta'\n"
		"f:5:44: note: no event of this log source has the field 'Zet'\n"
		"f:11:26: note: no event of this log source has the field 'Eta'\n");
	assert_int_equal(policy_notes(p), 6);
	policy_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(placeholders),	  cmocka_unit_test(sources),
		cmocka_unit_test(many_rules),	  cmocka_unit_test(filters),
		cmocka_unit_test(long_list),	  cmocka_unit_test(mistakes),
		cmocka_unit_test(all_mistakes),	  cmocka_unit_test(notes),
		cmocka_unit_test(filters_of_any), cmocka_unit_test(filter_conditions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
