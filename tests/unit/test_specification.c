// SPDX-License-Identifier: Apache-2.0
// The Sigma specification's own examples (version 2.1.0, public domain), each with events that it
// says match and events that it says do not. The places in it are named; ugly cases of modifiers
// that it only implies come after them.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>

#include "support/world.h"

#define FIELDS_MAX 8

/* The examples are of other systems' log sources. */
static int any_source(const struct rule_source *s)
{
	(void)s;
	return 1;
}

static bool any_field(uint32_t source, const char *name, const char **ret_near)
{
	(void)source;
	(void)name;
	(void)ret_near;
	return true;
}

static const struct policy_schema any_schema = {2, any_source, any_field};

static struct policy *load(const char *yaml)
{
	struct sigma_told told = {};
	struct policy *p = policy_new(&any_schema, sigma_tell, &told);

	if (policy_text(p, "f", yaml, strlen(yaml)) < 0 || policy_finish(p) < 0)
		fail_msg("%s\n%s", yaml, told.text);
	return p;
}

struct example {
	const char *detection; /* the text of "detection:", indented by two */
	const char *fields[FIELDS_MAX];
	bool want;
};

static void check(const struct example *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char yaml[2048];
		struct sigma_matched got;
		struct policy *p;
		struct match *m;

		snprintf(yaml, sizeof(yaml),
			 "title: t\nlogsource: {product: windows, service: security}\n"
			 "detection:\n%s",
			 cases[i].detection);
		p = load(yaml);
		m = match_new(policy_program(p));
		sigma_match(m, policy_program(p), 1, cases[i].fields, &got);
		if ((*got.titles != '\0') != cases[i].want)
			fail_msg("case %zu: %s\nagainst %s ...: %smatched", i, yaml,
				 cases[i].fields[0], *got.titles ? "" : "not ");
		match_free(m);
		policy_free(p);
	}
}
#define CHECK(cases) check(cases, sizeof(cases) / sizeof(cases[0]))

/* Sigma Rules Specification, "Detection" and "Condition". */
static void rules(void **state)
{
#define LIST                                                                                       \
	"  keywords:\n    - 'EVILSERVICE'\n    - 'svchost.exe -n evil'\n  condition: keywords\n"
#define MAPS                                                                                       \
	"  selection:\n    - Image|endswith: '\\\\example.exe'\n"                                  \
	"    - Description|contains: 'Test executable'\n  condition: selection\n"
#define CLEARED                                                                                    \
	"  selection:\n    EventLog: Security\n    EventID:\n      - 517\n      - 1102\n"          \
	"  condition: selection\n"
#define TICKET                                                                                     \
	"  selection:\n    EventLog: Security\n    EventID: 4769\n"                                \
	"    TicketOptions: '0x40810000'\n    TicketEncryption: '0x17'\n  condition: selection\n"
#define NOT_NULL                                                                                   \
	"  selection:\n    EventID: 4738\n  filter:\n    PasswordLastSet: null\n"                  \
	"  condition: selection and not filter\n"
#define EMPTY                                                                                      \
	"  selection_main:\n    FieldA: 'something'\n  selection_empty1:\n    FieldB: ''\n"        \
	"  selection_empty2:\n    FieldB: null\n"                                                  \
	"  condition: selection_main and 1 of selection_empty*\n"
#define EXISTS                                                                                     \
	"  selection:\n    EventID: 4738\n    PasswordLastSet|exists: true\n  condition: "         \
	"selection\n"
#define CMDLET                                                                                     \
	"  keywords_cmdlet:\n    '|all':\n      - 'OabVirtualDirectory'\n"                         \
	"      - ' -ExternalUrl '\n  condition: keywords_cmdlet\n"
	static const struct example cases[] = {
		{LIST, {"A=Service: evilservice started"}, true},
		{LIST, {"A=x", "B=C:\\svchost.exe -n evil"}, true},
		{LIST, {"A=svchost.exe -n good"}, false},
		{MAPS, {"Image=C:\\example.exe"}, true},
		{MAPS, {"Image=C:\\other.exe", "Description=A Test executable."}, true},
		{MAPS, {"Image=C:\\example.exe.txt", "Description=x"}, false},
		{CLEARED, {"EventLog=Security", "EventID#517"}, true},
		{CLEARED, {"EventLog=security", "EventID#1102"}, true},
		{CLEARED, {"EventLog=Security", "EventID#1103"}, false},
		{CLEARED, {"EventLog=System", "EventID#517"}, false},
		{TICKET,
		 {"EventLog=Security", "EventID#4769", "TicketOptions=0x40810000",
		  "TicketEncryption=0x17"},
		 true},
		{TICKET,
		 {"EventLog=Security", "EventID#4769", "TicketOptions=0x40810000",
		  "TicketEncryption=0x12"},
		 false},
		{NOT_NULL, {"EventID#4738", "PasswordLastSet=today"}, true},
		{NOT_NULL, {"EventID#4738", "PasswordLastSet="}, true},
		{NOT_NULL, {"EventID#4738", "PasswordLastSet"}, false},
		{NOT_NULL, {"EventID#4738"}, false},
		{EMPTY, {"FieldA=something", "FieldB="}, true},
		{EMPTY, {"FieldA=something", "FieldB"}, true},
		{EMPTY, {"FieldA=something"}, true},
		{EMPTY, {"FieldA=something", "FieldB=x"}, false},
		{EXISTS, {"EventID#4738", "PasswordLastSet"}, true},
		{EXISTS, {"EventID#4738", "PasswordLastSet=x"}, true},
		{EXISTS, {"EventID#4738"}, false},
		{CMDLET, {"A=Set-OabVirtualDirectory -ExternalUrl http"}, true},
		{CMDLET, {"A=Set-OabVirtualDirectory", "B=x -ExternalUrl y"}, true},
		{CMDLET, {"A=Set-OabVirtualDirectory"}, false},
		/* "progA.exe or progB.exe", "antivirus_V1.exe or antivirus_V21.2.1.exe" */
		{"  s: {A: 'prog?.exe'}\n  condition: s\n", {"A=progB.exe"}, true},
		{"  s: {A: 'prog?.exe'}\n  condition: s\n", {"A=prog.exe"}, false},
		{"  s: {A: 'antivirus_V*.exe'}\n  condition: s\n",
		 {"A=antivirus_V21.2.1.exe"},
		 true},
		/* "Three or four backslashes are handled as double backslash." */
		{"  s: {A: 'a\\\\\\b'}\n  condition: s\n", {"A=a\\\\b"}, true},
		{"  s: {A: 'a\\\\\\\\b'}\n  condition: s\n", {"A=a\\\\b"}, true},
		{"  s: {A: 'a\\\\\\b'}\n  condition: s\n", {"A=a\\b"}, false},
	};

	(void)state;
	CHECK(cases);
}

/* "Placeholders": \%plain is text, %name% is one. */
static void placeholders(void **state)
{
	static const char yaml[] =
		"placeholders:\n  Servers: ['srv*']\n  name: [x]\n---\n"
		"title: servers\nlogsource: {product: windows}\n"
		"detection: {s: {A|expand: '%Servers%'}, condition: s}\n---\n"
		"title: plain\nlogsource: {product: windows}\n"
		"detection: {s: {A|expand: '\\%plain%name%'}, condition: s}\n---\n"
		"title: literal\nlogsource: {product: windows}\n"
		"detection: {s: {A: '%name%'}, condition: s}\n";
	static const struct {
		const char *field, *want;
	} cases[] = {
		{"A=SRV17", "servers"},
		{"A=%plainx", "plain"},
		{"A=%name%", "literal"},
		{"A=%plain%name%", ""},
	};
	struct policy *p = load(yaml);
	struct match *m = match_new(policy_program(p));
	struct sigma_matched got;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		sigma_match(m, policy_program(p), 1, (const char *const[]){cases[i].field, NULL},
			    &got);
		assert_string_equal(got.titles, cases[i].want);
	}
	match_free(m);
	policy_free(p);
}

/* Sigma Filters Specification, "Examples". */
static void filter(void **state)
{
	static const char yaml[] =
		"title: rar\nid: 6f3e2987-db24-4c78-a860-b4f4095a7095\n"
		"logsource: {category: process_creation, product: windows}\n"
		"detection: {s: {Image|endswith: '\\rar.exe'}, condition: s}\n---\n"
		"title: jump\nid: df0841c0-9846-4e9f-ad8a-7df91571771b\n"
		"logsource: {category: process_creation, product: windows}\n"
		"detection: {s: {Host: jump}, condition: s}\n---\n"
		"title: Filter Administrator account\n"
		"description: The valid administrator account start with adm_\n"
		"logsource:\n    category: process_creation\n    product: windows\n"
		"filter:\n    rules:\n"
		"        - 6f3e2987-db24-4c78-a860-b4f4095a7095 # Data Compressed - rar.exe\n"
		"        - df0841c0-9846-4e9f-ad8a-7df91571771b # Login on jump host\n"
		"    selection:\n        User|startswith: 'adm_'\n    condition: selection\n";
	struct policy *p = load(yaml);
	struct match *m = match_new(policy_program(p));
	struct sigma_matched got;

	(void)state;
	sigma_match(m, policy_program(p), 1,
		    (const char *const[]){"Image=C:\\rar.exe", "Host=jump", "User=joe", NULL},
		    &got);
	assert_string_equal(got.titles, "rar jump");
	sigma_match(m, policy_program(p), 1,
		    (const char *const[]){"Image=C:\\rar.exe", "Host=jump", "User=ADM_joe", NULL},
		    &got);
	assert_string_equal(got.titles, "");
	sigma_match(m, policy_program(p), 1,
		    (const char *const[]){"Image=C:\\rar.exe", "Host=jump", NULL}, &got);
	assert_string_equal(got.titles, "rar jump");
	match_free(m);
	policy_free(p);
}

/* Sigma Correlation Rules Specification. */
#define SOURCE "logsource: {category: test}\n"
#define BASE(name)                                                                                 \
	"title: " name "\nname: " name "\n" SOURCE "detection: {s: {R: " name                      \
	"}, condition: s}\n---\n"

/* "Value Sum", "Value Average", "Value Percentile". */
static void metrics(void **state)
{
	struct world w;
	char value[32];

	(void)state;
	world_begin(&w, BASE("website_access") "title: Possible Exfiltration to Website\n"
					       "correlation:\n    type: value_sum\n    rules:\n    "
					       "    - website_access\n"
					       "    group-by:\n        - SourceIP\n        - "
					       "User\n    timespan: 1h\n"
					       "    condition:\n        field: bytes_sent\n        "
					       "gt: 1000000\n");
	AT(0, "R=website_access", "SourceIP=1", "User=u", "bytes_sent#600000");
	AT(1, "R=website_access", "SourceIP=2", "User=u", "bytes_sent#600000");
	assert_string_equal(AT(2, "R=website_access", "SourceIP=1", "User=u", "bytes_sent#400000"),
			    "");
	assert_string_equal(AT(3, "R=website_access", "SourceIP=1", "User=u", "bytes_sent#1"),
			    "Possible Exfiltration to Website[SourceIP=1, User=u] 1e+06 3;");
	world_end(&w);
	world_begin(&w, BASE("rule_a_id") "title: avg\ncorrelation:\n    type: value_avg\n"
					  "    rules:\n        - rule_a_id\n    group-by:\n        "
					  "- SourceIP\n"
					  "        - User\n    timespan: 24h\n    condition:\n     "
					  "   field: BytesOut\n"
					  "        gt: 500\n");
	AT(0, "R=rule_a_id", "SourceIP=1", "User=u", "BytesOut#400");
	AT(1, "R=rule_a_id", "SourceIP=1", "User=u", "BytesOut#601");
	AT(2, "R=rule_a_id", "SourceIP=2", "User=u", "BytesOut#500");
	assert_string_equal(AT(86399, "R=x"), "");
	assert_string_equal(AT(86500, "R=x"), "avg[SourceIP=1, User=u] 500.5 2 closed;");
	world_end(&w);
	/* A process that is at most one in a hundred of the computer's. */
	world_begin(&w, BASE("process_creation") "title: rare\ncorrelation:\n"
						 "    type: value_percentile\n    rules:\n        "
						 "- process_creation\n"
						 "    group-by:\n        - ComputerName\n    "
						 "timespan: 24h\n    condition:\n"
						 "        field: image\n        lte: 1\n");
	for (unsigned i = 0; i < 150; i++) {
		snprintf(value, sizeof(value), "image=/bin/%s", i % 2 ? "ls" : "cat");
		AT(i, "R=process_creation", "ComputerName=c", value);
	}
	assert_string_equal(AT(151, "R=process_creation", "ComputerName=c", "image=/bin/ls"), "");
	assert_non_null(strstr(AT(152, "R=process_creation", "ComputerName=c", "image=/tmp/x"),
			       "rare[ComputerName=c]"));
	world_end(&w);
	/* "Hint: median is a percentile 50." */
	world_begin(&w, BASE("p") "title: above\ncorrelation: {type: value_percentile, rules: [p], "
				  "group-by: [C], timespan: 1h, condition: {field: N, gt: 50}}\n");
	AT(0, "R=p", "C=c", "N#10");
	AT(1, "R=p", "C=c", "N#20");
	assert_string_equal(AT(2, "R=p", "C=c", "N#15"), ""); /* the median itself */
	assert_non_null(strstr(AT(3, "R=p", "C=c", "N#16"), "above[C=c]"));
	world_end(&w);
}

/* "Field Name Aliases Example", dots in the names and all. */
static void aliases(void **state)
{
	struct world w;

	(void)state;
	world_begin(&w,
		    "title: e\nname: internal_error\n" SOURCE
		    "detection:\n    selection:\n        http.response.status_code: 500\n"
		    "    condition: selection\n---\n"
		    "title: n\nname: new_network_connection\n" SOURCE
		    "detection:\n    selection:\n        event.category: network\n"
		    "        event.type: connection\n        event.outcome: success\n"
		    "    condition: selection\n---\n"
		    "title: both\ncorrelation:\n    type: temporal\n    rules:\n"
		    "        - internal_error\n        - new_network_connection\n    group-by:\n"
		    "        - internal_ip\n        - remote_ip\n    timespan: 10s\n    aliases:\n"
		    "        internal_ip:\n            internal_error: destination.ip\n"
		    "            new_network_connection: source.ip\n        remote_ip:\n"
		    "            internal_error: source.ip\n"
		    "            new_network_connection: destination.ip\n");
#define CONNECTS "event.category=network", "event.type=connection", "event.outcome=success"
	AT(0, "http.response.status_code#500", "destination.ip=10.0.0.1", "source.ip=8.8.8.8");
	assert_string_equal(AT(1, CONNECTS, "destination.ip=10.0.0.1", "source.ip=8.8.8.8"), "");
	assert_string_equal(AT(2, CONNECTS, "source.ip=10.0.0.1", "destination.ip=8.8.8.8"),
			    "both[internal_ip=10.0.0.1, remote_ip=8.8.8.8] 2 2;");
	world_end(&w);
}

/* "Failed Logins Followed by Successful Login": a chain, in the order of the specification. */
static void logins(void **state)
{
	struct world w;

	(void)state;
	world_begin(
		&w,
		"title: then\ncorrelation:\n    type: temporal_ordered\n    rules:\n"
		"        - multiple_failed_login\n        - successful_login\n    group-by:\n"
		"        - User\n    timespan: 10m\nfalsepositives:\n    - Unlikely\nlevel: high\n"
		"---\ntitle: many\nid: a8418a5a-5fc4-46b5-b23b-6c73beb19d41\n"
		"name: multiple_failed_login\ncorrelation:\n    type: event_count\n    rules:\n"
		"        - failed_login\n    group-by:\n        - User\n    timespan: 10m\n"
		"    condition:\n        gte: 10\n---\n"
		"title: one\nname: failed_login\n" SOURCE
		"detection:\n    selection:\n        EventID:\n            - 529\n"
		"            - 4625\n    condition: selection\n---\n"
		"title: success\nname: successful_login\n" SOURCE
		"detection:\n    selection:\n        EventID:\n            - 528\n"
		"            - 4624\n    condition: selection\n");
	/* A success that comes first is none that follows. */
	AT(0, "EventID#528", "User=x");
	for (unsigned i = 1; i < 10; i++)
		assert_string_equal(AT(i, i % 2 ? "EventID#529" : "EventID#4625", "User=x"), "");
	assert_string_equal(AT(11, "EventID#529", "User=x"), "many[User=x] 10 10;");
	assert_string_equal(AT(12, "EventID#4624", "User=y"), "");
	assert_string_equal(AT(13, "EventID#4624", "User=x"), "then[User=x] 2 2;");
	world_end(&w);
}

/* temporal_ordered where it is easily done wrong. */
static void order(void **state)
{
#define ORDERED                                                                                    \
	BASE("a")                                                                                  \
	BASE("b")                                                                                  \
	BASE("c")                                                                                  \
	"title: t\ncorrelation: {type: temporal_ordered, rules: [a, b, c], "                       \
	"group-by: [U], "                                                                          \
	"timespan: 10s}\n"
	struct world w;

	(void)state;
	world_begin(&w, ORDERED);
	/* All there, but never in this order. */
	AT(0, "R=c", "U=x");
	AT(1, "R=b", "U=x");
	assert_string_equal(AT(2, "R=a", "U=x"), "");
	AT(3, "R=c", "U=x");
	assert_string_equal(AT(4, "R=b", "U=x"), "");
	/* The third step of another group is none of this one. */
	assert_string_equal(AT(5, "R=c", "U=y"), "");
	assert_string_equal(AT(6, "R=c", "U=x"), "t[U=x] 3 3;");
	world_end(&w);
	/* The first step has left the timespan when the last comes; a later first has not. */
	world_begin(&w, ORDERED);
	AT(0, "R=a", "U=x");
	AT(5, "R=b", "U=x");
	AT(9, "R=a", "U=x");
	assert_string_equal(AT(11, "R=c", "U=x"), "");
	AT(12, "R=b", "U=x");
	assert_string_equal(AT(18, "R=c", "U=x"), "t[U=x] 3 3;");
	world_end(&w);
	/* At one and the same time, the order in which they are told is theirs. */
	world_begin(&w, ORDERED);
	AT(0, "R=a", "U=x");
	AT(0, "R=b", "U=x");
	assert_string_equal(AT(0, "R=c", "U=x"), "t[U=x] 3 3;");
	world_end(&w);
}

/* What only shows where two of them meet. */
static void ugly(void **state)
{
#define S(search) "  s:\n    " search "\n  condition: s\n"
	static const struct example cases[] = {
		/* Wildcards inside lists are each their own; escapes in one do not reach the next.
		 */
		{S("A|contains: ['a*c', 'd\\*f', 'g?i']"), {"A=xaBBcx"}, true},
		{S("A|contains: ['a*c', 'd\\*f', 'g?i']"), {"A=xd*fx"}, true},
		{S("A|contains: ['a*c', 'd\\*f', 'g?i']"), {"A=xdEfx"}, false},
		{S("A|contains: ['a*c', 'd\\*f', 'g?i']"), {"A=xghix"}, true},
		{S("A|contains|all: ['a*c', '?d']"), {"A=a-c-d"}, true},
		{S("A|contains|all: ['a*c', '?d']"), {"A=da-c"}, false},
		{S("A|startswith: ['\\\\*', 'x']"), {"A=\\server"}, true},
		{S("A|startswith: ['\\\\\\*', 'x']"), {"A=\\*"}, true},
		{S("A|endswith: ['*']"), {"A=x"}, true},
		{S("A|contains: '**'"), {"A=x"}, true},
		{S("A: '*\\\\'"), {"A=C:\\"}, true},
		{S("A: '\\\\\\\\server\\share'"), {"A=\\\\server\\share"}, true},
		/* Case folding of what is not ASCII, also beside wildcards. */
		{S("A|contains: \"\xc3\x84?\xc3\xb6\""), {"A=x\xc3\xa4-\xc3\x96x"}, true},
		{S("A|startswith: \"\xce\xa3\""), {"A=\xcf\x83x"}, true},
		{S("A|endswith: \"\xd0\x96\""), {"A=x\xd0\xb6"}, true},
		{S("A|cased|endswith: \"\xd0\x96\""), {"A=x\xd0\xb6"}, false},
		{S("A|re: \"\xd0\x96\""), {"A=\xd0\xb6"}, false},
		{S("A|re|i: \"\xd0\x96\""), {"A=\xd0\xb6"}, true},
		{S("A: \"\xc4\xb0\""), {"A=i"}, false}, /* dotted I: no simple fold but its own */
		{S("A: \"\xe2\x84\xab\""), {"A=\xc3\xa5"}, true}, /* the Angstrom sign */
		/* null against missing against empty. */
		{S("A: null"), {"A"}, true},
		{S("A: null"), {"A="}, false},
		{S("A: ''"), {"A"}, false},
		{S("A|exists: false"), {"A"}, false},
		{S("A|neq: ''"), {"A="}, false},
		{S("A|neq: ''"), {"A=x"}, true},
		{S("A|neq: ''"), {"B=x"}, true},
		{S("A|neq: null"), {"A="}, true},
		/* Look-around and what else PCRE has. */
		{S("A|re: '(?<=x)y'"), {"A=xy"}, true},
		{S("A|re: '(?<!x)y'"), {"A=xy"}, false},
		{S("A|re: '^(?!.*bad).*good'"), {"A=good"}, true},
		{S("A|re: '^(?!.*bad).*good'"), {"A=bad good"}, false},
		{S("A|re: '(.)\\1'"), {"A=abba"}, true},
		{S("A|re|i|s: '^A.B$'"), {"A=a\nb"}, true},
		{S("A|re|all: ['^a', 'z$']"), {"A=az"}, true},
		{S("A|re: ['a|b', 'c']"), {"A=c"}, true},
		/* Encodings of encodings, in the order that is written. */
		{S("A|base64|base64: a"), {"A=WVE9PQ=="}, true},
		{S("A|windash|base64: '-x'"), {"A=L3g="}, true},
		{S("A|utf16le|base64offset|contains: ping"), {"A=xxcABpAG4AZwyy"}, true},
		{S("A|base64offset|contains: ['/bin/sh', '/bin/bash']"),
		 {"A=x L2Jpbi9iYXNo"},
		 true},
		{S("A|wide: ab"), {"A=a"}, false},
		/* Numbers are compared as numbers, whatever they are written as. */
		{S("A: 5"), {"A#5"}, true},
		{S("A|gte: 1.5"), {"A#1.5"}, true},
		{S("A|lt: 1e3"), {"A#999"}, true},
		{S("A|neq: 5"), {"A#5"}, false},
		{S("A|neq: 5"), {"A=5"}, false},
		{S("A|neq: [5, 6]"), {"A#7"}, true},
		/* Fields that refer to fields. */
		{S("A|fieldref|neq: B"), {"A=x", "B=x"}, false},
		{S("A|fieldref|endswith: B"), {"A=C:\\x.exe", "B=X.EXE"}, true},
		{S("A|fieldref|cased|endswith: B"), {"A=C:\\x.exe", "B=X.EXE"}, false},
		/* Networks of both families in one list. */
		{S("A|cidr: ['10.0.0.0/8', 'fd00::/8']"), {"A=fdff::1"}, true},
		{S("A|cidr|neq: ['10.0.0.0/8', 'fd00::/8']"), {"A=10.1.1.1"}, false},
		{S("A|cidr: '::/0'"), {"A=::1"}, true},
	};

	(void)state;
	CHECK(cases);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules),   cmocka_unit_test(placeholders), cmocka_unit_test(filter),
		cmocka_unit_test(metrics), cmocka_unit_test(aliases),	   cmocka_unit_test(logins),
		cmocka_unit_test(order),   cmocka_unit_test(ugly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
