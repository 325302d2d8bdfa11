// SPDX-License-Identifier: Apache-2.0
// Sigma rules against events: every modifier, strings and their escapes, conditions, keywords,
// null.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/sigma/regex.h"
#include "support/sigma.h"

#define FIELDS_MAX 8

struct one {
	const char *detection; /* lines of the detection, "\n" between; ended by the condition */
	const char *fields[FIELDS_MAX];
	bool want;
};

/* "S: x" lines of one search "s" when no condition is given. */
static char *rule_of(const char *detection)
{
	bool whole = strstr(detection, "condition:") != NULL;
	char *yaml, *out;
	size_t n;
	FILE *f = open_memstream(&out, &n);

	fprintf(f, "title: t\nlogsource: {category: test}\ndetection:\n");
	if (!whole)
		fputs("  s:\n", f);
	for (const char *line = detection; *line;) {
		size_t len = strcspn(line, "\n");

		fprintf(f, "%s%.*s\n", whole ? "  " : "    ", (int)len, line);
		line += len + (line[len] == '\n');
	}
	if (!whole)
		fputs("  condition: s\n", f);
	fclose(f);
	yaml = out;
	return yaml;
}

static void check(const struct one *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct sigma_told told = {};
		char *yaml = rule_of(cases[i].detection);
		struct policy *p = sigma_load(yaml, &told);
		struct match *m = match_new(policy_program(p));
		struct sigma_matched got;

		for (unsigned k = 0; k < 2; k++) {
			sigma_match(m, policy_program(p), 1, cases[i].fields, &got);
			if ((*got.titles != '\0') != cases[i].want)
				fail_msg("case %zu: %s\nagainst %s ...: %smatched", i, yaml,
					 cases[i].fields[0] ? cases[i].fields[0] : "nothing",
					 *got.titles ? "" : "not ");
		}
		match_free(m);
		policy_free(p);
		free(yaml);
	}
}
#define CHECK(cases) check(cases, sizeof(cases) / sizeof(cases[0]))

static void strings(void **state)
{
	static const struct one cases[] = {
		{"A: abc", {"A=abc"}, true},
		{"A: abc", {"A=ABC"}, true},
		{"A: ABC", {"A=abc"}, true},
		{"A: abc", {"A=abcd"}, false},
		{"A: abc", {"A=xabc"}, false},
		{"A: abc", {"B=abc"}, false},
		{"A: abc", {"A=x", "A=abc"}, true}, /* any of the values */
		{"A|cased: abc", {"A=ABC"}, false},
		{"A|cased: aBc", {"A=aBc"}, true},
		{"A|cased|contains: aBc", {"A=xaBcx"}, true},
		{"A|cased|contains: aBc", {"A=abcABCaBC"}, false},
		{"A: 5", {"A=5"}, true},
		{"A: 5", {"A#5"}, true},
		{"A: '5'", {"A#5"}, true},
		{"A: 5", {"A#5.5"}, false},
		{"A: 0.25", {"A#0.25"}, true},
		{"A: -3", {"A#-3"}, true},
		{"A: true", {"A=true"}, true},
		{"A: \"M\xc3\x9cLLER\"", {"A=M\xc3\xbcller"}, true},
		{"A: \"m\xc3\xbcller\"", {"A=M\xc3\x9cLLER"}, true},
		{"A|contains: \"\xd0\xb6\"", {"A=x\xd0\x96x"}, true}, /* Cyrillic */
		{"A: \"\xce\xa3\"", {"A=\xcf\x82"}, true},	      /* capital and final sigma */
		{"A: k", {"A=\xe2\x84\xaa"}, true},		      /* the Kelvin sign */
		{"A|cased: \"\xc3\x9c\"", {"A=\xc3\xbc"}, false},
		{"A: \"\xc3\x9f\"", {"A=ss"}, false}, /* simple folding keeps lengths */
		{"A|contains: abc",
		 {"A=\xff\xfe"
		  "abc\x80"},
		 true},
		{"A|endswith: \"\xe1\xba\x9e\"", {"A=x\xc3\x9f"}, true},
		{"A: ''", {"A="}, true},
		{"A: ''", {"A=x"}, false},
		{"A: ''", {"A"}, false},
		{"A: ''", {"B=x"}, false},
		{"A: [x, '']", {"A="}, true},
		{"A: [x, '']", {"A=x"}, true},
		{"A: [x, '']", {"A=y"}, false},
	};

	(void)state;
	CHECK(cases);
}

static void wildcards(void **state)
{
	static const struct one cases[] = {
		{"A: 'a*'", {"A=abc"}, true},
		{"A: 'a*'", {"A=a"}, true},
		{"A: 'a*'", {"A=ba"}, false},
		{"A: '*a'", {"A=ba"}, true},
		{"A: '*a'", {"A=ab"}, false},
		{"A: '*a*'", {"A=bab"}, true},
		{"A: 'a?c'", {"A=abc"}, true},
		{"A: 'a?c'", {"A=ac"}, false},
		{"A: 'a?c'",
		 {"A=a\xc3\xa4"
		  "c"},
		 true}, /* one character, two bytes */
		{"A: 'a??c'",
		 {"A=a\xc3\xa4"
		  "c"},
		 false},
		{"A: 'a*b*c'", {"A=aXbXc"}, true},
		{"A: 'a*b*c'", {"A=aXbX"}, false},
		{"A: 'a*bc*d'", {"A=aXbXbcXd"}, true},
		{"A: '*'", {"A=x"}, true},
		{"A: '*'", {"A="}, true},
		{"A: '*'", {"A"}, false},
		{"A: '*'", {"B=x"}, false},
		{"A: '?'", {"A=x"}, true},
		{"A: '?'", {"A="}, false},
		{"A: '?*'", {"A="}, false},
		{"A: ['a*', 'b?']", {"A=bx"}, true},
		{"A: ['a*', 'b?']", {"A=bxx"}, false},
		{"A: 'A*C'", {"A=abc"}, true},
		{"A|cased: 'A*C'", {"A=abc"}, false},
		{"A|cased: 'A*C'", {"A=AbC"}, true},
		/* Escapes: \* and \? are plain, \\ before a wildcard is a backslash. */
		{"A: 'a\\*c'", {"A=a*c"}, true},
		{"A: 'a\\*c'", {"A=abc"}, false},
		{"A: 'a\\?c'", {"A=a?c"}, true},
		{"A: 'a\\?c'", {"A=abc"}, false},
		{"A: 'a\\\\*'", {"A=a\\xyz"}, true},
		{"A: 'a\\\\*'", {"A=a*"}, false},
		{"A: 'a\\\\\\*c'", {"A=a\\*c"}, true},
		{"A: 'a\\\\\\*c'", {"A=a\\xc"}, false},
		{"A: 'a\\b'", {"A=a\\b"}, true},
		{"A: 'a\\\\b'", {"A=a\\b"}, true},
		{"A: 'a\\\\b'", {"A=a\\\\b"}, false},
		{"A: 'a\\\\\\\\b'", {"A=a\\\\b"}, true},
		{"A: 'a\\\\\\'", {"A=a\\\\"}, true},
		{"A: 'a\\'", {"A=a\\"}, true},
		{"A|contains: '\\*'", {"A=x*x"}, true},
		{"A|contains: '\\*'", {"A=xx"}, false},
		{"A|endswith: '\\\\cmd'", {"A=C:\\cmd"}, true},
		/* A long way round for a matcher that goes back. */
		{"A: '*a*a*a*a*a*a*a*b'",
		 {"A=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},
		 false},
	};

	(void)state;
	CHECK(cases);
}

static void parts(void **state)
{
	static const struct one cases[] = {
		{"A|contains: b", {"A=abc"}, true},
		{"A|contains: b", {"A=acd"}, false},
		{"A|startswith: ab", {"A=abc"}, true},
		{"A|startswith: ab", {"A=xabc"}, false},
		{"A|startswith: ab", {"A=ab"}, true},
		{"A|endswith: bc", {"A=abc"}, true},
		{"A|endswith: bc", {"A=bcd"}, false},
		{"A|endswith: bc", {"A=bc"}, true},
		{"A|contains: 'b*d'", {"A=abcde"}, true},
		{"A|contains: 'b?d'", {"A=abcde"}, true},
		{"A|contains: 'b?d'", {"A=abde"}, false},
		{"A|endswith: ['x', 'y']", {"A=ay"}, true},
		{"A|contains|all: ['x', 'y']", {"A=axby"}, true},
		{"A|contains|all: ['x', 'y']", {"A=ax"}, false},
		{"A|all|contains: ['x', 'y']", {"A=axby"}, true},
		{"A|all: ['x*', '*y']", {"A=xy"}, true},
		{"A|contains|all: ['x', 'y']", {"A=x", "A=y"}, true}, /* a value each */
		{"A|contains: ''", {"A=x"}, true},
		{"A|neq: x", {"A=y"}, true},
		{"A|neq: x", {"A=X"}, false},
		{"A|neq: x", {"B=y"}, true}, /* as "not" */
		{"A|neq: [x, y]", {"A=y"}, false},
		{"A|neq: [x, y]", {"A=z"}, true},
		{"A|contains|neq: b", {"A=abc"}, false},
		{"A|neq: null", {"A=x"}, true},
		{"A|neq: null", {"B=x"}, false},
	};

	(void)state;
	CHECK(cases);
}

static void presence(void **state)
{
	static const struct one cases[] = {
		{"A: null", {"B=x"}, true},
		{"A: null", {"A"}, true},
		{"A: ~", {"A"}, true},
		{"A:", {"A"}, true},
		{"A: null", {"A="}, false},
		{"A: null", {"A=x"}, false},
		{"A: 'null'", {"A=null"}, true},
		{"A: 'null'", {"A"}, false},
		{"A|exists: true", {"A=x"}, true},
		{"A|exists: true", {"A="}, true},
		{"A|exists: true", {"A"}, true}, /* there, with no value */
		{"A|exists: true", {"B=x"}, false},
		{"A|exists: false", {"B=x"}, true},
		{"A|exists: false", {"A=x"}, false},
		{"a: {A: x}\nf: {B: null}\ncondition: a and not f", {"A=x", "B=1"}, true},
		{"a: {A: x}\nf: {B: null}\ncondition: a and not f", {"A=x"}, false},
	};

	(void)state;
	CHECK(cases);
}

static void regexes(void **state)
{
	static const struct one cases[] = {
		{"A|re: 'b.d'", {"A=abcde"}, true},
		{"A|re: 'B.D'", {"A=abcde"}, false},
		{"A|re|i: 'B.D'", {"A=abcde"}, true},
		{"A|re: '^b'", {"A=a\nb"}, false},
		{"A|re|m: '^b'", {"A=a\nb"}, true},
		{"A|re: 'a.b'", {"A=a\nb"}, false},
		{"A|re|s: 'a.b'", {"A=a\nb"}, true},
		{"A|re|i|m|s: '^B.c$'", {"A=a\nb\nC"}, true},
		{"A|re: '^a{2,3}$'", {"A=aaa"}, true},
		{"A|re: '^a{2,3}$'", {"A=aaaa"}, false},
		{"A|re: '(foo|bar)[^0-9]'", {"A=bar-"}, true},
		{"A|re: 'a\\*b'", {"A=a*b"}, true}, /* backslashes are the expression's own */
		{"A|re: 'a(?=b)'", {"A=ab"}, true}, /* look-around is PCRE2's */
		{"A|re: 'a(?!b)'", {"A=ab"}, false},
		{"A|re: '(?<!x)a'", {"A=xa"}, false},
		{"A|re: ['x', 'b']", {"A=abc"}, true},
		{"A|re|all: ['a', 'b']", {"A=ac"}, false},
		{"A|re|all: ['a', 'b']", {"A=ab"}, true},
		{"A|re|neq: '^a'", {"A=b"}, true},
		{"A|re: '^.$'", {"A=\xc3\xa4"}, true},
		{"A|re: 'b'",
		 {"A=\xff\xff"
		  "b"},
		 true},
		{"A|re: '5'", {"A#5"}, true},
		/* Gives up; does not hang. */
		{"A|re: '^(a+)+$'",
		 {"A=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"},
		 false},
	};

	(void)state;
	CHECK(cases);
}

/* What is taken for needed by a regular expression must be: else a match would not be looked for.
 */
static void regex_literals(void **state)
{
	static const struct {
		const char *regex, *literal;
	} cases[] = {
		{"curl", "curl"},
		{"curl.*http", "curl"},
		{"a.bcd", "bcd"},
		{"abcd?", "abc"},
		{"abcd*e", "abc"},
		{"ab+cde", "cde"},
		{"abcd{0,2}efghi", "efghi"},
		{"ab(cdefg)?h", "ab"},
		{"ab(?:cdefg|x)hij", "hij"},
		{"abc|def", ""},
		{"(abc|def)gh", "gh"},
		{"(?i)abc", ""},
		{"(?=abc)d", ""},
		{"a\\.b\\/c", "a.b/c"},
		{"a\\.?bcd", "bcd"},
		{"abc\\d+def1", "def1"},
		{"\\x41bc", ""},
		{"\\Qa.b\\E", ""},
		{"[abcdef]gh", "gh"},
		{"[]abcdef]gh", "gh"},
		{"[^]abcdef]gh", "gh"},
		{"[a\\]bcdef]gh", "gh"},
		{"[[:alpha:]xyz]a", ""},
		{"ab([)]cdefg)h", "ab"},
		{"ab(c\\)defgh)i", "ab"},
		{"^abc$", "abc"},
		{"ab\xc3\xa4?cde", "cde"},
		{"a\xc3\xa4", "a"},
		{"(abc)\\1de", ""},
		{"a{", ""},
		{"", ""},
		{"\\", ""},
		{"(((abc", ""},
		{"[abc", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char out[64];
		size_t n = regex_literal(cases[i].regex, strlen(cases[i].regex), out);

		out[n] = '\0';
		assert_string_equal(out, cases[i].literal);
	}
}

/* An expression whose literal is there often is still run once. */
static void regexes_with_literals(void **state)
{
	static const struct one cases[] = {
		{"A|re: 'curl.*http'", {"A=x curl -s http://x"}, true},
		{"A|re: 'curl.*http'", {"A=x CURL -s http://x"}, false},
		{"A|re|i: 'CURL.*http'", {"A=x curl -s HTTP://x"}, true},
		{"A|re|i: 'kkk'", {"A=\xe2\x84\xaaKk"}, true},
		{"A|re: 'curl.*http'", {"A=curl curl curl"}, false},
		{"A|re: 'curl.*http'", {"A=curl", "A=curl http"}, true},
		{"A|re: 'curl.*http'", {"A=curl", "A=http"}, false},
		{"A|re|all: ['curl', 'http']", {"A=http curl"}, true},
		{"A|re|neq: 'curl'", {"A=curl"}, false},
		{"'|re': 'o+ne'", {"B=xoone"}, true},
		/* The other modifiers of the value's place. */
		{"A|re|startswith: 'b|abc'", {"A=abcd"}, true},
		{"A|re|startswith: 'b|abc'", {"A=xabc"}, false},
		{"A|re|endswith: 'abc|b'", {"A=xabc"}, true},
		{"A|re|endswith: 'abc|b'", {"A=abcx"}, false},
		{"A|re|contains: 'a.c'", {"A=xabcx"}, true},
		{"A|re|i|startswith: 'abc'", {"A=ABCd"}, true},
		{"A|re|i|startswith: 'abc'", {"A=xABC"}, false},
	};

	(void)state;
	CHECK(cases);
}

static void networks(void **state)
{
	static const struct one cases[] = {
		{"A|cidr: 10.0.0.0/8", {"A=10.1.2.3"}, true},
		{"A|cidr: 10.0.0.0/8", {"A=11.1.2.3"}, false},
		{"A|cidr: 192.168.4.0/23", {"A=192.168.5.255"}, true},
		{"A|cidr: 192.168.4.0/23", {"A=192.168.6.0"}, false},
		{"A|cidr: 10.0.0.1/32", {"A=10.0.0.1"}, true},
		{"A|cidr: 0.0.0.0/0", {"A=8.8.8.8"}, true},
		{"A|cidr: 0.0.0.0/0", {"A=2001:db8::1"}, false},
		{"A|cidr: fd00::/8", {"A=fd12::1"}, true},
		{"A|cidr: fd00::/8", {"A=[fd12::1]"}, true},
		{"A|cidr: fd00::/8", {"A=fe80::1"}, false},
		{"A|cidr: '::1/128'", {"A=::1"}, true},
		{"A|cidr: 10.0.0.0/8", {"A=::ffff:10.0.0.1"}, true},
		{"A|cidr: 10.0.0.0/8", {"A=10.0.0.x"}, false},
		{"A|cidr: 10.0.0.0/8", {"A="}, false},
		{"A|cidr: [10.0.0.0/8, 192.168.0.0/16]", {"A=192.168.1.1"}, true},
		{"A|cidr|neq: 10.0.0.0/8", {"A=192.168.1.1"}, true},
		{"A|cidr: '::/0'", {"A=10.0.0.1"}, false}, /* nor is IPv4 in IPv6 */
		{"A|cidr: '::/0'", {"A=2001:db8::1"}, true},
		{"A|cidr: '::ffff:0:0/96'", {"A=10.0.0.1"}, true},
	};

	(void)state;
	CHECK(cases);
}

static void encodings(void **state)
{
	static const struct one cases[] = {
		{"A|base64: foobar", {"A=Zm9vYmFy"}, true},
		{"A|base64|contains: foobar", {"A=xxZm9vYmFyxx"}, true},
		{"A|base64: fo", {"A=Zm8="}, true},
		/* "foobar" after 0, 1 and 2 other bytes: "foobar", "xfoobar", "xyfoobarz" */
		{"A|base64offset|contains: foobar", {"A=Zm9vYmFy"}, true},
		{"A|base64offset|contains: foobar", {"A=eGZvb2Jhcg=="}, true},
		{"A|base64offset|contains: foobar", {"A=eHlmb29iYXJ6"}, true},
		{"A|base64offset|contains: foobar", {"A=Zm9vYmF6"}, false},
		{"A|base64offset|contains|all: [foobar, xfo]", {"A=eGZvb2Jhcg=="}, true},
		{"A|wide|base64: cmd", {"A=YwBtAGQA"}, true},
		{"A|utf16le|base64: cmd", {"A=YwBtAGQA"}, true},
		{"A|utf16be|base64: cmd", {"A=AGMAbQBk"}, true},
		{"A|utf16|base64: cmd", {"A=//5jAG0AZAA="}, true},
		{"A|wide|base64offset|contains: cmd", {"A=xxYwBtAGQAxx"}, true},
		{"A|wide|base64: \"\xf0\x9f\x98\x80\"",
		 {"A=PdgA3g=="},
		 true}, /* a surrogate pair */
		{"A|windash: '-x'", {"A=/x"}, true},
		{"A|windash: '/x'", {"A=-x"}, true},
		{"A|windash|contains: ' -x'",
		 {"A=cmd \xe2\x80\x93"
		  "x"},
		 true},
		{"A|windash|contains: ' -x'",
		 {"A=cmd \xe2\x80\x94"
		  "x"},
		 true},
		{"A|contains|windash: ' -x'",
		 {"A=cmd \xe2\x80\x95"
		  "x"},
		 true},
		{"A|windash|contains: ' -x'", {"A=cmd +x"}, false},
		{"A|windash|contains: ' -x -y'", {"A=cmd /x -y"}, true},
		{"A|windash|contains|all: [' -x', ' -y']", {"A=cmd /y -x"}, true},
	};

	(void)state;
	CHECK(cases);
}

static void numbers(void **state)
{
	static const struct one cases[] = {
		{"A|gt: 5", {"A#6"}, true},
		{"A|gt: 5", {"A#5"}, false},
		{"A|gte: 5", {"A#5"}, true},
		{"A|lt: 5", {"A#4"}, true},
		{"A|lt: 5", {"A#5"}, false},
		{"A|lte: 5", {"A#5"}, true},
		{"A|gt: 0.5", {"A#0.75"}, true},
		{"A|gt: -1", {"A#0"}, true},
		{"A|gt: 5", {"A=10"}, true}, /* as numbers, not as texts */
		{"A|gt: 5", {"A=x"}, false},
		{"A|gt: 5", {"A="}, false},
		{"A|gt: 5", {"B#9"}, false},
		{"A|lt: 5", {"B#9"}, false},
		{"A|gte: 1000000000000", {"A#1000000000001"}, true},
		{"A|gt|neq: 5", {"A#5"}, true},
		{"A|gt: 5\nA|lt: 10", {"A#7"}, true},
		/* 2026-01-30T09:12:44Z is a Friday of week 5. */
		{"A|minute: 12", {"A@1769764364"}, true},
		{"A|hour: 9", {"A@1769764364"}, true},
		{"A|hour: 10", {"A@1769764364"}, false},
		{"A|day: 30", {"A@1769764364"}, true},
		{"A|week: 5", {"A@1769764364"}, true},
		{"A|month: 1", {"A@1769764364"}, true},
		{"A|year: 2026", {"A@1769764364"}, true},
		{"A|hour: [8, 9]", {"A@1769764364"}, true},
		{"A|hour|gte: 9", {"A@1769764364"}, true},
		{"A|hour|lt: 9", {"A@1769764364"}, false},
		{"A|gte|hour: 9", {"A@1769764364"}, true},
		{"A|hour|neq: 9", {"A@1769764364"}, false},
		{"A|hour: 9", {"A=2026-01-30T09:12:44.5Z"}, true},
		{"A|day: 30", {"A=2026-01-30"}, true},
		{"A|hour: 9", {"A=9"}, false},
		{"A|hour: 9", {"A#9"}, false},
	};

	(void)state;
	CHECK(cases);
}

static void other_fields(void **state)
{
	static const struct one cases[] = {
		{"A|fieldref: B", {"A=x", "B=X"}, true},
		{"A|fieldref: B", {"A=x", "B=y"}, false},
		{"A|fieldref: B", {"A=x"}, false},
		{"A|fieldref: B", {"B=x"}, false},
		{"A|fieldref|cased: B", {"A=x", "B=X"}, false},
		{"A|fieldref|neq: B", {"A=x", "B=y"}, true},
		{"A|fieldref|contains: B", {"A=axb", "B=x"}, true},
		{"A|contains|fieldref: B", {"A=axb", "B=x"}, true},
		{"A|fieldref|contains: B", {"A=axb", "B="}, false},
		{"A|fieldref|startswith: B", {"A=abc", "B=ab"}, true},
		{"A|fieldref|endswith: B", {"A=abc", "B=bc"}, true},
		{"A|fieldref|endswith: B", {"A=abc", "B=b"}, false},
		{"A|fieldref: [B, C]", {"A=x", "B=y", "C=x"}, true},
		{"A|fieldref: B", {"A#5", "B=5"}, true},
	};

	(void)state;
	CHECK(cases);
}

static void conditions(void **state)
{
#define ABC "a: {A: x}\nb: {B: x}\nc: {C: x}\n"
	static const struct one cases[] = {
		{ABC "condition: a or b or c", {"B=x"}, true},
		{ABC "condition: a or b and c", {"A=x"}, true},
		{ABC "condition: (a or b) and c", {"A=x"}, false},
		{ABC "condition: (a or b) and c", {"A=x", "C=x"}, true},
		{ABC "condition: not a and b or c", {"C=x", "A=x"}, true},
		{ABC "condition: not (a or b) and c", {"C=x"}, true},
		{ABC "condition: NOT not c AND 1 OF them", {"C=x"}, true},
		{ABC "condition: all of them", {"A=x", "B=x"}, false},
		{ABC "condition: all of them", {"A=x", "B=x", "C=x"}, true},
		{ABC "condition: 1 of them", {"D=x"}, false},
		{ABC "condition: [a and b, c]", {"C=x"}, true},
		{ABC "condition: [a and b, c]", {"B=x"}, false},
		{ABC "condition: not 1 of them", {"D=x"}, true},
		{"a_1: {A: x}\na_2: {B: x}\nb: {C: x}\ncondition: all of a_* and not b",
		 {"A=x", "B=x"},
		 true},
		{"a_1: {A: x}\na_2: {B: x}\nb: {C: x}\ncondition: all of a_* and not b",
		 {"A=x", "B=x", "C=x"},
		 false},
		{"a_1_z: {A: x}\nb: {C: x}\ncondition: 1 of a*z or b", {"A=x"}, true},
		{"a: {A: x}\n_b: {B: x}\ncondition: 1 of them", {"B=x"}, false},
		{"a: {A: x}\n_b: {B: x}\ncondition: all of them", {"A=x"}, true},
		{"a: {A: x}\n_b: {B: x}\ncondition: 1 of _*  or a", {"B=x"}, true},
		{"a:\n  - A: x\n  - B: y\n    C: z\ncondition: a", {"A=x"}, true},
		{"a:\n  - A: x\n  - B: y\n    C: z\ncondition: a", {"B=y"}, false},
		{"a:\n  - A: x\n  - B: y\n    C: z\ncondition: a", {"B=y", "C=z"}, true},
		{"a:\n  - A: x\n  - key\ncondition: a", {"D=a key b"}, true},
	};

	(void)state;
	CHECK(cases);
}

static void keywords(void **state)
{
	static const struct one cases[] = {
		{"k: [one, two]\ncondition: k", {"A=xx TWO xx"}, true},
		{"k: [one, two]\ncondition: k", {"A=three", "B=one"}, true},
		{"k: [one, two]\ncondition: k", {"A=three"}, false},
		{"k: one\ncondition: k", {"A=xonex"}, true},
		{"k: ['o*e']\ncondition: k", {"A=x one x"}, true},
		{"k:\n  '|all': [one, two]\ncondition: k", {"A=one", "B=two"}, true},
		{"k:\n  '|all': [one, two]\ncondition: k", {"A=one"}, false},
		{"k:\n  '|re': '^o.e$'\ncondition: k", {"A=one"}, true},
		{"k:\n  '|re': '^o.e$'\ncondition: k", {"A=ones"}, false},
		{"k:\n  '|cased': One\ncondition: k", {"A=one"}, false},
		{"k: [5]\ncondition: k", {"A#50"}, true},
		{"k: [one]\nf: {A: null}\ncondition: k and not f", {"B=one"}, false},
	};

	(void)state;
	CHECK(cases);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strings),
		cmocka_unit_test(wildcards),
		cmocka_unit_test(parts),
		cmocka_unit_test(presence),
		cmocka_unit_test(regexes),
		cmocka_unit_test(regex_literals),
		cmocka_unit_test(regexes_with_literals),
		cmocka_unit_test(networks),
		cmocka_unit_test(encodings),
		cmocka_unit_test(numbers),
		cmocka_unit_test(other_fields),
		cmocka_unit_test(conditions),
		cmocka_unit_test(keywords),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
