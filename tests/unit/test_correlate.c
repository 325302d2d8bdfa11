// SPDX-License-Identifier: Apache-2.0
// Correlations: each type at its bounds of number and time, groups, aliases, chains, what speaks
// for itself, and what a policy says of mistakes in them.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>

#include "support/world.h"

/* Rules a, b and c match events that have R=a, R=b, R=c. */
#define RULE(name, value)                                                                          \
	"title: " name "\nname: " name "\nlogsource: {category: test}\n"                           \
	"detection: {s: {R|contains: " value "}, condition: s}\n---\n"
#define RULES RULE("a", "a") RULE("b", "b") RULE("c", "c")

#define CORRELATION(body) RULES "title: t\nname: t\ncorrelation: {" body "}\n"

static void event_count(void **state)
{
	char one[2000] = "", two[2000];
	struct world w;

	(void)state;
	world_begin(&w, CORRELATION("type: event_count, rules: [a], group-by: [U], timespan: 10s, "
				    "condition: {gte: 3}"));
	AT(0, "R=a", "U=x");
	AT(1, "R=a", "U=x");
	AT(2, "R=a", "U=y");			      /* another group */
	assert_string_equal(AT(3, "R=b", "U=x"), ""); /* another rule */
	assert_string_equal(AT(4, "R=a"), "");	      /* no group */
	assert_string_equal(AT(9, "R=a", "U=x"), "t[U=x] 3 3;");
	/* It begins anew. */
	assert_string_equal(AT(9, "R=a", "U=x"), "");
	AT(18, "R=a", "U=x");
	/* Ten seconds after an event it no longer counts: not bound to multiples of ten. */
	assert_string_equal(AT(19, "R=a", "U=x"), "");
	assert_string_equal(AT(20, "R=a", "U=x"), "t[U=x] 3 3;");
	world_end(&w);
	/* Groups are told apart however long, and whatever is in, their values. */
	world_begin(&w, CORRELATION("type: event_count, rules: [a], group-by: [U, D], timespan: "
				    "10s, condition: {gte: 2}"));
	memset(one, 'x', sizeof(one) - 2);
	one[0] = 'U', one[1] = '=';
	memcpy(two, one, sizeof(two));
	two[sizeof(two) - 3] = 'y';
	AT(0, "R=a", one, "D=d");
	assert_string_equal(AT(0, "R=a", two, "D=d"), "");
	assert_non_null(strstr(AT(0, "R=a", one, "D=d"), "] 2 2;"));
	AT(0, "R=a", "U=1, D=2", "D=3");
	assert_string_equal(AT(0, "R=a", "U=1", "D=2, D=3"), "");
	world_end(&w);
}

/* An event that several of the rules match is one event: its rows are not summed twice. */
static void one_event_counts_once(void **state)
{
	struct world w;

	(void)state;
	world_begin(&w, CORRELATION("type: value_sum, rules: [a, b], timespan: 1m, "
				    "condition: {field: N, gte: 10}"));
	assert_string_equal(AT(0, "R=ab", "N#5"), "");
	assert_string_equal(AT(1, "R=ab", "N#4"), "");
	assert_string_equal(AT(2, "R=b", "N#1"), "t[] 10 3;");
	world_end(&w);
	world_begin(&w,
		    CORRELATION("type: event_count, rules: [a, b], group-by: [U], timespan: 1m, "
				"condition: {gte: 3}"));
	AT(0, "R=ab", "U=x");
	AT(0, "R=ab", "U=y");
	assert_string_equal(AT(0, "R=ab", "U=x"), "");
	assert_string_equal(AT(0, "R=ab", "U=x"), "t[U=x] 3 3;");
	/* What has just fired does not count again. */
	AT(1, "R=ab", "U=x");
	assert_string_equal(AT(1, "R=ab", "U=x"), "");
	assert_string_equal(AT(1, "R=b", "U=x"), "t[U=x] 3 3;");
	world_end(&w);
	/* Of a temporal one it is an event of each. */
	world_begin(&w, CORRELATION("type: temporal, rules: [a, b], timespan: 1m"));
	assert_string_equal(AT(0, "R=ab"), "t[] 2 2;");
	world_end(&w);
	/* Correlations that hold at one event are each of them something that happened. */
	world_begin(&w, RULES "title: p\nname: p\ncorrelation: {type: event_count, rules: [a], "
			      "timespan: 1m, condition: {gte: 1}}\n---\n"
			      "title: q\nname: q\ncorrelation: {type: event_count, rules: [b], "
			      "timespan: 1m, condition: {gte: 1}}\n---\n"
			      "title: t\ncorrelation: {type: event_count, rules: [p, q], "
			      "timespan: 1m, condition: {gte: 2}}\n");
	assert_non_null(strstr(AT(0, "R=ab"), "t[] 2 2;"));
	world_end(&w);
}

static void ranges_are_decided_at_the_end(void **state)
{
	struct world w;

	(void)state;
	world_begin(&w, CORRELATION("type: event_count, rules: [a], timespan: 10s, "
				    "condition: {gt: 1, lte: 2}"));
	AT(0, "R=a");
	assert_string_equal(AT(1, "R=a"), "");
	assert_string_equal(AT(10, "R=c"), "t[] 2 2 closed;");
	for (unsigned i = 0; i < 3; i++)
		AT(20 + i, "R=a");
	assert_string_equal(AT(40, "R=a"), ""); /* three were too many */
	AT(41, "R=a");
	/* An event that comes first after the end is of the next timespan. */
	assert_string_equal(AT(50, "R=a"), "t[] 2 2 closed;");
	world_end(&w);
	world_begin(&w, CORRELATION("type: event_count, rules: [a], timespan: 10s, "
				    "condition: {eq: 1}"));
	AT(0, "R=a");
	assert_string_equal(AT(11, "R=c"), "t[] 1 1 closed;");
	world_end(&w);
}

static void value_count(void **state)
{
	struct world w;

	(void)state;
	world_begin(&w,
		    CORRELATION("type: value_count, rules: [a, b], group-by: [U], timespan: 1m, "
				"condition: {field: V, gt: 2}"));
	AT(0, "R=a", "U=x", "V=1");
	AT(1, "R=b", "U=x", "V=2");
	AT(2, "R=a", "U=x", "V=1");
	AT(3, "R=a", "U=x"); /* no value */
	assert_string_equal(AT(4, "R=a", "U=x", "V=2"), "");
	assert_string_equal(AT(5, "R=a", "U=x", "V#3"), "t[U=x] 3 3;");
	AT(10, "R=a", "U=x", "V=1");
	AT(11, "R=a", "U=x", "V=2");
	assert_string_equal(AT(70, "R=a", "U=x", "V=3"), ""); /* 1 is too long ago */
	AT(71, "R=a", "U=x", "V=1");
	assert_string_equal(AT(72, "R=a", "U=x", "V=2"), "t[U=x] 3 3;");
	world_end(&w);
	world_begin(&w, CORRELATION("type: value_count, rules: [a], timespan: 1m, "
				    "condition: {field: [V, W], gte: 2}"));
	AT(0, "R=a", "V=1", "W=1");
	assert_string_equal(AT(1, "R=a", "V=1", "W=1"), "");
	assert_string_equal(AT(1, "R=a", "V=1"), "");
	assert_string_equal(AT(2, "R=a", "V=1", "W=2"), "t[] 2 2;");
	world_end(&w);
}

static void value_sum_and_average(void **state)
{
	struct world w;

	(void)state;
	world_begin(&w, CORRELATION("type: value_sum, rules: [a], group-by: [U, D], timespan: 1h, "
				    "condition: {field: N, gte: 1000}"));
	AT(0, "R=a", "U=x", "D=d", "N#600");
	AT(1, "R=a", "U=x", "D=e", "N#600");
	AT(2, "R=a", "U=x", "D=d", "N=many");
	assert_string_equal(AT(3599, "R=a", "U=x", "D=d", "N#400"), "t[U=x, D=d] 1000 2;");
	assert_string_equal(AT(3602, "R=a", "U=x", "D=e", "N=900"), ""); /* 600 are gone */
	world_end(&w);
	world_begin(&w, CORRELATION("type: value_avg, rules: [a], timespan: 10s, "
				    "condition: {field: N, gt: 500}"));
	assert_string_equal(AT(0, "R=a", "N#900"), ""); /* not before the time is over */
	AT(1, "R=a", "N#200");
	assert_string_equal(AT(10, "R=c"), "t[] 550 2 closed;");
	AT(20, "R=a", "N#100");
	assert_string_equal(AT(30, "R=c"), "");
	world_end(&w);
}

/* What is in the timespan, kept and looked at as simply as can be. */
static struct {
	struct {
		uint64_t time;
		unsigned value;
	} events[4096];
	unsigned n, sum;
} plain;

#define SLIDING_SPAN 300

static void plain_add(uint64_t time, unsigned value)
{
	unsigned k = 0;

	plain.sum = 0;
	plain.events[plain.n].time = time;
	plain.events[plain.n++].value = value;
	for (unsigned i = 0; i < plain.n; i++) {
		if (plain.events[i].time + SLIDING_SPAN <= time)
			continue;
		plain.sum += plain.events[i].value;
		plain.events[k++] = plain.events[i];
	}
	plain.n = k;
}

/* Thousands of events through one timespan; in the second half some are late. */
static void sums_slide(void **state)
{
	char value[16], wanted[64];
	unsigned seed = 1, fired = 0;
	uint64_t now = 0;
	struct world w;

	(void)state;
	world_begin(&w, CORRELATION("type: value_sum, rules: [a], timespan: 300s, "
				    "condition: {field: N, gte: 3050}"));
	for (unsigned i = 0; i < 20000; i++) {
		unsigned v = (unsigned)rand_r(&seed) % 10;
		unsigned late = i < 10000 ? 0 : (unsigned)rand_r(&seed) % 400;

		now += (unsigned)rand_r(&seed) % 1000 / 555;
		plain_add(now + 1000 - late, v);
		snprintf(wanted, sizeof(wanted), "t[] %u %u;", plain.sum, plain.n);
		if (plain.sum < 3050)
			*wanted = '\0';
		else
			plain.n = 0;
		fired += *wanted != '\0';
		snprintf(value, sizeof(value), "N#%u", v);
		assert_string_equal(AT(now + 1000 - late, "R=a", value), wanted);
	}
	assert_true(fired > 2);
	world_end(&w);
	/* A value beside which others are nothing hides them no longer than it is there. */
	world_begin(&w, CORRELATION("type: value_sum, rules: [a], timespan: 10s, "
				    "condition: {field: N, gte: 4}"));
	assert_string_equal(AT(0, "R=a", "N=-1e300"), "");
	assert_string_equal(AT(5, "R=a", "N#2"), "");
	assert_string_equal(AT(10, "R=a", "N#2"), "t[] 4 2;");
	world_end(&w);
}

static void value_percentile(void **state)
{
	struct world w;
	char value[16];

	(void)state;
	world_begin(&w, CORRELATION("type: value_percentile, rules: [a], timespan: 1h, "
				    "condition: {field: N, gt: 98}"));
	for (unsigned i = 0; i < 100; i++) {
		snprintf(value, sizeof(value), "N#%u", i % 10);
		assert_string_equal(AT(i, "R=a", value), "");
	}
	assert_string_equal(AT(200, "R=a", "N#50") + 0, "t[] 99.505 101;");
	world_end(&w);
	/* Of texts: how many of a hundred are this one. */
	world_begin(&w, CORRELATION("type: value_percentile, rules: [a], timespan: 1h, "
				    "condition: {field: I, lte: 1}"));
	for (unsigned i = 0; i < 99; i++)
		assert_string_equal(AT(i, "R=a", "I=/bin/ls"), "");
	assert_string_equal(AT(100, "R=a", "I=/bin/nc"), "t[] 1 100;");
	world_end(&w);
}

static void temporal(void **state)
{
	struct world w;

	(void)state;
	world_begin(&w,
		    CORRELATION("type: temporal, rules: [a, b, c], group-by: [U], timespan: 5m"));
	AT(0, "R=c", "U=x");
	AT(1, "R=a", "U=x");
	AT(2, "R=a", "U=x");
	assert_string_equal(AT(3, "R=b", "U=y"), "");
	assert_string_equal(AT(299, "R=b", "U=x"), "t[U=x] 3 3;");
	AT(400, "R=a", "U=x");
	AT(401, "R=b", "U=x");
	assert_string_equal(AT(700, "R=c", "U=x"), "");
	assert_string_equal(AT(700, "R=a", "U=x"), "t[U=x] 3 3;");
	world_end(&w);
	world_begin(&w, CORRELATION("type: temporal, rules: [a, b, c], timespan: 5m, "
				    "condition: {gte: 2}"));
	AT(0, "R=c");
	assert_string_equal(AT(1, "R=a"), "t[] 2 2;");
	world_end(&w);
}

static void temporal_ordered(void **state)
{
	struct world w;

	(void)state;
	world_begin(&w, CORRELATION("type: temporal_ordered, rules: [a, b, c], group-by: [U], "
				    "timespan: 10s"));
	AT(0, "R=b", "U=x");
	AT(1, "R=a", "U=x");
	assert_string_equal(AT(2, "R=c", "U=x"), ""); /* b was before a */
	AT(3, "R=b", "U=x");
	AT(4, "R=a", "U=x"); /* does not undo what has begun */
	assert_string_equal(AT(5, "R=c", "U=x"), "t[U=x] 3 3;");
	AT(20, "R=a", "U=x");
	AT(21, "R=b", "U=x");
	assert_string_equal(AT(30, "R=c", "U=x"), ""); /* too late */
	AT(31, "R=a", "U=x");
	AT(38, "R=a", "U=x");
	AT(39, "R=b", "U=x");
	assert_string_equal(AT(47, "R=c", "U=x"), "t[U=x] 3 3;"); /* from the later a */
	/* One event is one step. */
	AT(100, "R=ab", "U=x");
	assert_string_equal(AT(101, "R=c", "U=x"), "");
	AT(102, "R=ab", "U=x");
	assert_string_equal(AT(103, "R=c", "U=x"), "t[U=x] 3 3;");
	world_end(&w);
}

static void aliases(void **state)
{
	struct world w;

	(void)state;
	world_begin(&w, CORRELATION("type: temporal, rules: [a, b], group-by: [ip], timespan: 10s, "
				    "aliases: {ip: {a: Src, b: Dst}}"));
	AT(0, "R=a", "Src=1", "Dst=2");
	assert_string_equal(AT(1, "R=b", "Src=1", "Dst=2"), "");
	assert_string_equal(AT(2, "R=b", "Src=2", "Dst=1"), "t[ip=1] 2 2;");
	world_end(&w);
}

/* Many failures, then a success: a correlation that counts a correlation. */
static void chains(void **state)
{
	struct world w;

	(void)state;
	world_begin(&w,
		    RULES "title: many\nname: many\ncorrelation: {type: event_count, rules: [a], "
			  "group-by: [U], timespan: 10m, condition: {gte: 3}}\n---\n"
			  "title: then\ncorrelation: {type: temporal_ordered, rules: [many, b], "
			  "group-by: [U], timespan: 10m}\n");
	for (unsigned i = 0; i < 2; i++)
		assert_string_equal(AT(i, "R=a", "U=x"), "");
	assert_string_equal(AT(3, "R=a", "U=x"), "many[U=x] 3 3;");
	assert_string_equal(AT(4, "R=b", "U=y"), "");
	assert_string_equal(AT(5, "R=b", "U=x"), "then[U=x] 2 2;");
	world_end(&w);
}

static void who_speaks(void **state)
{
	static const char yaml[] = RULES "title: t\nname: t\ncorrelation: {type: temporal, rules: "
					 "[a, b], timespan: 5m}\n---\n"
					 "title: u\ncorrelation: {type: temporal, rules: [b, t], "
					 "timespan: 5m, generate: true}\n";
	struct sigma_told told = {};
	struct policy *p = sigma_load(yaml, &told);
	char silent[16] = "";

	(void)state;
	for (const struct rule *r = policy_rules(p); r; r = r->next)
		if (r->silent)
			strcat(silent, r->title);
	assert_string_equal(silent, "a");
	assert_int_equal(policy_count(p), 5);
	policy_free(p);
}

/* However many groups and events: memory is bounded, the newest are kept. */
static void bounds(void **state)
{
	struct world w;
	char user[24];

	(void)state;
	world_begin(&w, CORRELATION("type: event_count, rules: [a], group-by: [U], timespan: 1h, "
				    "condition: {gte: 2}"));
	for (unsigned i = 0; i < 20000; i++) {
		snprintf(user, sizeof(user), "U=%u", i);
		assert_string_equal(AT(1, "R=a", user), "");
	}
	assert_true(correlate_dropped(w.correlate) > 0);
	assert_string_equal(AT(2, "R=a", "U=0"), "");
	assert_string_equal(AT(2, "R=a", "U=19999"), "t[U=19999] 2 2;");
	world_end(&w);
	world_begin(&w, CORRELATION("type: event_count, rules: [a], timespan: 1h, "
				    "condition: {gte: 10000}"));
	for (unsigned i = 0; i < 9999; i++)
		assert_string_equal(AT(i / 10, "R=a"), "");
	assert_string_equal(AT(1000, "R=a"), "t[] 10000 10000;");
	world_end(&w);
}

static void mistakes(void **state)
{
	static const struct {
		const char *body, *want;
	} cases[] = {
		{"rules: [a], timespan: 1m", "type' is missing"},
		{"type: event_cuont", "type: 'event_cuont' is no type of correlation; did you mean "
				      "'event_count'?"},
		{"type: temporal, timespan: 1m", "'rules' is missing"},
		{"type: temporal, rules: [a, b]", "'timespan' is missing"},
		{"type: temporal, rules: [a, x], timespan: 1m", "no rule has the id or name 'x'"},
		{"type: temporal, rules: [a, a], timespan: 1m", "'a' was given before"},
		{"type: temporal, rules: [a, b], timespan: 1w",
		 "timespan: write a number and s, m, h"},
		{"type: temporal, rules: [a, b], timespan: 0s",
		 "timespan: write a number and s, m, h"},
		{"type: temporal, rules: [a, b], timespn: 1m",
		 "unknown key 'timespn' of a "
		 "correlation; did you mean 'timespan'?"},
		{"type: event_count, rules: [a], timespan: 1m",
		 "event_count: a condition is missing"},
		{"type: event_count, rules: [a], timespan: 1m, condition: {gte: x}",
		 "gte: a number is expected here"},
		{"type: event_count, rules: [a], timespan: 1m, condition: {ge: 1}",
		 "condition: 'ge' is none of field, gt, gte, lt, lte, eq, neq"},
		{"type: event_count, rules: [a], timespan: 1m, condition: {gte: 1, field: V}",
		 "event_count: its condition has no field"},
		{"type: value_count, rules: [a], timespan: 1m, condition: {gte: 1}",
		 "value_count: the condition's field is missing"},
		{"type: value_sum, rules: [a], timespan: 1m, condition: {gte: 1, field: [V, W]}",
		 "value_sum: one field is expected here"},
		{"type: value_count, rules: [a], timespan: 1m, condition: {gte: 5000, field: V}",
		 "value_count: at most 4096 values are counted"},
		{"type: temporal_ordered, rules: [a, b], timespan: 1m, condition: {gte: 1}",
		 "temporal_ordered: all its rules must match"},
		{"type: temporal, rules: [a, b], timespan: 1m, group-by: [i], aliases: {i: {a: X}}",
		 "alias 'i' says no field for rule 'b'"},
		{"type: temporal, rules: [a, b], timespan: 1m, aliases: {i: {a: X, b: X}}",
		 "alias 'i' is not in group-by"},
		{"type: temporal, rules: [a, b], timespan: 1m, group-by: [i], aliases: {i: {a: X, "
		 "b: "
		 "X, c: X}}",
		 "'c' is none of the rules"},
		/* Groups are made by events: there is none without. */
		{"type: event_count, rules: [a], timespan: 1m, condition: {lt: 1}",
		 "event_count: no number of events meets the condition"},
		{"type: event_count, rules: [a], timespan: 1m, condition: {eq: 0}",
		 "event_count: no number of events meets the condition"},
		{"type: event_count, rules: [a], timespan: 1m, condition: {gt: 5, lt: 6}",
		 "event_count: no number of events meets the condition"},
		{"type: event_count, rules: [a], timespan: 1m, condition: {eq: 1.5}",
		 "event_count: no number of events meets the condition"},
		{"type: value_count, rules: [a], timespan: 1m, condition: {field: V, lte: 0}",
		 "value_count: no number of events meets the condition"},
		{"type: temporal, rules: [a, b], timespan: 1m, condition: {gte: 3}",
		 "temporal: no number of events meets the condition"},
		{"type: value_sum, rules: [a], timespan: 1m, condition: {field: V, gt: 5, lte: 5}",
		 "value_sum: no number meets the condition"},
		{"type: value_percentile, rules: [a], timespan: 1m, condition: {field: V, gt: 100}",
		 "value_percentile: no number meets the condition"},
		{"type: temporal, rules: [a, t], timespan: 1m", "correlations count themselves"},
		{"type: temporal, rules: [a, b], timespan: 1m, generate: 1",
		 "generate: write true"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sigma_told told = {};
		struct policy *p = policy_new(&sigma_schema, sigma_tell, &told);
		char yaml[2048];

		snprintf(yaml, sizeof(yaml), RULES "title: t\nname: t\ncorrelation: {%s}\n",
			 cases[i].body);
		assert_int_equal(policy_text(p, "f", yaml, strlen(yaml)), 0);
		assert_int_equal(policy_finish(p), -EBADMSG);
		if (!strstr(told.text, cases[i].want))
			fail_msg("%s says %swant %s", cases[i].body, told.text, cases[i].want);
		policy_free(p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_event_counts_once),
		cmocka_unit_test(event_count),
		cmocka_unit_test(ranges_are_decided_at_the_end),
		cmocka_unit_test(value_count),
		cmocka_unit_test(value_sum_and_average),
		cmocka_unit_test(sums_slide),
		cmocka_unit_test(value_percentile),
		cmocka_unit_test(temporal),
		cmocka_unit_test(temporal_ordered),
		cmocka_unit_test(aliases),
		cmocka_unit_test(chains),
		cmocka_unit_test(who_speaks),
		cmocka_unit_test(bounds),
		cmocka_unit_test(mistakes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
