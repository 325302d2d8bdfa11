// SPDX-License-Identifier: Apache-2.0
// Groups, their entries, and when a correlation holds.
#include "lib/sigma/correlate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "lib/sigma/compare.h"
#include "lib/sigma/correlation.h"
#include "lib/sigma/match.h"
#include "lib/sigma/meter.h"
#include "lib/sigma/policy.h"
#include "lib/sigma/rule.h"

#define BUCKETS	    4096
#define GROUPS_MAX  16384
#define ENTRIES_MAX CORRELATION_DISTINCT_MAX /* of one group */
#define BUDGET	    (1u << 19)		     /* entries of all groups */
#define KEY_MAX	    512
#define SECOND	    1000000000ull
#define EXACT	    1e12 /* sums of as many as there may be are exact below (2^53) */
#define DEPTH_MAX   8	 /* correlations of correlations */

/* One event, or several that were put together. */
struct entry {
	uint64_t time; /* of the last; temporal_ordered: when the chain up to here began */
	uint64_t n;    /* events; temporal_ordered: the time before this event changed it */
	uint64_t hash; /* of the value, number of the rule; temporal_ordered: of the event */
	double value;
};

struct group {
	LIST_ENTRY(group) bucket;
	TAILQ_ENTRY(group) age;
	const struct rule *rule;
	uint64_t hash;	       /* of the whole key */
	uint64_t first;	       /* of the present timespan; 0: none */
	uint64_t event;	       /* the last of a detection rule that was counted */
	struct entry *entries; /* n of them, from `begin` on; oldest first unless `anew` */
	uint32_t begin, n, room;
	bool anew;	 /* all are looked at each time: times are not in order, or a value is so
			  * large, or no number, that taking it out of the sum would not leave the rest */
	uint64_t events; /* of all entries, as their values in `sum` */
	double sum;
	unsigned n_evidence; /* in all; the last ones are kept */
	char evidence[CORRELATE_EVIDENCE_MAX][CORRELATE_ID_MAX];
	char key[];
};

LIST_HEAD(bucket, group);

struct correlate {
	correlate_fn fn;
	void *ctx;
	struct bucket buckets[BUCKETS];
	TAILQ_HEAD(, group) ages; /* quiet longest first */
	uint32_t n_groups, n_entries;
	uint64_t dropped, looked;
	uint64_t event;		   /* number of the present one */
	const struct rule **rules; /* the correlations */
	unsigned n_rules;
	struct meter *meter; /* NULL: none */
};

struct correlate *correlate_new(const struct policy *p, correlate_fn fn, void *ctx)
{
	struct correlate *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->fn = fn;
	c->ctx = ctx;
	TAILQ_INIT(&c->ages);
	c->rules = calloc(policy_count(p) + 1, sizeof(*c->rules));
	if (!c->rules)
		return correlate_free(c);
	for (const struct rule *r = policy_rules(p); r; r = r->next)
		if (r->kind == RULE_CORRELATION)
			c->rules[c->n_rules++] = r;
	return c;
}

static void group_free(struct correlate *c, struct group *g)
{
	LIST_REMOVE(g, bucket);
	TAILQ_REMOVE(&c->ages, g, age);
	c->n_groups--;
	c->n_entries -= g->room;
	free(g->entries);
	free(g);
}

struct correlate *correlate_free(struct correlate *c)
{
	while (c && !TAILQ_EMPTY(&c->ages))
		group_free(c, TAILQ_FIRST(&c->ages));
	if (c)
		free(c->rules);
	free(c);
	return NULL;
}

uint64_t correlate_dropped(const struct correlate *c)
{
	return c->dropped;
}

/* ---- groups ---- */

static uint64_t hash_of(const void *bytes, size_t len, uint64_t h)
{
	for (size_t i = 0; i < len; i++)
		h = (h ^ ((const uint8_t *)bytes)[i]) * 0x100000001b3ull;
	return h;
}
#define HASH_START 0xcbf29ce484222325ull

static struct bucket *bucket_of(struct correlate *c, const struct rule *rule, uint64_t hash)
{
	return &c->buckets[hash_of(&rule, sizeof(rule), hash) % BUCKETS];
}

/* `hash` is of the whole key, which `key` may be the begin of only. */
static struct group *group_get(struct correlate *c, const struct rule *rule, const char *key,
			       uint64_t hash)
{
	struct bucket *b = bucket_of(c, rule, hash);
	struct group *g;

	LIST_FOREACH(g, b, bucket)
	if (g->hash == hash && g->rule == rule && strcmp(g->key, key) == 0)
		break;
	if (g) {
		TAILQ_REMOVE(&c->ages, g, age);
		TAILQ_INSERT_TAIL(&c->ages, g, age);
		return g;
	}
	g = calloc(1, sizeof(*g) + strlen(key) + 1);
	if (!g)
		return NULL;
	strcpy(g->key, key);
	g->rule = rule;
	g->hash = hash;
	LIST_INSERT_HEAD(b, g, bucket);
	TAILQ_INSERT_TAIL(&c->ages, g, age);
	c->n_groups++;
	return g;
}

void correlate_carry(struct correlate *c, struct correlate *from, const struct compare *same)
{
	struct group *g, *next;

	for (g = TAILQ_FIRST(&from->ages); g; g = next) {
		const struct rule *rule = compare_same(same, g->rule);

		next = TAILQ_NEXT(g, age);
		if (!rule)
			continue;
		LIST_REMOVE(g, bucket);
		TAILQ_REMOVE(&from->ages, g, age);
		from->n_groups--;
		from->n_entries -= g->room;
		g->rule = rule;
		LIST_INSERT_HEAD(bucket_of(c, rule, g->hash), g, bucket);
		TAILQ_INSERT_TAIL(&c->ages, g, age);
		c->n_groups++;
		c->n_entries += g->room;
	}
	c->dropped += from->dropped;
	c->looked = from->looked;
	c->event = from->event;
}

void correlate_measure(struct correlate *c, struct meter *meter)
{
	c->meter = meter;
}

static struct entry *entry_at(const struct group *g, uint32_t i)
{
	return &g->entries[g->begin + i];
}

static void room_make(struct correlate *c, const struct group *keep)
{
	while (c->n_groups > GROUPS_MAX || c->n_entries > BUDGET) {
		struct group *g = TAILQ_FIRST(&c->ages);

		if (g == keep)
			return;
		c->dropped += g->n &&
			      entry_at(g, g->n - 1)->time + g->rule->correlation->span > c->looked;
		group_free(c, g);
	}
}

static void group_clear(struct group *g)
{
	g->begin = g->n = 0;
	g->anew = false;
	g->events = 0;
	g->sum = 0;
	g->first = 0;
	g->n_evidence = 0;
}

/* ---- entries ---- */

static void entry_count(struct group *g, const struct entry *e)
{
	g->events += e->n;
	g->sum += e->value;
}

/* Moves to the front what is not over; a sum of fractions is exact again. */
static void entries_pack(struct group *g, uint64_t now, uint64_t span)
{
	uint32_t k = 0;

	g->events = 0;
	g->sum = 0;
	for (uint32_t i = 0; i < g->n; i++) {
		const struct entry *e = entry_at(g, i);

		if (e->time + span <= now)
			continue;
		entry_count(g, e);
		g->entries[k++] = *e;
	}
	g->begin = 0;
	g->n = k;
}

static void entry_drop(struct group *g)
{
	const struct entry *e = entry_at(g, 0);

	g->events -= e->n;
	g->sum -= e->value;
	g->begin++;
	g->n--;
	if (!g->n) {
		g->begin = 0;
		g->sum = 0;
	}
}

static void entries_expire(struct group *g, uint64_t now, uint64_t span)
{
	if (g->anew) {
		entries_pack(g, now, span);
		return;
	}
	while (g->n && entry_at(g, 0)->time + span <= now)
		entry_drop(g);
}

/* Neighbours become one: times get coarser, nothing is forgotten. */
static void entries_halve(struct group *g)
{
	uint32_t k = 0;

	for (uint32_t i = 0; i + 1 < g->n; i += 2, k++) {
		struct entry both = *entry_at(g, i + 1);

		both.n += entry_at(g, i)->n;
		both.value += entry_at(g, i)->value;
		g->entries[k] = both;
	}
	g->begin = 0;
	g->n = k;
}

/* False: there is no memory. */
static bool entries_room(struct correlate *c, struct group *g)
{
	uint32_t room = g->room ? 2 * g->room : 4;
	struct entry *more;

	if (g->begin + g->n < g->room)
		return true;
	if (g->begin && g->begin >= g->n) {
		entries_pack(g, 0, 1); /* all */
		return true;
	}
	more = realloc(g->entries, room * sizeof(*more));
	if (!more)
		return false;
	c->n_entries += room - g->room;
	g->entries = more;
	g->room = room;
	return true;
}

static void entry_add(struct correlate *c, struct group *g, const struct entry *e, bool joins)
{
	if (g->n == ENTRIES_MAX && joins)
		entries_halve(g);
	else if (g->n == ENTRIES_MAX)
		entry_drop(g);
	if (!entries_room(c, g))
		return;
	g->anew |= (g->n && e->time < entry_at(g, g->n - 1)->time) ||
		   !(e->value < EXACT && e->value > -EXACT);
	*entry_at(g, g->n++) = *e;
	entry_count(g, e);
}

/* One entry a value: the last time it was seen. */
static void distinct_add(struct correlate *c, struct group *g, const struct entry *e)
{
	for (uint32_t i = 0; i < g->n; i++) {
		struct entry *known = entry_at(g, i);

		if (known->hash != e->hash)
			continue;
		if (e->time > known->time)
			known->time = e->time;
		g->anew = true;
		return;
	}
	entry_add(c, g, e, false);
}

/*
 * A chain of the rules in their order: of each length the one that began last. One event is one
 * step: what it has just made of the step before does not count. Returns the begin of a whole
 * chain, or 0.
 */
static uint64_t chain_add(struct correlate *c, struct group *g, const struct correlation *k,
			  unsigned rule, uint64_t time)
{
	uint64_t begin = time;
	struct entry *e;

	while (g->n < k->n_targets && g->n < ENTRIES_MAX)
		entry_add(c, g, &(struct entry){}, false);
	if (rule >= g->n)
		return 0;
	e = &g->entries[rule];
	if (rule) {
		begin = e[-1].hash == c->event ? e[-1].n : e[-1].time;
		if (!begin || begin + k->span <= time)
			return 0;
	}
	*e = (struct entry){begin, e->time, c->event, 0};
	return rule + 1 == k->n_targets ? begin : 0;
}

/* ---- what is compared ---- */

/* How many of a hundred values lie below this one (and half of its equals); of texts: are equal. */
static double percentile(const struct group *g, const struct entry *e, bool number)
{
	double below = 0, equal = 0;

	for (uint32_t i = 0; i < g->n; i++) {
		const struct entry *other = entry_at(g, i);

		below += number && other->value < e->value;
		equal += number ? other->value == e->value : other->hash == e->hash;
	}
	return g->n ? 100 * (number ? below + equal / 2 : equal) / g->n : 0;
}

static double group_value(const struct correlation *k, const struct group *g)
{
	switch (k->type) {
	case CORRELATION_VALUE_SUM:
		return g->sum;
	case CORRELATION_VALUE_AVG:
		return g->events ? g->sum / (double)g->events : 0;
	case CORRELATION_EVENT_COUNT:
		return (double)g->events;
	default:
		return g->n;
	}
}

static uint64_t events_of(const struct group *g)
{
	return g->rule->correlation->type == CORRELATION_TEMPORAL_ORDERED ? g->n : g->events;
}

static void evidence_add(struct group *g, const char *id)
{
	unsigned i = g->n_evidence;

	if (!*id || (i && strcmp(g->evidence[(i - 1) % CORRELATE_EVIDENCE_MAX], id) == 0))
		return;
	snprintf(g->evidence[i % CORRELATE_EVIDENCE_MAX], CORRELATE_ID_MAX, "%s", id);
	g->n_evidence++;
}

static void rule_hit(struct correlate *c, const struct rule *rule, struct match *m, uint64_t time,
		     const char *id, unsigned depth);

static void tell(struct correlate *c, struct group *g, uint64_t time, double value, bool closed)
{
	c->fn(c->ctx,
	      &(struct correlate_hit){
		      .rule = g->rule,
		      .group = g->key,
		      .time = time,
		      .first = g->first ? g->first : time,
		      .events = events_of(g),
		      .value = value,
		      .sums_rows = g->rule->correlation->sums_rows,
		      .n_evidence = g->n_evidence < CORRELATE_EVIDENCE_MAX ? g->n_evidence
									   : CORRELATE_EVIDENCE_MAX,
		      .evidence = g->evidence,
		      .closed = closed,
	      });
}

static bool is_over(const struct group *g, uint64_t now)
{
	const struct correlation *k = g->rule->correlation;

	return k->closes && g->n && g->first + k->span <= now;
}

/* The timespan is over: does it hold? */
static void decide(struct correlate *c, struct group *g)
{
	const struct correlation *k = g->rule->correlation;
	double value = group_value(k, g);

	if (correlation_holds(k, value))
		tell(c, g, g->first + k->span, value, true);
	group_clear(g);
}

/* ---- events ---- */

/* "Field=value, Field=value"; false when the event has not all of them. */
static bool group_key(const struct correlation *k, unsigned target, struct match *m, char *key,
		      uint64_t *ret_hash)
{
	size_t n = 0;

	*ret_hash = HASH_START;
	key[0] = '\0';
	for (unsigned i = 0; i < k->n_groups; i++) {
		const char *text = match_text(m, k->group_fields[target][i]);

		if (!text)
			return false;
		*ret_hash = hash_of(text, strlen(text) + 1, *ret_hash);
		if (n < KEY_MAX)
			n += (size_t)snprintf(key + n, KEY_MAX - n, "%s%s=%s", i ? ", " : "",
					      k->group_names[i], text);
	}
	return true;
}

/* The values a correlation looks at; false when the event has not all of them. */
static bool entry_fill(const struct correlation *k, struct match *m, struct entry *e,
		       bool *ret_number)
{
	*ret_number = true;
	e->hash = HASH_START;
	for (unsigned i = 0; i < k->n_values; i++) {
		const char *text = match_text(m, k->value_fields[i]);

		if (!text)
			return false;
		e->hash = hash_of(text, strlen(text) + 1, e->hash);
		*ret_number &= match_number(m, k->value_fields[i], &e->value);
	}
	return *ret_number ||
	       (k->type != CORRELATION_VALUE_SUM && k->type != CORRELATION_VALUE_AVG);
}

/*
 * Several of the rules may match one event: its rows are there once. A correlation that holds is
 * something of its own, and a temporal one asks for each rule.
 */
static bool was_counted(struct correlate *c, struct group *g, unsigned target)
{
	const struct correlation *k = g->rule->correlation;
	bool again = g->event == c->event;

	if (k->type >= CORRELATION_TEMPORAL || k->targets[target]->correlation)
		return false;
	g->event = c->event;
	return again;
}

/* True when it holds; `*value` is what was compared. */
static bool event_add(struct correlate *c, struct group *g, const struct correlation *k,
		      unsigned target, struct entry *e, bool number, double *value)
{
	uint64_t begin;

	if (k->type == CORRELATION_TEMPORAL_ORDERED) {
		begin = chain_add(c, g, k, target, e->time);
		*value = begin ? k->n_targets : 0;
		g->first = begin;
		return begin != 0;
	}
	if (!k->closes)
		entries_expire(g, e->time, k->span);
	if (!g->n)
		g->first = e->time;
	else if (!k->closes)
		g->first = entry_at(g, 0)->time;
	if (k->type == CORRELATION_TEMPORAL)
		e->hash = target;
	if (k->type == CORRELATION_TEMPORAL || k->type == CORRELATION_VALUE_COUNT)
		distinct_add(c, g, e);
	else
		entry_add(c, g, e, k->type != CORRELATION_VALUE_PERCENTILE);
	*value = k->type == CORRELATION_VALUE_PERCENTILE ? percentile(g, e, number)
							 : group_value(k, g);
	return !k->closes && correlation_holds(k, *value);
}

static void correlation_hit(struct correlate *c, const struct rule *rule, unsigned target,
			    struct match *m, uint64_t time, const char *id, unsigned depth)
{
	const struct correlation *k = rule->correlation;
	struct entry e = {.time = time, .n = 1};
	char key[KEY_MAX + 1];
	struct group *g;
	uint64_t hash;
	double value;
	bool number, holds;

	if (!group_key(k, target, m, key, &hash) || !entry_fill(k, m, &e, &number))
		return;
	g = group_get(c, rule, key, hash);
	if (!g || was_counted(c, g, target))
		return;
	if (is_over(g, time))
		decide(c, g);
	evidence_add(g, id);
	holds = event_add(c, g, k, target, &e, number, &value);
	if (holds) {
		tell(c, g, time, value, false);
		if (k->type != CORRELATION_VALUE_PERCENTILE)
			group_clear(g);
	}
	room_make(c, g);
	if (holds)
		rule_hit(c, rule, m, time, id, depth + 1);
}

static void rule_hit(struct correlate *c, const struct rule *rule, struct match *m, uint64_t time,
		     const char *id, unsigned depth)
{
	bool measured = c->meter && c->meter->on;

	if (depth > DEPTH_MAX)
		return;
	for (unsigned n = 0; n < c->n_rules; n++) {
		const struct correlation *k = c->rules[n]->correlation;
		uint64_t begun = measured ? c->meter->clock() : 0;

		for (unsigned i = 0; i < k->n_targets; i++)
			if (k->targets[i] == rule)
				correlation_hit(c, c->rules[n], i, m, time, id, depth);
		if (measured)
			c->meter->spent[c->rules[n]->number] += c->meter->clock() - begun;
	}
}

void correlate_rule(struct correlate *c, const struct rule *rule, struct match *m, uint64_t time,
		    const char *id)
{
	if (rule->counted)
		rule_hit(c, rule, m, time, id, 0);
}

void correlate_time(struct correlate *c, uint64_t now)
{
	struct group *g, *next;

	c->event++;
	/* Once a second; a clock that was set back begins anew. */
	if (now < c->looked + SECOND && now + SECOND > c->looked)
		return;
	c->looked = now;
	for (g = TAILQ_FIRST(&c->ages); g; g = next) {
		next = TAILQ_NEXT(g, age);
		if (!is_over(g, now))
			continue;
		decide(c, g);
		group_free(c, g);
	}
}
