// links: user/sensor/derive/{finding,rule,sum}.c
// SPDX-License-Identifier: Apache-2.0
// What is judged a finding: floors, fractions, sums, first reads, copies; when it is told, and what
// it says. Each test is a replay of events.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "lib/arena.h"
#include "sensor/derive/finding.h"

#define SECOND 1000000000ull
#define MINUTE (60 * SECOND)
#define START  (1000000 * MINUTE)
#define EXACT  ROLLCALL__CONFIDENCE__exact
#define LOWER  ROLLCALL__CONFIDENCE__lower_bound
#define BYTES  ROLLCALL__CONFIDENCE__bytes_only

struct replay {
	struct arena *arena;
	struct findings *findings;
	char told[4096]; /* "bulk-read new 600-600; ..." of the last event */
	size_t n;
	Rollcall__Finding *last;
	Rollcall__Event *last_event;
	unsigned events;
};

/* One event; what is not set is as in the simplest result. */
struct read {
	uint64_t time, rows, bytes, max_row, side_bytes;
	double fraction;
	Rollcall__Confidence confidence;
	Rollcall__End end;
	bool streaming, closes, server_side, unwatched;
	const char *session, *exe, *address, *table, *replication;
};

static void told(void *ctx, struct arena *a, Rollcall__Event *ev)
{
	static const char prefix[] = "rollcall-db-";
	struct replay *r = ctx;
	Rollcall__Finding *f = ev->finding;

	(void)a;
	assert_int_equal(ev->kind_case, ROLLCALL__EVENT__KIND_FINDING);
	assert_int_equal(strncmp(f->rule->id, prefix, strlen(prefix)), 0);
	assert_true(f->rows_min <= f->rows && f->n_evidence <= 32);
	r->n += (size_t)snprintf(r->told + r->n, sizeof(r->told) - r->n, "%s%s %s %llu-%llu",
				 r->n ? "; " : "", f->rule->id + strlen(prefix), f->status,
				 (unsigned long long)f->rows_min, (unsigned long long)f->rows_max);
	r->last = f;
	r->last_event = ev;
}

static void replay_begin(struct replay *r, const struct finding_thresholds *t, uint32_t principals)
{
	memset(r, 0, sizeof(*r));
	r->arena = arena_new(65536);
	r->findings = findings_new(&(struct findings_opts){
		.thresholds = *t, .principals_max = principals, .emit = told, .ctx = r});
}

static void replay_end(struct replay *r)
{
	findings_freep(&r->findings);
	arena_freep(&r->arena);
}

static char *text(struct replay *r, const char *s, const char *otherwise)
{
	return arena_strdup(r->arena, s ? s : otherwise);
}

static Rollcall__Db *db_of(struct replay *r, const struct read *e)
{
	Rollcall__Client *c = arena_alloc(r->arena, sizeof(*c));
	Rollcall__Db *db = arena_alloc(r->arena, sizeof(*db));

	rollcall__client__init(c);
	rollcall__db__init(db);
	c->exe = text(r, e->exe, e->address ? "" : "/usr/bin/psql");
	c->address = text(r, e->address, "unix");
	c->user = text(r, e->address ? "" : NULL, "bob");
	db->client = c;
	db->system = ROLLCALL__SYSTEM__postgresql;
	db->user = text(r, NULL, "app");
	db->name = text(r, NULL, "hr");
	db->session = text(r, e->session, "s1");
	db->replication = text(r, e->replication, "");
	db->tables = arena_alloc(r->arena, sizeof(*db->tables));
	db->tables[0] = text(r, e->table, "hr.public.staff");
	db->n_tables = !e->unwatched;
	db->rows = e->rows;
	db->bytes = e->bytes;
	db->max_row = e->max_row;
	db->side_bytes = e->side_bytes;
	db->fraction = e->fraction;
	db->server_side = e->server_side;
	db->confidence = e->confidence ? e->confidence : EXACT;
	db->end = e->end ? e->end : ROLLCALL__END__complete;
	return db;
}

/* Replays one event; returns what it made told. */
static const char *on(struct replay *r, struct read e)
{
	Rollcall__Event *ev = arena_alloc(r->arena, sizeof(*ev));
	Rollcall__Db *db = db_of(r, &e);
	Rollcall__DbResult *m = arena_alloc(r->arena, sizeof(*m));
	Rollcall__DbSession *s = arena_alloc(r->arena, sizeof(*s));

	r->told[r->n = 0] = '\0';
	rollcall__event__init(ev);
	ev->time = START + e.time;
	ev->id = arena_printf(r->arena, "e%u", ++r->events);
	if (e.closes) {
		rollcall__db_session__init(s);
		s->db = db;
		s->closed = true;
		ev->kind_case = ROLLCALL__EVENT__KIND_DB_SESSION;
		ev->db_session = s;
	} else if (e.streaming) {
		Rollcall__DbProgress *p = arena_alloc(r->arena, sizeof(*p));

		rollcall__db_progress__init(p);
		p->db = db;
		ev->kind_case = ROLLCALL__EVENT__KIND_DB_PROGRESS;
		ev->db_progress = p;
	} else {
		rollcall__db_result__init(m);
		m->db = db;
		ev->kind_case = ROLLCALL__EVENT__KIND_DB_RESULT;
		ev->db_result = m;
	}
	assert_int_equal(findings_event(r->findings, r->arena, ev), 0);
	return r->told;
}

#define tells(r, wanted, ...) assert_string_equal(on(r, (struct read){__VA_ARGS__}), wanted)

static void test_floor(void **state)
{
	struct replay r;

	(void)state;
	replay_begin(&r, &(struct finding_thresholds){.result_rows = 500}, 10);
	tells(&r, "", .rows = 499);
	tells(&r, "bulk-read new 500-500", .rows = 500, .bytes = 7000);
	assert_string_equal(r.last->id, "f-60000000000000000-1");
	assert_string_equal(r.last->rule->level, "high");
	assert_string_equal(r.last->rule->attack[0], "T1213.006");
	assert_string_equal(r.last->principal, "postgresql:app@hr via /usr/bin/psql as bob");
	assert_string_equal(r.last->window, "result");
	assert_string_equal(r.last->tables[0], "hr.public.staff");
	assert_string_equal(r.last->evidence[0], "e2");
	assert_int_equal(r.last->bytes, 7000);
	assert_false(r.last->gap);
	assert_int_equal(r.last_event->time, START);
	replay_end(&r);
}

/* Further results of the session grow the finding; it is told when it doubled, and at the end. */
static void test_a_session(void **state)
{
	struct replay r;

	(void)state;
	replay_begin(&r, &(struct finding_thresholds){.result_rows = 500}, 10);
	tells(&r, "bulk-read new 500-500", .rows = 500);
	tells(&r, "", .rows = 500 - 1);
	tells(&r, "bulk-read updated 1000-1000", .rows = 500, .table = "hr.public.phones");
	assert_int_equal(r.last->n_tables, 2);
	assert_int_equal(r.last->n_evidence, 2);
	tells(&r, "", .rows = 600);
	tells(&r, "", .closes = true, .session = "s2");
	tells(&r, "bulk-read ended 1600-1600", .closes = true);
	tells(&r, "", .closes = true);
	/* Another session, or the same after a while, is another finding. */
	tells(&r, "bulk-read new 700-700", .rows = 700, .session = "s2", .time = MINUTE);
	assert_non_null(strstr(r.last->id, "-2"));
	tells(&r, "bulk-read new 900-900", .rows = 900, .session = "s2", .time = 11 * MINUTE);
	replay_end(&r);
}

/* Told while it streams; its end makes it exact, under the same id. */
static void test_streaming(void **state)
{
	struct replay r;
	char id[64];

	(void)state;
	replay_begin(&r, &(struct finding_thresholds){.result_rows = 500}, 10);
	tells(&r, "", .rows = 400, .streaming = true);
	tells(&r, "bulk-read new 1000-0", .rows = 1000, .streaming = true);
	snprintf(id, sizeof(id), "%s", r.last->id);
	tells(&r, "", .rows = 1999, .streaming = true, .time = SECOND);
	tells(&r, "bulk-read updated 2000-0", .rows = 2000, .streaming = true, .time = SECOND);
	tells(&r, "bulk-read ended 2300-2300", .rows = 2300, .time = 2 * SECOND);
	assert_string_equal(r.last->id, id);
	assert_int_equal(r.last->first_seen, START);
	assert_int_equal(r.last->last_seen, START + 2 * SECOND);
	tells(&r, "", .closes = true);
	/* The next result of the session adds to it. */
	tells(&r, "bulk-read updated 5300-0", .rows = 3000, .streaming = true);
	tells(&r, "bulk-read ended 5400-5400", .rows = 3100);
	replay_end(&r);
}

static void test_bounds(void **state)
{
	struct replay r;

	(void)state;
	replay_begin(&r, &(struct finding_thresholds){.result_rows = 500, .row_bytes = 1000}, 10);
	tells(&r, "bulk-read new 600-0", .rows = 600, .confidence = LOWER);
	/* Rows that could not be counted are judged by their bytes. */
	tells(&r, "", .bytes = 999, .confidence = BYTES, .session = "s2");
	tells(&r, "bulk-read new 0-0", .bytes = 1000, .confidence = BYTES, .session = "s2");
	replay_end(&r);
}

/* Both, when the table's size is known: many rows, and that part of the table. */
static void test_fraction(void **state)
{
	struct replay r;

	(void)state;
	replay_begin(&r, &(struct finding_thresholds){.result_rows = 500, .result_fraction = 0.25},
		     10);
	tells(&r, "", .rows = 600, .fraction = 0.24);
	tells(&r, "", .rows = 499, .fraction = 1);
	tells(&r, "bulk-read new 600-600", .rows = 600, .fraction = 0.25);
	tells(&r, "bulk-read new 600-600", .rows = 600, .session = "s2"); /* size unknown */
	replay_end(&r);
}

/* Each window by itself: crossed by small reads, carried over, forgotten after its span. */
static void test_windows(void **state)
{
	static const struct {
		const char *name;
		uint64_t span;
	} windows[WINDOWS] = {{"10m", 10 * MINUTE},
			      {"1h", 60 * MINUTE},
			      {"24h", 1440 * MINUTE},
			      {"7d", 10080 * MINUTE}};

	(void)state;
	for (unsigned w = 0; w < WINDOWS; w++) {
		struct finding_thresholds t = {};
		uint64_t step = windows[w].span / 12;
		struct replay r;
		char wanted[64];

		t.window_rows[w] = 500;
		replay_begin(&r, &t, 10);
		for (unsigned i = 0; i < 4; i++)
			tells(&r, "", .rows = 124, .time = i * step);
		snprintf(wanted, sizeof(wanted), "bulk-read-%s new 620-620", windows[w].name);
		tells(&r, wanted, .rows = 124, .time = 4 * step);
		assert_string_equal(r.last->window, windows[w].name);
		assert_string_equal(r.last->evidence[0], "e5");
		/* 120 were carried over: 380 more cross it again. */
		tells(&r, "", .rows = 379, .time = 5 * step);
		snprintf(wanted, sizeof(wanted), "bulk-read-%s updated 1000-1000", windows[w].name);
		tells(&r, wanted, .rows = 2 - 1, .end = ROLLCALL__END__failed, .time = 6 * step);
		/* After the span the sum is empty and the finding closed. */
		tells(&r, "", .rows = 499, .time = 30 * step);
		tells(&r, "", .rows = 499, .time = 43 * step);
		snprintf(wanted, sizeof(wanted), "bulk-read-%s new 998-998", windows[w].name);
		tells(&r, wanted, .rows = 499, .time = 44 * step);
		replay_end(&r);
	}
}

/* Rows of before that were not counted exactly leave the sum without an upper bound. */
static void test_bounds_of_sums(void **state)
{
	struct finding_thresholds t = {.window_rows = {[WINDOW_10M] = 100}};
	struct replay r;

	(void)state;
	replay_begin(&r, &t, 10);
	tells(&r, "", .rows = 60, .confidence = LOWER);
	tells(&r, "bulk-read-10m new 120-0", .rows = 60, .time = 9 * MINUTE);
	tells(&r, "", .bytes = 5000, .confidence = BYTES, .exe = "/b");
	tells(&r, "bulk-read-10m new 100-0", .rows = 100, .exe = "/b", .time = 9 * MINUTE);
	tells(&r, "bulk-read-10m new 100-100", .rows = 100, .exe = "/b", .time = 20 * MINUTE);
	replay_end(&r);
}

static void test_what_fills_the_sums(void **state)
{
	struct finding_thresholds t = {.result_rows = 500, .window_rows = {[WINDOW_1H] = 100}};
	struct replay r;

	(void)state;
	replay_begin(&r, &t, 10);
	/* One row by its key is what an application does all day; but not when it is cut short. */
	for (unsigned i = 0; i < 200; i++)
		tells(&r, "", .rows = 1);
	/* Rows that were reported by themselves do not count again. */
	tells(&r, "bulk-read new 500-500", .rows = 500);
	/* What streams counts at its end. */
	tells(&r, "", .rows = 99, .streaming = true, .session = "s2");
	tells(&r, "", .rows = 99, .session = "s2");
	tells(&r, "", .rows = 5000, .unwatched = true);
	tells(&r, "", .rows = 99, .exe = "/usr/bin/other");
	tells(&r, "bulk-read-1h new 100-0", .rows = 1, .end = ROLLCALL__END__aborted,
	      .confidence = LOWER);
	replay_end(&r);
	t.point_reads = true;
	replay_begin(&r, &t, 10);
	for (unsigned i = 0; i < 99; i++)
		tells(&r, "", .rows = 1);
	tells(&r, "bulk-read-1h new 100-100", .rows = 1);
	replay_end(&r);
}

static void test_first_seen(void **state)
{
	struct finding_thresholds t = {.result_rows = 500, .first_seen_rows = 50};
	struct replay r;

	(void)state;
	replay_begin(&r, &t, 10);
	tells(&r, "first-seen-principal new 51-51", .rows = 51);
	assert_string_equal(r.last->rule->level, "medium");
	tells(&r, "", .rows = 51, .session = "s2");
	/* Others: another program, another host; not another port of the same host. */
	tells(&r, "first-seen-principal new 60-60", .rows = 60, .exe = "/tmp/psql");
	tells(&r, "first-seen-principal new 60-60", .rows = 60, .address = "10.0.0.1:5000");
	assert_string_equal(r.last->principal, "postgresql:app@hr via 10.0.0.1");
	tells(&r, "", .rows = 60, .address = "10.0.0.1:5001", .session = "s2");
	tells(&r, "first-seen-principal new 60-60", .rows = 60, .address = "[::1]:5000");
	assert_string_equal(r.last->principal, "postgresql:app@hr via [::1]");
	/* Few rows are no finding, yet they were read. */
	tells(&r, "", .rows = 50, .exe = "/bin/a");
	tells(&r, "", .rows = 51, .exe = "/bin/a", .session = "s2");
	/* The floor says more. */
	tells(&r, "bulk-read new 500-500", .rows = 500, .exe = "/bin/b");
	/* Reading what is not watched is not reading. */
	tells(&r, "", .rows = 51, .exe = "/bin/c", .unwatched = true);
	tells(&r, "first-seen-principal new 51-51", .rows = 51, .exe = "/bin/c");
	replay_end(&r);
}

static void test_copies(void **state)
{
	struct finding_thresholds t = {.result_rows = 500, .server_copy = true, .row_bytes = 65536};
	struct replay r;

	(void)state;
	replay_begin(&r, &t, 10);
	tells(&r, "server-side-copy new 5000-5000", .rows = 5000, .server_side = true);
	assert_string_equal(r.last->rule->attack[1], "T1074.001");
	tells(&r, "", .rows = 1, .max_row = 65535, .session = "s2");
	tells(&r, "large-row new 1-1", .rows = 1, .max_row = 65536, .session = "s2");
	tells(&r, "bulk-read new 500-500; large-row new 500-500", .rows = 500, .max_row = 70000,
	      .session = "s3");
	tells(&r, "replication new 0-0", .bytes = 1, .replication = "binlog", .unwatched = true,
	      .confidence = BYTES, .session = "s4");
	tells(&r, "", .replication = "binlog", .unwatched = true, .session = "s5");
	replay_end(&r);
}

/* For any table: the text hides which. What comes after the last result counts at the end. */
static void test_side_channel(void **state)
{
	struct replay r;

	(void)state;
	replay_begin(&r, &(struct finding_thresholds){.side_channel_bytes = 1000}, 10);
	tells(&r, "", .side_bytes = 999, .unwatched = true);
	tells(&r, "side-channel new 0-0", .side_bytes = 1000, .unwatched = true);
	tells(&r, "", .side_bytes = 999, .closes = true, .session = "s2");
	tells(&r, "side-channel new 0-0", .side_bytes = 1000, .closes = true, .session = "s2");
	replay_end(&r);
}

static const char *on_file(struct replay *r, uint64_t time, const char *exe)
{
	Rollcall__Event *ev = arena_alloc(r->arena, sizeof(*ev));
	Rollcall__FileRead *m = arena_alloc(r->arena, sizeof(*m));
	Rollcall__Inode *inode = arena_alloc(r->arena, sizeof(*inode));
	Rollcall__Process *p = arena_alloc(r->arena, sizeof(*p));

	r->told[r->n = 0] = '\0';
	rollcall__event__init(ev);
	rollcall__file_read__init(m);
	rollcall__inode__init(inode);
	rollcall__process__init(p);
	p->exe = text(r, exe, NULL);
	p->user = text(r, NULL, "eve");
	inode->size = 8192;
	m->inode = inode;
	m->tables = text(r, NULL, "hr.public.staff");
	ev->time = START + time;
	ev->id = arena_printf(r->arena, "e%u", ++r->events);
	ev->process = p;
	ev->kind_case = ROLLCALL__EVENT__KIND_FILE_READ;
	m->table = true;
	ev->file_read = m;
	assert_int_equal(findings_event(r->findings, r->arena, ev), 0);
	return r->told;
}

static void test_physical_reads(void **state)
{
	struct replay r;

	(void)state;
	replay_begin(&r, &(struct finding_thresholds){}, 10);
	assert_string_equal(on_file(&r, 0, "/bin/cp"), "physical-read new 0-0");
	assert_string_equal(r.last->principal, "file:/bin/cp as eve");
	assert_string_equal(r.last->tables[0], "hr.public.staff");
	assert_int_equal(r.last->bytes, 8192);
	assert_string_equal(r.last_event->process->exe, "/bin/cp");
	assert_string_equal(on_file(&r, 59 * SECOND, "/bin/cp"), "physical-read updated 0-0");
	assert_int_equal(r.last->n_evidence, 2);
	assert_string_equal(on_file(&r, 59 * SECOND, "/bin/tar"), "physical-read new 0-0");
	assert_string_equal(on_file(&r, 119 * SECOND, "/bin/cp"), "physical-read new 0-0");
	replay_end(&r);
}

/* A threshold of 0 is off: nothing but the physical read, which has none, is ever told. */
static void test_all_off(void **state)
{
	struct replay r;

	(void)state;
	replay_begin(&r, &(struct finding_thresholds){}, 10);
	for (unsigned i = 0; i < 3; i++) {
		tells(&r, "", .rows = UINT32_MAX, .bytes = 1 << 30, .max_row = 1 << 30,
		      .side_bytes = 1 << 30, .fraction = 1, .streaming = i == 0, .closes = i == 2);
		tells(&r, "", .rows = 5000, .server_side = true);
		tells(&r, "", .bytes = 1 << 30, .confidence = BYTES);
	}
	replay_end(&r);
}

static void test_gap(void **state)
{
	struct replay r;

	(void)state;
	replay_begin(&r, &(struct finding_thresholds){.result_rows = 500}, 10);
	findings_gap(r.findings, START);
	tells(&r, "bulk-read new 500-500", .rows = 500, .time = 59 * SECOND);
	assert_true(r.last->gap);
	tells(&r, "bulk-read new 500-500", .rows = 500, .time = 60 * SECOND, .session = "s2");
	assert_false(r.last->gap);
	/* A loss while it grows. */
	findings_gap(r.findings, START + 61 * SECOND);
	tells(&r, "bulk-read updated 1500-1500", .rows = 1000, .time = 62 * SECOND,
	      .session = "s2");
	assert_true(r.last->gap);
	replay_end(&r);
}

/* However many results, tables and principals: all is bounded, and the oldest makes room. */
static void test_limits(void **state)
{
	struct replay r;
	char table[16];
	uint64_t rows = 1;

	(void)state;
	replay_begin(&r, &(struct finding_thresholds){.result_rows = 1}, 2);
	for (unsigned i = 0; i < 40; i++, rows *= 2) {
		snprintf(table, sizeof(table), "t%u", i);
		on(&r, (struct read){.rows = rows, .table = table});
	}
	assert_int_equal(r.last->n_evidence, 32);
	assert_int_equal(r.last->n_tables, 8);
	assert_string_equal(r.last->tables[7], "t7");
	tells(&r, "bulk-read new 1-1", .rows = 1, .exe = "/b", .time = 1);
	tells(&r, "", .rows = 1, .time = 2);
	tells(&r, "bulk-read new 1-1", .rows = 1, .exe = "/c",
	      .time = 3); /* /b was quiet longest */
	tells(&r, "", .rows = 1, .time = 4);
	tells(&r, "bulk-read new 1-1", .rows = 1, .exe = "/b", .time = 5);
	tells(&r, "bulk-read new 1-1", .rows = 1, .exe = "/c", .time = 6);
	replay_end(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_floor),	       cmocka_unit_test(test_a_session),
		cmocka_unit_test(test_streaming),      cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_fraction),       cmocka_unit_test(test_windows),
		cmocka_unit_test(test_bounds_of_sums), cmocka_unit_test(test_what_fills_the_sums),
		cmocka_unit_test(test_first_seen),     cmocka_unit_test(test_copies),
		cmocka_unit_test(test_side_channel),   cmocka_unit_test(test_physical_reads),
		cmocka_unit_test(test_all_off),	       cmocka_unit_test(test_gap),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
