// SPDX-License-Identifier: Apache-2.0
// Per-minute counts of unwatched results. Pure; the pipeline calls summary_flush each minute.
#include "sensor/derive/summary.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/arena.h"

#define BUCKETS 256

struct entry {
	struct entry *next;
	Rollcall__System system;
	char user[64], name[64], exe[256], address[64], os_user[64];
	uint32_t pid;
	uint64_t results, rows, bytes, side_bytes;
	Rollcall__Confidence confidence; /* the least */
};

struct summary {
	uint32_t n, max;
	struct entry *buckets[BUCKETS];
	struct entry other; /* what did not fit */
};

struct summary *summary_new(uint32_t principals_max)
{
	struct summary *s = calloc(1, sizeof(*s));

	if (s)
		s->max = principals_max;
	return s;
}

const Rollcall__Db *summary_of(const Rollcall__Event *ev)
{
	const Rollcall__Db *db = NULL;

	if (ev->kind_case == ROLLCALL__EVENT__KIND_DB_RESULT)
		db = ev->db_result->db;
	if (ev->kind_case == ROLLCALL__EVENT__KIND_DB_PROGRESS)
		db = ev->db_progress->db;
	return db && !db->n_tables && !*db->replication ? db : NULL;
}

static void summary_clear(struct summary *s)
{
	for (unsigned i = 0; i < BUCKETS; i++) {
		while (s->buckets[i]) {
			struct entry *e = s->buckets[i];

			s->buckets[i] = e->next;
			free(e);
		}
	}
	memset(&s->other, 0, sizeof(s->other));
	s->n = 0;
}

struct summary *summary_free(struct summary *s)
{
	if (s)
		summary_clear(s);
	free(s);
	return NULL;
}

void summary_freep(struct summary **s)
{
	*s = summary_free(*s);
}

static void copy(char *to, size_t size, const char *from)
{
	size_t n = strnlen(from, size - 1);

	memcpy(to, from, n);
	to[n] = '\0';
}

/* A remote client's port changes with every connection: the host is the principal. */
static void copy_host(char *to, size_t size, const char *address)
{
	char *colon;

	copy(to, size, address);
	colon = strrchr(to, ':');
	if (colon)
		*colon = '\0';
}

static void entry_key(struct entry *k, const Rollcall__Db *db)
{
	memset(k, 0, sizeof(*k));
	k->system = db->system;
	copy(k->user, sizeof(k->user), db->user);
	copy(k->name, sizeof(k->name), db->name);
	copy(k->exe, sizeof(k->exe), db->client->exe);
	copy(k->os_user, sizeof(k->os_user), db->client->user);
	copy_host(k->address, sizeof(k->address), db->client->address);
	k->pid = db->client->pid;
}

static int entry_same(const struct entry *a, const struct entry *b)
{
	return a->system == b->system && strcmp(a->user, b->user) == 0 &&
	       strcmp(a->name, b->name) == 0 && strcmp(a->exe, b->exe) == 0 &&
	       strcmp(a->os_user, b->os_user) == 0 && strcmp(a->address, b->address) == 0;
}

static unsigned entry_hash(const struct entry *k)
{
	const char *const parts[] = {k->user, k->name, k->exe, k->address, k->os_user};
	uint32_t h = 2166136261u;

	for (unsigned i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		for (const char *p = parts[i]; *p; p++)
			h = (h ^ (unsigned char)*p) * 16777619u;
	return h % BUCKETS;
}

static struct entry *entry_get(struct summary *s, const struct entry *key)
{
	struct entry **p = &s->buckets[entry_hash(key)];

	while (*p && !entry_same(*p, key))
		p = &(*p)->next;
	if (*p)
		return *p;
	if (s->n >= s->max)
		return &s->other;
	*p = malloc(sizeof(**p));
	if (!*p)
		return &s->other;
	**p = *key;
	s->n++;
	return *p;
}

int summary_add(struct summary *s, const Rollcall__Db *db, uint64_t results)
{
	struct entry key, *e;

	entry_key(&key, db);
	e = entry_get(s, &key);
	if (!e->results || db->confidence < e->confidence)
		e->confidence = db->confidence;
	e->results += results;
	e->rows += db->rows;
	e->bytes += db->bytes;
	e->side_bytes += db->side_bytes;
	return e == &s->other ? -ENOSPC : 0;
}

static Rollcall__Event *summary_event(struct arena *a, const struct entry *e, uint64_t time)
{
	Rollcall__DbSummary *m = arena_alloc(a, sizeof(*m));
	Rollcall__Client *client = arena_alloc(a, sizeof(*client));
	Rollcall__Event *ev = arena_alloc(a, sizeof(*ev));
	Rollcall__Db *db = arena_alloc(a, sizeof(*db));

	if (!m || !client || !ev || !db)
		return NULL;
	rollcall__event__init(ev);
	rollcall__db_summary__init(m);
	rollcall__client__init(client);
	rollcall__db__init(db);
	client->exe = arena_strdup(a, e->exe);
	client->address = arena_strdup(a, e->address);
	client->user = arena_strdup(a, e->os_user);
	client->pid = e->pid;
	db->client = client;
	db->system = e->system;
	db->user = arena_strdup(a, e->user);
	db->name = arena_strdup(a, e->name);
	db->rows = e->rows;
	db->bytes = e->bytes;
	db->side_bytes = e->side_bytes;
	db->confidence = e->confidence;
	m->db = db;
	m->results = e->results;
	m->principal =
		arena_printf(a, "%s@%s via %s", e->user, e->name, e->exe[0] ? e->exe : e->address);
	ev->time = time;
	ev->kind_case = ROLLCALL__EVENT__KIND_DB_SUMMARY;
	ev->db_summary = m;
	return client->exe && client->address && client->user && db->user && db->name &&
			       m->principal
		       ? ev
		       : NULL;
}

int summary_flush(struct summary *s, struct arena *a, uint64_t time,
		  void (*emit)(void *ctx, struct arena *a, Rollcall__Event *ev), void *ctx)
{
	for (unsigned i = 0; i <= BUCKETS; i++) {
		const struct entry *e = i < BUCKETS ? s->buckets[i] : &s->other;

		for (; e; e = e->next) {
			Rollcall__Event *ev = e->results ? summary_event(a, e, time) : NULL;

			if (e->results && !ev)
				return -ENOMEM;
			if (ev)
				emit(ctx, a, ev);
			arena_reset(a);
		}
	}
	summary_clear(s);
	return 0;
}
