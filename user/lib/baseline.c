// SPDX-License-Identifier: Apache-2.0
// A hash table in which the least recently seen entry is found at once.
#include "lib/baseline.h"

#include <errno.h>
#include <fnmatch.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/clean.h"

#define TEXT_MAX 256
#define HOUR	 3600

struct hours {
	uint64_t hour, rows, told;
	unsigned n, next; /* past: a ring */
	uint64_t past[BASELINE_HOURS];
	double median, deviation; /* of those */
};

struct entry {
	struct entry *next;	     /* of its bucket */
	struct entry *older, *newer; /* by when they were seen */
	Rollcall__Known what;
	char *of, *by, *value;
	uint64_t first, last, count;
	uint64_t told_hour, told; /* of a subject: how often something new of it was told */
	struct hours *hours;
};

struct baseline {
	uint32_t n, max, buckets;
	struct entry **table;
	struct entry *oldest, *newest;
	uint64_t evicted, version;
};

struct baseline *baseline_new(uint32_t max)
{
	_cleanup_(baseline_freep) struct baseline *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	b->max = max;
	for (b->buckets = 64; b->buckets < max; b->buckets *= 2)
		;
	b->table = calloc(b->buckets, sizeof(*b->table));
	return b->table ? take_ptr(b) : NULL;
}

/* ---- keys ---- */

static uint64_t text_hash(uint64_t h, const char *text)
{
	do
		h = (h ^ (unsigned char)*text) * 0x100000001b3ull;
	while (*text++);
	return h;
}

static uint32_t bucket_of(const struct baseline *b, const struct baseline_key *k)
{
	uint64_t h = 0xcbf29ce484222325ull ^ k->what;

	h = text_hash(text_hash(text_hash(h, k->of), k->by), k->value);
	return (uint32_t)(h ^ h >> 32) & (b->buckets - 1);
}

/* A text too long to be kept ends with a number made of all of it: two such stay two. */
static const char *text_fit(const char *text, char buf[TEXT_MAX])
{
	if (strlen(text) < TEXT_MAX)
		return text;
	snprintf(buf, TEXT_MAX, "%.230s...#%016llx", text,
		 (unsigned long long)text_hash(0xcbf29ce484222325ull, text));
	return buf;
}

struct key_room {
	char of[TEXT_MAX], by[TEXT_MAX], value[TEXT_MAX];
};

static struct baseline_key key_fit(const struct baseline_key *k, struct key_room *room)
{
	return (struct baseline_key){k->what, text_fit(k->of, room->of), text_fit(k->by, room->by),
				     text_fit(k->value, room->value)};
}

static bool is_of(const struct entry *e, const struct baseline_key *k)
{
	return e->what == k->what && strcmp(e->of, k->of) == 0 && strcmp(e->by, k->by) == 0 &&
	       strcmp(e->value, k->value) == 0;
}

/* ---- entries ---- */

static void entry_free(struct entry *e)
{
	if (!e)
		return;
	free(e->of);
	free(e->by);
	free(e->value);
	free(e->hours);
	free(e);
}

static void seen_unlink(struct baseline *b, struct entry *e)
{
	*(e->older ? &e->older->newer : &b->oldest) = e->newer;
	*(e->newer ? &e->newer->older : &b->newest) = e->older;
	e->older = e->newer = NULL;
}

static void seen_last(struct baseline *b, struct entry *e)
{
	e->older = b->newest;
	*(b->newest ? &b->newest->newer : &b->oldest) = e;
	b->newest = e;
}

static void entry_drop(struct baseline *b, struct entry *e)
{
	const struct baseline_key k = {e->what, e->of, e->by, e->value};
	struct entry **p = &b->table[bucket_of(b, &k)];

	while (*p != e)
		p = &(*p)->next;
	*p = e->next;
	seen_unlink(b, e);
	entry_free(e);
	b->n--;
	b->version++;
}

struct baseline *baseline_free(struct baseline *b)
{
	while (b && b->oldest)
		entry_drop(b, b->oldest);
	if (b)
		free(b->table);
	free(b);
	return NULL;
}

void baseline_freep(struct baseline **b)
{
	*b = baseline_free(*b);
}

static struct entry *entry_find(const struct baseline *b, const struct baseline_key *k)
{
	struct entry *e = b->table[bucket_of(b, k)];

	while (e && !is_of(e, k))
		e = e->next;
	return e;
}

/*
 * Subjects stay: the administrator's configuration bounds them, and one that was forgotten would
 * warm up, silently, anew. Only an import can have more of them than there is room.
 */
static void room_make(struct baseline *b)
{
	for (uint32_t i = 0; i < b->n; i++) {
		struct entry *e = b->oldest;

		if (e->what != ROLLCALL__KNOWN__subject)
			break;
		seen_unlink(b, e);
		seen_last(b, e);
	}
	entry_drop(b, b->oldest);
	b->evicted++;
}

static struct entry *entry_new(struct baseline *b, const struct baseline_key *k, uint64_t now)
{
	struct entry *e = calloc(1, sizeof(*e)), **bucket = &b->table[bucket_of(b, k)];

	if (!e)
		return NULL;
	*e = (struct entry){.what = k->what, .first = now, .last = now};
	e->of = strdup(k->of);
	e->by = strdup(k->by);
	e->value = strdup(k->value);
	if (k->what == ROLLCALL__KNOWN__rows)
		e->hours = calloc(1, sizeof(*e->hours));
	if (!e->of || !e->by || !e->value || (k->what == ROLLCALL__KNOWN__rows && !e->hours)) {
		entry_free(e);
		return NULL;
	}
	if (b->n >= b->max)
		room_make(b);
	/* The bucket's first entry may be the one that made room. */
	e->next = *bucket;
	*bucket = e;
	seen_last(b, e);
	b->n++;
	b->version++;
	return e;
}

/* The entry as seen now; *ret_new: it was not there. */
static struct entry *entry_see(struct baseline *b, const struct baseline_key *key, uint64_t now,
			       bool *ret_new)
{
	struct key_room room;
	const struct baseline_key k = key_fit(key, &room);
	struct entry *e = entry_find(b, &k);

	*ret_new = !e;
	if (!e)
		e = entry_new(b, &k, now);
	if (!e)
		return NULL;
	e->count++;
	e->last = now > e->last ? now : e->last;
	seen_unlink(b, e);
	seen_last(b, e);
	b->version++;
	return e;
}

int baseline_see(struct baseline *b, const struct baseline_key *key, uint64_t now)
{
	bool new;

	if (!entry_see(b, key, now, &new))
		return -ENOMEM;
	return new;
}

int64_t baseline_age(struct baseline *b, const char *of, uint64_t now)
{
	const struct baseline_key key = {ROLLCALL__KNOWN__subject, of, "", ""};
	bool new;
	const struct entry *e = entry_see(b, &key, now, &new);

	if (!e)
		return -ENOMEM;
	return now > e->first ? (int64_t)(now - e->first) : 0;
}

bool baseline_may_tell(struct baseline *b, const char *of, uint64_t now)
{
	const struct baseline_key key = {ROLLCALL__KNOWN__subject, of, "", ""};
	struct key_room room;
	const struct baseline_key k = key_fit(&key, &room);
	struct entry *e = entry_find(b, &k);

	if (e && now / HOUR != e->told_hour) {
		e->told_hour = now / HOUR;
		e->told = 0;
	}
	return e && e->told++ < BASELINE_TOLD_MAX;
}

/* ---- rows ---- */

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double middle(double *v, unsigned n)
{
	qsort(v, n, sizeof(*v), compare);
	return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

/* An outlier moves neither of the two. */
static void hours_measure(struct hours *h)
{
	double v[BASELINE_HOURS];

	for (unsigned i = 0; i < h->n; i++)
		v[i] = (double)h->past[i];
	h->median = middle(v, h->n);
	for (unsigned i = 0; i < h->n; i++)
		v[i] = fabs((double)h->past[i] - h->median);
	h->deviation = middle(v, h->n);
}

static void hours_push(struct hours *h, uint64_t rows)
{
	h->past[h->next] = rows;
	h->next = (h->next + 1) % BASELINE_HOURS;
	h->n += h->n < BASELINE_HOURS;
	hours_measure(h);
}

/* A clock that is set back does not begin a new hour. */
static void hours_turn(struct hours *h, uint64_t hour)
{
	if (hour <= h->hour)
		return;
	if (h->rows)
		hours_push(h, h->rows);
	h->hour = hour;
	h->rows = h->told = 0;
}

int baseline_rows(struct baseline *b, const char *table, const char *principal, uint64_t rows,
		  uint64_t now, struct baseline_hours *ret_hours)
{
	const struct baseline_key key = {ROLLCALL__KNOWN__rows, table, "", principal};
	bool new;
	struct entry *e = entry_see(b, &key, now, &new);

	if (!e)
		return -ENOMEM;
	hours_turn(e->hours, now / HOUR);
	e->hours->rows += rows;
	*ret_hours = (struct baseline_hours){e->hours->rows, e->hours->told, e->hours->n,
					     e->hours->median, e->hours->deviation};
	return 0;
}

void baseline_rows_told(struct baseline *b, const char *table, const char *principal, uint64_t rows)
{
	const struct baseline_key key = {ROLLCALL__KNOWN__rows, table, "", principal};
	struct key_room room;
	const struct baseline_key k = key_fit(&key, &room);
	struct entry *e = entry_find(b, &k);

	if (e)
		e->hours->told = rows;
}

uint64_t baseline_evicted(const struct baseline *b)
{
	return b->evicted;
}

uint64_t baseline_version(const struct baseline *b)
{
	return b->version;
}

/* ---- messages ---- */

static int hours_message(const struct hours *h, Rollcall__BaselineEntry *m, struct arena *a)
{
	char text[BASELINE_HOURS * 21 + 1] = "";
	size_t used = 0;
	unsigned from = h->n < BASELINE_HOURS ? 0 : h->next;

	for (unsigned i = 0; i < h->n; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%llu", i ? " " : "",
					 (unsigned long long)h->past[(from + i) % BASELINE_HOURS]);
	m->hour = h->hour;
	m->rows = h->rows;
	m->hours = arena_strdup(a, text);
	return m->hours ? 0 : -ENOMEM;
}

static Rollcall__BaselineEntry *entry_message(const struct entry *e, struct arena *a)
{
	Rollcall__BaselineEntry *m = arena_alloc(a, sizeof(*m));

	if (!m)
		return NULL;
	rollcall__baseline_entry__init(m);
	m->what = e->what;
	m->of = e->of;
	m->by = e->by;
	m->value = e->value;
	m->first = e->first;
	m->last = e->last;
	m->count = e->count;
	return e->hours && hours_message(e->hours, m, a) < 0 ? NULL : m;
}

Rollcall__Baseline *baseline_message(const struct baseline *b, struct arena *a)
{
	Rollcall__Baseline *m = arena_alloc(a, sizeof(*m));

	if (!m)
		return NULL;
	rollcall__baseline__init(m);
	m->entries = arena_alloc(a, (b->n + 1) * sizeof(*m->entries));
	for (const struct entry *e = b->oldest; e && m->entries; e = e->newer) {
		m->entries[m->n_entries] = entry_message(e, a);
		if (!m->entries[m->n_entries++])
			return NULL;
	}
	return m->entries ? m : NULL;
}

static void hours_take(struct hours *h, const Rollcall__BaselineEntry *m)
{
	const char *at = m->hours;
	char *end;

	*h = (struct hours){.hour = m->hour, .rows = m->rows};
	while (*at >= '0' && *at <= '9') {
		hours_push(h, strtoull(at, &end, 10));
		at = end + (*end == ' ');
	}
}

static int entry_take(struct baseline *b, const Rollcall__BaselineEntry *m)
{
	const struct baseline_key key = {m->what, m->of, m->by, m->value};
	struct entry *e;
	bool new;

	if (m->what == ROLLCALL__KNOWN__KNOWN_UNSPECIFIED || m->what > ROLLCALL__KNOWN__subject)
		return 0;
	e = entry_see(b, &key, m->last, &new);
	if (!e)
		return -ENOMEM;
	e->first = m->first;
	e->count = m->count;
	if (e->hours)
		hours_take(e->hours, m);
	return 0;
}

static bool text_matches(const char *pattern, const char *text)
{
	return !*pattern || fnmatch(pattern, text, 0) == 0;
}

bool baseline_matches(const Rollcall__BaselineEntry *p, const Rollcall__BaselineEntry *e)
{
	return (p->what == ROLLCALL__KNOWN__KNOWN_UNSPECIFIED || p->what == e->what) &&
	       text_matches(p->of, e->of) && text_matches(p->by, e->by) &&
	       text_matches(p->value, e->value);
}

static bool is_forgotten(const struct entry *e, const Rollcall__Baseline *m)
{
	const Rollcall__BaselineEntry seen = {
		.what = e->what, .of = e->of, .by = e->by, .value = e->value};
	bool is = m->replace;

	for (size_t i = 0; i < m->n_forget && !is; i++)
		is = baseline_matches(m->forget[i], &seen);
	return is;
}

int64_t baseline_take(struct baseline *b, const Rollcall__Baseline *m)
{
	int64_t forgotten = 0;

	for (struct entry *e = b->oldest, *newer; e; e = newer) {
		newer = e->newer;
		if (!is_forgotten(e, m))
			continue;
		entry_drop(b, e);
		forgotten++;
	}
	for (size_t i = 0; i < m->n_entries; i++)
		if (entry_take(b, m->entries[i]) < 0)
			return -ENOMEM;
	return forgotten;
}
