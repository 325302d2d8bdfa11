// SPDX-License-Identifier: Apache-2.0
// One policy after another: what is counted as new, gone and changed; that correlations which
// stayed go on where they were and others begin anew, whatever the order of the rules; rules on
// trial; what is counted and measured of each rule.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>

#include "lib/event_read.h"
#include "lib/sigma/compare.h"
#include "lib/sigma/engine.h"
#include "lib/sigma/fields.h"
#include "support/sigma.h"

#define SECOND 1000000000ull
#define START  (1000000 * SECOND)
#define RULE(name, text)                                                                           \
	"title: " name "\nname: " name "\nlogsource: {category: process_creation}\n"               \
	"detection: {s: {Image|endswith: " text "}, condition: s}\n---\n"
#define COUNT(name, of, n)                                                                         \
	"title: " name "\nname: " name "\ncorrelation: {type: event_count, rules: [" of            \
	"], group-by: [User], timespan: 1h, condition: {gte: " n "}}\n---\n"
#define CHAIN                                                                                      \
	"title: chain\nname: chain\ncorrelation: {type: temporal_ordered, rules: [a, b], "         \
	"group-by: [User], timespan: 1h}\n---\n"
#define GENERATE                                                                                   \
	"title: g\nname: g\ncorrelation: {type: event_count, rules: [a, b], timespan: 1h, "        \
	"condition: {gte: 1000}, generate: true}\n---\n"

struct world {
	struct policy *policy;
	struct engine *engine;
};

static char said[512]; /* the titles of what was found */

static struct policy *load(const char *yaml)
{
	struct sigma_told told = {};
	struct policy *p = policy_new(&fields_schema, sigma_tell, &told);

	assert_int_equal(policy_text(p, "f", yaml, strlen(yaml)), 0);
	if (policy_finish(p) < 0)
		fail_msg("%s\n%s", yaml, told.text);
	return p;
}

static void on_hit(void *ctx, const Rollcall__Event *ev, const struct engine_hit *hit)
{
	size_t n = strlen(said);

	(void)ctx;
	(void)ev;
	snprintf(said + n, sizeof(said) - n, "%s%s;", hit->rule->title,
		 hit->rule->observes ? "?" : "");
}

static void world_begin(struct world *w, const char *yaml)
{
	w->policy = load(yaml);
	w->engine = engine_new(w->policy, on_hit, NULL);
	assert_non_null(w->engine);
}

static void world_end(struct world *w)
{
	engine_free(w->engine);
	policy_free(w->policy);
}

/* "added removed changed" */
static const char *swap(struct world *w, const char *yaml)
{
	static char text[64];
	struct compare_count n;
	struct compare *c;
	struct world next;

	world_begin(&next, yaml);
	c = compare_new(w->policy, next.policy);
	compare_count(c, &n);
	engine_carry(next.engine, w->engine, c);
	compare_free(c);
	world_end(w);
	*w = next;
	snprintf(text, sizeof(text), "%u %u %u", n.added, n.removed, n.changed);
	return text;
}

/* What is said when `user` starts `exe`. */
static const char *runs(struct world *w, unsigned seconds, const char *user, const char *exe)
{
	struct arena *a = arena_new(4096);
	Rollcall__Event *ev;
	char json[256], why[200];

	snprintf(json, sizeof(json),
		 "{\"event\":\"exec\",\"exe\":\"%s\",\"process\":{\"exe\":\"%s\",\"user\":\"%s\"}}",
		 exe, exe, user);
	if (event_read(a, json, strlen(json), &ev, why, sizeof(why)) < 0)
		fail_msg("%s", why);
	ev->time = START + seconds * SECOND;
	said[0] = '\0';
	engine_event(w->engine, ev, ev->time);
	arena_free(a);
	return said;
}

static void counts(void **state)
{
	struct world w;

	(void)state;
	world_begin(&w, RULE("a", "/a") RULE("b", "/b") COUNT("n", "a", "3"));
	/* The same, in another order and layout. */
	assert_string_equal(
		swap(&w, "# a comment\n" COUNT("n", "a", "3") RULE("b", " \"/b\"") RULE("a", "/a")),
		"0 0 1"); /* a text in quotes is not always the same text */
	assert_string_equal(
		swap(&w, RULE("a", "/a") "# x\n" RULE("b", "  '/b'  ") COUNT("n", "a", "3")),
		"0 0 0");
	assert_string_equal(swap(&w, RULE("a", "/a") RULE("b", "/c") COUNT("n", "a", "3")),
			    "0 0 1");
	assert_string_equal(swap(&w, RULE("a", "/a") COUNT("n", "a", "3")), "0 1 0");
	assert_string_equal(
		swap(&w, RULE("a", "/a") RULE("c", "/c") RULE("d", "/d") COUNT("n", "a", "4")),
		"2 0 1");
	/* Another mode is a change; the rule stays what it was. */
	assert_string_equal(swap(&w, RULE("a", "/a") RULE("c", "/c") RULE("d", "/d")
					     COUNT("n", "a", "4") "observe: [c]\n"),
			    "0 0 1");
	assert_string_equal(swap(&w, ""), "0 4 0");
	assert_string_equal(swap(&w, RULE("a", "/a")), "1 0 0");
	world_end(&w);
}

static void groups_go_on(void **state)
{
	struct world w;

	(void)state;
	world_begin(&w, RULE("a", "/a") COUNT("n", "a", "3"));
	runs(&w, 0, "x", "/bin/a");
	runs(&w, 1, "y", "/bin/a");
	runs(&w, 2, "x", "/bin/a");
	swap(&w, RULE("z", "/z") COUNT("m", "z", "2") RULE("a", "/a") COUNT("n", "a", "3"));
	assert_string_equal(runs(&w, 3, "y", "/bin/a"), "");
	assert_string_equal(runs(&w, 4, "x", "/bin/a"), "n;");
	assert_string_equal(runs(&w, 5, "y", "/bin/a"), "n;");
	/* It began anew after it held. */
	runs(&w, 6, "x", "/bin/a");
	runs(&w, 6, "x", "/bin/a");
	/* Another text: what came before is not counted. */
	swap(&w, RULE("a", "/a") COUNT("n", "a", "2"));
	assert_string_equal(runs(&w, 7, "x", "/bin/a"), "");
	assert_string_equal(runs(&w, 8, "x", "/bin/a"), "n;");
	/* The timespan is the events', over the change. */
	runs(&w, 9, "x", "/bin/a");
	swap(&w, COUNT("n", "a", "2") RULE("a", "/a"));
	assert_string_equal(runs(&w, 3610, "x", "/bin/a"), "");
	world_end(&w);
}

static void chains_go_on(void **state)
{
	struct world w;

	(void)state;
	world_begin(&w, RULE("a", "/a") RULE("b", "/b") CHAIN);
	runs(&w, 0, "x", "/bin/a");
	swap(&w, RULE("new", "/new") CHAIN RULE("b", "/b") RULE("a", "/a"));
	assert_string_equal(runs(&w, 1, "y", "/bin/b"), "");
	assert_string_equal(runs(&w, 2, "x", "/bin/b"), "chain;");
	world_end(&w);
}

static const struct rule *rule_of(const struct world *w, const char *name)
{
	const struct rule *r = policy_rules(w->policy);

	while (r && strcmp(r->title, name) != 0)
		r = r->next;
	assert_non_null(r);
	return r;
}

static uint64_t now;

static uint64_t clock_of_test(void)
{
	return now += 10;
}

static void hits_and_cost(void **state)
{
	struct engine_count n;
	struct world w;

	(void)state;
	world_begin(&w, RULE("a", "/a") RULE("b", "/b") COUNT("n", "a", "2"));
	for (unsigned i = 0; i < 5; i++)
		runs(&w, i, "x", "/bin/a");
	engine_count(w.engine, rule_of(&w, "a"), &n);
	assert_int_equal(n.hits, 5); /* though a correlation counts it and it says nothing */
	assert_int_equal(n.last, START + 4 * SECOND);
	assert_true(n.cost < 0 && engine_cost(w.engine) < 0);
	engine_count(w.engine, rule_of(&w, "n"), &n);
	assert_int_equal(n.hits, 2);
	swap(&w, RULE("b", "/c") COUNT("n", "a", "2") RULE("a", "/a"));
	engine_count(w.engine, rule_of(&w, "a"), &n);
	assert_int_equal(n.hits, 5);
	engine_count(w.engine, rule_of(&w, "b"), &n);
	assert_int_equal(n.hits + n.last, 0);
	/* Of the rules only one is looked at: its literal is found. */
	engine_measure(w.engine, clock_of_test);
	for (unsigned i = 0; i < 200; i++)
		runs(&w, 10, "x", "/bin/c");
	engine_count(w.engine, rule_of(&w, "b"), &n);
	assert_true(n.cost == 10);
	engine_count(w.engine, rule_of(&w, "a"), &n);
	assert_true(n.cost == 0);
	assert_true(engine_cost(w.engine) == 30);
	world_end(&w);
}

static void on_trial(void **state)
{
	static const char *const wrong[][2] = {
		{"observe: [none]\n", "f:1:11: no rule has the id or name 'none'\n"},
		{"observe: a\n", "f:1:10: observe: a list of rules is expected, by id or name\n"},
		{"observe: [{a: b}]\n", "f:1:11: no rule has the id or name ''\n"},
		{"observe: []\nid: x\n",
		 "f:2:1: a document of observed rules has the keys title, description and "
		 "observe\n"},
	};
	struct world w;

	(void)state;
	world_begin(&w, "title: on trial\nobserve: [a, n]\n---\n" RULE("a", "/a") RULE("b", "/a")
				COUNT("n", "a", "1") GENERATE);
	assert_string_equal(runs(&w, 0, "x", "/bin/a"), "a?;n?;b;");
	world_end(&w);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct sigma_told told = {};
		struct policy *p = policy_new(&fields_schema, sigma_tell, &told);

		assert_int_equal(policy_text(p, "f", wrong[i][0], strlen(wrong[i][0])), 0);
		assert_int_equal(policy_finish(p), -EBADMSG);
		assert_string_equal(told.text, wrong[i][1]);
		policy_free(p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts),	cmocka_unit_test(groups_go_on),
		cmocka_unit_test(chains_go_on), cmocka_unit_test(hits_and_cost),
		cmocka_unit_test(on_trial),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
