// links: user/aggregator/store_sqlite.c user/aggregator/store_schema.c
// SPDX-License-Identifier: Apache-2.0
// The store: written by the aggregator's code, read back by the command line's.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "aggregator/store.h"
#include "lib/arena.h"
#include "lib/batch.h"
#include "lib/log.h"
#include "lib/store_read.h"

#define BOOT "01234567-89ab-cdef-0123-456789abcdef"

static char dir[64], path[128];
static struct arena *a;
static struct chain *chain;
static struct store *store;
static uint8_t hash[CHAIN_SIZE]; /* after the last event made */

static int setup(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/rollcall.store.XXXXXX");
	if (!mkdtemp(dir))
		return 1;
	snprintf(path, sizeof(path), "%s/store.db", dir);
	a = arena_new(65536);
	chain = chain_new();
	memset(hash, 0, sizeof(hash));
	return store_open(path, &store);
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	store_free(store);
	arena_free(a);
	chain_free(chain);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

static ProtobufCBinaryData packed(Rollcall__Event *ev)
{
	ProtobufCBinaryData d = {rollcall__event__get_packed_size(ev), NULL};

	d.data = arena_alloc(a, d.len + 1);
	rollcall__event__pack(ev, d.data);
	return d;
}

static ProtobufCBinaryData gap_event(uint64_t time)
{
	Rollcall__Event ev;
	Rollcall__Gap g;

	rollcall__event__init(&ev);
	rollcall__gap__init(&g);
	ev.time = time;
	ev.kind_case = ROLLCALL__EVENT__KIND_GAP;
	ev.gap = &g;
	return packed(&ev);
}

static ProtobufCBinaryData finding_event(const char *id, const char *status, uint64_t rows)
{
	Rollcall__Event ev;
	Rollcall__Finding f;
	Rollcall__Rule rule;
	char *tables[] = {arena_strdup(a, "hr.public.staff"), arena_strdup(a, "mdm.staff")};

	rollcall__event__init(&ev);
	rollcall__finding__init(&f);
	rollcall__rule__init(&rule);
	rule.id = arena_strdup(a, "rule");
	rule.level = arena_strdup(a, "high");
	f.rule = &rule;
	f.id = arena_strdup(a, id);
	f.status = arena_strdup(a, status);
	f.rows = rows;
	f.n_tables = 2;
	f.tables = tables;
	ev.time = 1000 + rows;
	ev.kind_case = ROLLCALL__EVENT__KIND_FINDING;
	ev.finding = &f;
	return packed(&ev);
}

/* Stores events under numbers first.., continuing the chain. Number of new ones. */
static uint32_t put(uint64_t first, ProtobufCBinaryData *events, size_t n, int agrees)
{
	Rollcall__Batch *b = arena_alloc(a, sizeof(*b));
	Rollcall__Block *block = arena_alloc(a, sizeof(*block));
	struct store_batch sb = {"mdm1", b, {&block, 1}, agrees};
	uint32_t fresh = 99;

	rollcall__batch__init(b);
	rollcall__block__init(block);
	b->boot_id = arena_strdup(a, BOOT);
	b->class_ = ROLLCALL__CLASS__crit;
	b->first_seq = first;
	b->count = (uint32_t)n;
	b->chain_before = (ProtobufCBinaryData){CHAIN_SIZE, arena_copy(a, hash, CHAIN_SIZE)};
	chain_next(chain, hash, 1, first, "block", 5);
	b->chain = (ProtobufCBinaryData){CHAIN_SIZE, arena_copy(a, hash, CHAIN_SIZE)};
	block->n_event = block->n_process_of = n;
	block->event = events;
	block->process_of = arena_alloc(a, n * sizeof(*block->process_of));
	assert_int_equal(store_batch(store, &sb, &fresh), 0);
	return fresh;
}

struct seen {
	unsigned n;
	uint64_t rows, first, last;
	char text[256];
};

static int count_event(void *ctx, const struct store_read_event *ev)
{
	struct seen *s = ctx;

	s->n++;
	s->last = ev->seq;
	snprintf(s->text, sizeof(s->text), "%s %s %s %s", ev->host, ev->class, ev->kind,
		 ev->event ? ev->event->id : "");
	return 0;
}

static int count_finding(void *ctx, const struct store_read_finding *f)
{
	struct seen *s = ctx;

	s->n++;
	s->rows = f->rows;
	snprintf(s->text, sizeof(s->text), "%s|%s|%s|%s", f->id, f->status, f->level, f->tables);
	assert_non_null(f->event);
	return 0;
}

static int count_gap(void *ctx, const struct store_read_gap *g)
{
	struct seen *s = ctx;

	s->n++;
	s->first = g->first_seq;
	s->last = g->last_seq;
	snprintf(s->text, sizeof(s->text), "%s", g->reason);
	return 0;
}

static int count_host(void *ctx, const struct store_read_host *h)
{
	struct seen *s = ctx;

	s->n++;
	s->rows = h->events;
	s->first = h->findings;
	s->last = h->gaps;
	snprintf(s->text, sizeof(s->text), "%s", h->name);
	return 0;
}

static struct store_read *reader(void)
{
	struct store_read *r;

	assert_int_equal(store_read_open(path, &r), 0);
	return r;
}

static void stored_once_however_often_sent(void **state)
{
	ProtobufCBinaryData events[] = {gap_event(5), gap_event(6), gap_event(7)};
	uint8_t known[CHAIN_SIZE];
	struct store_read *r = reader();
	struct seen s = {};
	uint64_t seq;

	(void)state;
	assert_int_equal(put(10, events, 2, 1), 2);
	memset(hash, 0, sizeof(hash));
	assert_int_equal(put(10, events, 3, 1), 1);
	assert_int_equal(store_position(store, "mdm1", BOOT, 1, &seq, known), 0);
	assert_int_equal(seq, 12);
	assert_memory_equal(known, hash, CHAIN_SIZE);
	assert_int_equal(store_read_events(r, 0, NULL, count_event, &s), 0);
	assert_int_equal(s.n, 3);
	assert_string_equal(s.text, "mdm1 crit gap 01234567-crit-12");
	s = (struct seen){};
	assert_int_equal(store_read_event(r, "mdm1", "01234567-crit-11", count_event, &s), 0);
	assert_int_equal(s.last, 11);
	assert_int_equal(store_read_event(r, "mdm1", "01234567-crit-13", count_event, &s), -ENOENT);
	assert_int_equal(store_read_event(r, "mdm1", "nonsense", count_event, &s), -EINVAL);
	s = (struct seen){};
	assert_int_equal(store_read_hosts(r, count_host, &s), 0);
	assert_int_equal(s.n, 1);
	assert_int_equal(s.rows, 3);
	store_read_close(r);
}

static void missing_numbers_are_gaps(void **state)
{
	ProtobufCBinaryData ev = gap_event(5);
	struct store_read *r = reader();
	struct seen s = {};

	(void)state;
	put(100, &ev, 1, 1);
	assert_int_equal(store_read_gaps(r, count_gap, &s), 0);
	assert_int_equal(s.n, 0); /* where it begins is known: the chain begins */
	put(105, &ev, 1, 1);
	assert_int_equal(store_read_gaps(r, count_gap, &s), 0);
	assert_int_equal(s.n, 1);
	assert_int_equal(s.first, 101);
	assert_int_equal(s.last, 104);
	assert_string_equal(s.text, "never arrived");
	memset(hash, 0, sizeof(hash));
	put(900, &ev, 1, 1);
	assert_int_equal(store_read_gaps(r, count_gap, &s), 0);
	assert_string_equal(s.text, "spool was reset");
	put(901, &ev, 1, 0);
	assert_int_equal(store_read_gaps(r, count_gap, &s), 0);
	assert_string_equal(s.text, "history differs");
	store_read_close(r);
}

static void a_finding_is_its_latest_state(void **state)
{
	ProtobufCBinaryData events[] = {
		finding_event("f-1", "new", 1000), finding_event("f-1", "updated", 2000),
		finding_event("f-1", "ended", 5000), finding_event("f-12", "new", 7)};
	struct store_read *r = reader();
	struct seen s = {};

	(void)state;
	put(1, events, 4, 1);
	assert_int_equal(store_read_finding(r, "f-1", count_finding, &s), 0);
	assert_int_equal(s.n, 1);
	assert_int_equal(s.rows, 5000);
	assert_string_equal(s.text, "f-1|ended|high|hr.public.staff mdm.staff");
	s = (struct seen){};
	assert_int_equal(store_read_finding(r, "f-", count_finding, &s), 0);
	assert_int_equal(s.n, 2);
	assert_int_equal(store_read_finding(r, "g", count_finding, &s), -ENOENT);
	s = (struct seen){};
	assert_int_equal(store_read_findings(r, 2000, count_finding, &s), 0);
	assert_int_equal(s.n, 1);
	s = (struct seen){};
	assert_int_equal(store_read_hosts(r, count_host, &s), 0);
	assert_int_equal(s.first, 2);
	store_read_close(r);
}

static void what_cannot_be_read_is_kept(void **state)
{
	uint8_t nonsense[] = {0xff, 0x01, 0x02};
	ProtobufCBinaryData events[] = {{3, nonsense}, {0, NULL}};
	struct store_read *r = reader();
	struct seen s = {};

	(void)state;
	assert_int_equal(put(1, events, 2, 1), 2);
	assert_int_equal(store_read_events(r, 0, NULL, count_event, &s), 0);
	assert_int_equal(s.n, 2);
	store_read_close(r);
}

static void filters(void **state)
{
	ProtobufCBinaryData events[] = {gap_event(5), finding_event("f", "new", 9), gap_event(7)};
	struct store_read_filter f = {.kind = "finding"};
	struct store_read *r = reader();
	struct seen s = {};

	(void)state;
	put(1, events, 3, 1);
	assert_int_equal(store_read_events(r, 0, &f, count_event, &s), 0);
	assert_int_equal(s.n, 1);
	f = (struct store_read_filter){.host = "other"};
	s = (struct seen){};
	assert_int_equal(store_read_events(r, 0, &f, count_event, &s), 0);
	assert_int_equal(s.n, 0);
	f = (struct store_read_filter){.newest = true, .limit = 2};
	assert_int_equal(store_read_events(r, 0, &f, count_event, &s), 0);
	assert_int_equal(s.n, 2);
	assert_int_equal(s.last, 3); /* still in order */
	s = (struct seen){};
	f = (struct store_read_filter){.after = 2};
	assert_int_equal(store_read_events(r, 0, &f, count_event, &s), 0);
	assert_int_equal(s.n, 1);
	store_read_close(r);
}

static void not_a_store(void **state)
{
	struct store_read *r;
	char other[128];
	FILE *f;

	(void)state;
	assert_int_equal(store_read_open("/nonexistent/store.db", &r), -ENOENT);
	snprintf(other, sizeof(other), "%s/other", dir);
	f = fopen(other, "w");
	fputs("this is not a database, but it is longer than a header of one would have to be", f);
	fclose(f);
	assert_int_equal(store_read_open(other, &r), -EBADMSG);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(stored_once_however_often_sent),
		T(missing_numbers_are_gaps),
		T(a_finding_is_its_latest_state),
		T(what_cannot_be_read_is_kept),
		T(filters),
		T(not_a_store),
	};

	log_open("test_store", LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
