// SPDX-License-Identifier: Apache-2.0
// Why a rule matches an event or not, and what filters hide: the same answers as the engine's, with
// the values that are carried and asked.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>

#include "lib/event_read.h"
#include "lib/sigma/engine.h"
#include "lib/sigma/explain.h"
#include "lib/sigma/fields.h"
#include "lib/sigma/hidden.h"
#include "support/sigma.h"

static const char rules[] =
	"title: shell\nid: r1\nname: shell\nlogsource: {category: process_creation}\ndetection:\n"
	"  sel: {Image|endswith: [/sh, /bash], User|neq: root, CommandLine|contains|all: [-c, "
	"id]}\n"
	"  none: {Script: null}\n"
	"  nope: {DestinationIp: '10.0.0.1', ImageAge|gt: 5}\n"
	"  words: [tomcat, absent]\n"
	"  condition: sel and none and words and not nope\n---\n"
	"title: other\nid: r2\nlogsource: {category: dns_query}\n"
	"detection: {s: {QueryName: x}, condition: s}\n---\n"
	"title: many\nid: c1\ncorrelation: {type: event_count, rules: [shell], group-by: [User],\n"
	"  timespan: 1m, condition: {gte: 2}}\n---\n"
	"title: hides\nid: f1\nlogsource: {category: process_creation}\n"
	"filter: {rules: [r1], selection: {CommandLine|endswith: ok}, condition: not "
	"selection}\n---\n"
	"title: over\nid: f2\nexpiry: 2026-01-01\nlogsource: {category: process_creation}\n"
	"filter: {rules: [r1], selection: {Image: '*'}, condition: selection}\n";

#define SHELL(user, word)                                                                          \
	"{\"event\":\"exec\",\"id\":\"e1\",\"time\":\"2026-01-30T09:12:44Z\",\"exe_age\":2,"       \
	"\"process\":{\"exe\":\"/bin/sh\",\"args\":[\"sh\",\"-c\",\"id " word                      \
	"\"],\"user\":\"" user "\",\"uid\":33}}"

struct world {
	struct policy *policy;
	struct arena *arena;
	Rollcall__Event *ev;
};

static struct world world_new(const char *json)
{
	struct sigma_told told = {};
	struct world w = {policy_new(&fields_schema, sigma_tell, &told), arena_new(4096), NULL};
	char why[200];

	policy_now(w.policy, 1769700000000000000ull);
	assert_int_equal(policy_text(w.policy, "f", rules, strlen(rules)), 0);
	if (policy_finish(w.policy) < 0)
		fail_msg("%s", told.text);
	assert_int_equal(event_read(w.arena, json, strlen(json), &w.ev, why, sizeof(why)), 0);
	return w;
}

static void world_free(struct world *w)
{
	policy_free(w->policy);
	arena_free(w->arena);
}

static void join(char *out, size_t size, const char *name, char *const *list, size_t n)
{
	snprintf(out + strlen(out), size - strlen(out), " %s=[", name);
	for (size_t i = 0; i < n; i++)
		snprintf(out + strlen(out), size - strlen(out), "%s%s", i ? "," : "", list[i]);
	snprintf(out + strlen(out), size - strlen(out), "]");
}

/* A rule as text: each search, each of its lines. */
static const char *rule_text(const Rollcall__WhyRule *m)
{
	static char out[4096];

	snprintf(out, sizeof(out), "%s: %s\n", m->title, m->verdict);
	for (size_t i = 0; i < m->n_searches; i++) {
		const Rollcall__WhySearch *s = m->searches[i];

		snprintf(out + strlen(out), sizeof(out) - strlen(out), "%c %s\n",
			 s->matched ? '+' : '-', s->name);
		for (size_t k = 0; k < s->n_items; k++) {
			const Rollcall__WhyItem *item = s->items[k];

			snprintf(out + strlen(out), sizeof(out) - strlen(out), "  %c %s %s",
				 item->matched ? '+' : '-', item->field, item->state);
			join(out, sizeof(out), "has", item->values, item->n_values);
			join(out, sizeof(out), "asked", item->asked, item->n_asked);
			join(out, sizeof(out), "met", item->met, item->n_met);
			snprintf(out + strlen(out), sizeof(out) - strlen(out), "\n");
		}
	}
	return out;
}

static void field_by_field(void **state)
{
	struct world w = world_new(SHELL("tomcat", "x"));
	Rollcall__WhyReport *m;

	(void)state;
	assert_int_equal(explain_event(w.arena, w.policy, w.ev, NULL, &m), 0);
	assert_string_equal(m->event, "e1");
	assert_string_equal(m->kind, "exec");
	assert_int_equal(m->n_rules, 2); /* dns_query is another source */
	assert_string_equal(
		rule_text(m->rules[0]),
		"shell: matches; only counted, by a correlation\n"
		"+ sel\n"
		"  + Image|endswith value has=[/bin/sh] asked=[/sh,/bash] met=[/sh]\n"
		"  + User|neq value has=[tomcat] asked=[root] met=[]\n"
		"  + CommandLine|contains|all value has=[sh -c id x] asked=[-c,id] met=[-c,id]\n"
		"+ none\n"
		"  + Script null has=[] asked=[null] met=[null]\n"
		"- nope\n"
		"  - DestinationIp missing has=[] asked=[10.0.0.1] met=[]\n"
		"  - ImageAge|gt value has=[2] asked=[5] met=[]\n"
		"+ words\n"
		"  + (keywords) any field has=[] asked=[tomcat,absent] met=[tomcat]\n");
	assert_string_equal(rule_text(m->rules[1]),
			    "many: counts this event: what it says depends on others, too\n"
			    "+ shell\n");
	world_free(&w);
}

static void filters(void **state)
{
	struct world w = world_new(SHELL("tomcat", "ok"));
	Rollcall__WhyReport *m;

	(void)state;
	assert_int_equal(explain_event(w.arena, w.policy, w.ev, "shell", &m), 0);
	assert_int_equal(m->n_rules, 1);
	assert_true(m->rules[0]->matched);
	assert_string_equal(m->rules[0]->verdict, "matches, but an exception hides it");
	assert_int_equal(m->rules[0]->n_filters, 2);
	assert_string_equal(rule_text(m->rules[0]->filters[0]),
			    "hides: hides the event\n+ selection\n  + CommandLine|endswith value "
			    "has=[sh -c id ok] asked=[ok] met=[ok]\n");
	assert_string_equal(m->rules[0]->filters[1]->verdict, "expired: hides nothing");
	world_free(&w);
}

static void one_rule(void **state)
{
	struct world w = world_new(SHELL("root", "x"));
	Rollcall__WhyReport *m;

	(void)state;
	assert_int_equal(explain_event(w.arena, w.policy, w.ev, "R2", &m), 0);
	assert_int_equal(m->n_rules, 1);
	assert_string_equal(m->rules[0]->verdict, "the event is not of its log source");
	assert_int_equal(explain_event(w.arena, w.policy, w.ev, "c1", &m), 0);
	assert_int_equal(m->n_rules, 2);
	assert_string_equal(m->rules[0]->verdict, "does not match");
	assert_string_equal(m->rules[1]->verdict, "does not count this event");
	assert_int_equal(explain_event(w.arena, w.policy, w.ev, "none", &m), -ENOENT);
	world_free(&w);
}

struct counts {
	unsigned n;
	const char *title;
};

static void on_hidden(void *ctx, const struct rule *filter, const struct rule *rule)
{
	struct counts *c = ctx;

	c->n++;
	c->title = filter->title;
	assert_string_equal(rule->title, "shell");
}

/* What a filter hides is what the rule would have matched, and no more. */
static void hidden(void **state)
{
	static const struct {
		const char *json;
		unsigned want;
	} cases[] = {
		{SHELL("tomcat", "ok"), 1}, {SHELL("tomcat", "x"), 0}, {SHELL("root", "ok"), 0}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct world w = world_new(cases[i].json);
		struct hidden *h = hidden_new(w.policy);
		struct counts c = {};

		hidden_event(h, w.ev, on_hidden, &c);
		assert_int_equal(c.n, cases[i].want);
		if (c.n)
			assert_string_equal(c.title, "hides");
		hidden_free(h);
		world_free(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(field_by_field),
		cmocka_unit_test(filters),
		cmocka_unit_test(one_rule),
		cmocka_unit_test(hidden),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
