// links: user/sensor/derive/baseline_watch.c
// SPDX-License-Identifier: Apache-2.0
// Baselines: the table and its bound, its file, edits, and what a sequence of events makes new or
// unusual, across restarts.
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

#include "lib/arena.h"
#include "lib/baseline.h"
#include "lib/baseline_file.h"
#include "lib/clean.h"
#include "sensor/derive/baseline_watch.h"

#define SECOND 1000000000ull
#define HOUR   3600
#define DAY    (24 * HOUR)
#define START  (500000ull * HOUR)

/* ---- the table ---- */

static int see(struct baseline *b, Rollcall__Known what, const char *of, const char *value,
	       uint64_t now)
{
	return baseline_see(b, &(struct baseline_key){what, of, "", value}, now);
}

static void first_and_known(void **state)
{
	_cleanup_(baseline_freep) struct baseline *b = baseline_new(100);
	char one[600], two[600];

	(void)state;
	assert_int_equal(see(b, ROLLCALL__KNOWN__child, "/a", "/x", 1), 1);
	assert_int_equal(see(b, ROLLCALL__KNOWN__child, "/a", "/x", 2), 0);
	assert_int_equal(see(b, ROLLCALL__KNOWN__child, "/b", "/x", 3), 1);
	assert_int_equal(see(b, ROLLCALL__KNOWN__peer, "/a", "/x", 3), 1);
	/* Long texts that differ at their end only are two. */
	memset(one, 'a', sizeof(one));
	one[599] = '\0';
	strcpy(two, one);
	two[598] = 'b';
	assert_int_equal(see(b, ROLLCALL__KNOWN__child, "/a", one, 4), 1);
	assert_int_equal(see(b, ROLLCALL__KNOWN__child, "/a", two, 4), 1);
	assert_int_equal(see(b, ROLLCALL__KNOWN__child, "/a", one, 5), 0);
	assert_int_equal(baseline_age(b, "/a", 10), 0);
	assert_int_equal(baseline_age(b, "/a", 30), 20);
	assert_int_equal(baseline_age(b, "/a", 5), 0);
}

static void bounded(void **state)
{
	_cleanup_(baseline_freep) struct baseline *b = baseline_new(64);
	char value[16];

	(void)state;
	assert_int_equal(baseline_age(b, "/quiet", 1), 0);
	for (unsigned i = 0; i < 100; i++) {
		snprintf(value, sizeof(value), "%u", i);
		assert_int_equal(see(b, ROLLCALL__KNOWN__child, "/a", value, i), 1);
		assert_int_equal(see(b, ROLLCALL__KNOWN__child, "/a", "always", i), i == 0);
	}
	assert_int_equal(baseline_evicted(b), 102 - 64);
	assert_int_equal(baseline_age(b, "/quiet", 1001), 1000);
	assert_int_equal(see(b, ROLLCALL__KNOWN__child, "/a", "99", 200), 0);
	assert_int_equal(see(b, ROLLCALL__KNOWN__child, "/a", "0", 200), 1);
}

static void hours(void **state)
{
	static const uint64_t rows[] = {10, 12, 11, 9, 10, 5000, 10, 13};
	_cleanup_(baseline_freep) struct baseline *b = baseline_new(64);
	struct baseline_hours h;

	(void)state;
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(baseline_rows(b, "t", "p", rows[i], START + 2 * i * HOUR, &h), 0);
	assert_int_equal(h.n, 7);
	assert_int_equal(baseline_rows(b, "t", "p", 7, START + 15 * HOUR, &h), 0);
	assert_int_equal(h.n, 8);
	assert_int_equal(h.rows, 7);
	/* 9 10 10 10 11 12 13 5000; from 10.5: 0.5 0.5 0.5 0.5 1.5 1.5 2.5 4989.5 */
	assert_true(h.median == 10.5);
	assert_true(h.deviation == 1.0);
	for (unsigned i = 0; i < 200; i++)
		assert_int_equal(
			baseline_rows(b, "t", "p", 3, START + (20 + i) * (uint64_t)HOUR, &h), 0);
	assert_int_equal(h.n, BASELINE_HOURS);
	assert_true(h.median == 3 && h.deviation == 0);
}

static void taken(void **state)
{
	_cleanup_(baseline_freep) struct baseline *b = baseline_new(64), *c = baseline_new(64);
	_cleanup_(arena_freep) struct arena *a = arena_new(4096);
	Rollcall__BaselineEntry pattern, *patterns[] = {&pattern};
	Rollcall__Baseline edit, *m;
	struct baseline_hours h;

	rollcall__baseline_entry__init(&pattern);
	rollcall__baseline__init(&edit);
	(void)state;
	for (unsigned i = 0; i < 70; i++)
		baseline_rows(b, "t", "p", i + 1, START + i * (uint64_t)HOUR, &h);
	see(b, ROLLCALL__KNOWN__child, "/a", "/x", 1);
	see(b, ROLLCALL__KNOWN__child, "/a", "/y", 2);
	m = baseline_message(b, a);
	assert_int_equal(m->n_entries, 3);
	assert_int_equal(baseline_take(c, m), 0);
	assert_int_equal(see(c, ROLLCALL__KNOWN__child, "/a", "/x", 9), 0);
	assert_int_equal(baseline_rows(b, "t", "p", 1, START + 70 * HOUR, &h), 0);
	assert_int_equal(baseline_rows(c, "t", "p", 1, START + 70 * HOUR, &h), 0);
	assert_int_equal(h.n, BASELINE_HOURS);
	assert_true(h.median == 38.5); /* of 7 to 70 */
	/* By pattern. */
	edit.n_forget = 1;
	edit.forget = patterns;
	pattern.what = ROLLCALL__KNOWN__child;
	pattern.value = (char[]){"/x*"};
	assert_int_equal(baseline_take(c, &edit), 1);
	assert_int_equal(see(c, ROLLCALL__KNOWN__child, "/a", "/y", 9), 0);
	assert_int_equal(see(c, ROLLCALL__KNOWN__child, "/a", "/x", 9), 1);
	/* Instead of all that is known. */
	rollcall__baseline__init(&edit);
	edit.replace = true;
	edit.entries = m->entries;
	edit.n_entries = 1;
	assert_int_equal(baseline_take(c, &edit), 3);
	assert_int_equal(see(c, ROLLCALL__KNOWN__child, "/a", "/y", 9), 1);
}

/* ---- the file ---- */

struct place {
	char dir[32], path[64], other[64];
};

static void place_make(struct place *p)
{
	strcpy(p->dir, "/tmp/test_baseline.XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	snprintf(p->path, sizeof(p->path), "%s/baseline", p->dir);
}

static const char *beside(struct place *p, const char *suffix)
{
	snprintf(p->other, sizeof(p->other), "%.40s%s", p->path, suffix);
	return p->other;
}

static void place_remove(struct place *p)
{
	static const char *const suffixes[] = {"", ".lock", ".bad", ".edit", ".new"};

	for (unsigned i = 0; i < 5; i++)
		unlink(beside(p, suffixes[i]));
	assert_int_equal(rmdir(p->dir), 0);
}

static void byte_change(const char *path, long at)
{
	FILE *f = fopen(path, "r+");
	int c;

	assert_non_null(f);
	fseek(f, at, at < 0 ? SEEK_END : SEEK_SET);
	c = fgetc(f);
	fseek(f, at, at < 0 ? SEEK_END : SEEK_SET);
	fputc(c ^ 1, f);
	fclose(f);
}

static void files(void **state)
{
	_cleanup_(baseline_freep) struct baseline *b = baseline_new(64);
	_cleanup_(arena_freep) struct arena *a = arena_new(4096);
	Rollcall__Baseline *m;
	struct place p;
	int lock;

	(void)state;
	place_make(&p);
	see(b, ROLLCALL__KNOWN__child, "/a", "/x", 1);
	assert_int_equal(baseline_file_read(p.path, a, &m), -ENOENT);
	assert_int_equal(baseline_file_write(p.path, baseline_message(b, a)), 0);
	assert_int_equal(baseline_file_read(p.path, a, &m), 0);
	assert_int_equal(m->n_entries, 1);
	assert_string_equal(m->entries[0]->value, "/x");
	/* Magic, version, checksum, size, body; and one byte more or less. */
	for (unsigned i = 0; i < 5; i++) {
		static const long at[] = {0, 8, 12, 16, -1};

		byte_change(p.path, at[i]);
		assert_int_equal(baseline_file_read(p.path, a, &m), -EBADMSG);
		byte_change(p.path, at[i]);
		assert_int_equal(baseline_file_read(p.path, a, &m), 0);
	}
	assert_int_equal(truncate(p.path, 24), 0);
	assert_int_equal(baseline_file_read(p.path, a, &m), -EBADMSG);
	assert_int_equal(truncate(p.path, 3), 0);
	assert_int_equal(baseline_file_read(p.path, a, &m), -EBADMSG);
	lock = baseline_file_lock(p.path);
	assert_true(lock >= 0);
	assert_int_equal(baseline_file_lock(p.path), -EAGAIN);
	close(lock);
	place_remove(&p);
}

/* ---- events ---- */

struct told {
	char text[1024];
};

static void tell(void *ctx, struct arena *a, Rollcall__Event *ev)
{
	struct told *t = ctx;
	size_t n = strlen(t->text);
	const Rollcall__FirstSeen *f = ev->first_seen;
	const Rollcall__RowsUnusual *r = ev->rows_unusual;

	(void)a;
	if (ev->kind_case == ROLLCALL__EVENT__KIND_FIRST_SEEN)
		snprintf(t->text + n, sizeof(t->text) - n, "%d %s %s %s;", (int)f->what, f->of,
			 f->by, f->value);
	else
		snprintf(t->text + n, sizeof(t->text) - n, "rows %s %llu>%llu;", r->table,
			 (unsigned long long)r->rows, (unsigned long long)r->limit);
}

static bool is_service(void *ctx, const char *exe)
{
	(void)ctx;
	return strcmp(exe, "/service") == 0;
}

static struct baseline_watch *watch_make(const char *file, uint64_t warm_up, struct told *t)
{
	struct baseline_watch *w = NULL;
	const struct baseline_watch_opts opts = {.max = 1000,
						 .warm_up = warm_up,
						 .rows_factor = 6,
						 .rows_min = 100,
						 .file = file,
						 .service = is_service};

	t->text[0] = '\0';
	assert_int_equal(baseline_watch_new(&opts, tell, t, &w), 0);
	return w;
}

static void give(struct baseline_watch *w, Rollcall__Event *ev, uint64_t now)
{
	_cleanup_(arena_freep) struct arena *a = arena_new(4096);

	ev->time = now * SECOND;
	ev->id = (char[]){"e"};
	assert_int_equal(baseline_watch_event(w, a, ev, ev->time), 0);
}

/* A program that `chain` executed: "/service /bin/sh", ancestors last. */
static void run(struct baseline_watch *w, const char *exe, const char *parent,
		const char *grandparent, uint64_t now)
{
	Rollcall__Process ps[3];
	const char *exes[] = {exe, parent, grandparent};
	Rollcall__Exec exec;
	Rollcall__Event ev;

	rollcall__exec__init(&exec);
	rollcall__event__init(&ev);
	for (unsigned i = 3; i-- > 0;) {
		rollcall__process__init(&ps[i]);
		ps[i].exe = (char *)(uintptr_t)exes[i];
		ps[i].parent = i < 2 ? &ps[i + 1] : NULL;
	}
	ev.process = &ps[0];
	ev.kind_case = ROLLCALL__EVENT__KIND_EXEC;
	ev.exec = &exec;
	give(w, &ev, now);
}

static void connect_to(struct baseline_watch *w, const char *exe, const char *address, uint64_t now)
{
	Rollcall__Process p;
	Rollcall__Endpoint remote;
	Rollcall__TcpConnect c;
	Rollcall__Event ev;

	rollcall__process__init(&p);
	rollcall__endpoint__init(&remote);
	rollcall__tcp_connect__init(&c);
	rollcall__event__init(&ev);
	p.exe = (char *)(uintptr_t)exe;
	remote.address = (char *)(uintptr_t)address;
	c.remote = &remote;
	ev.process = &p;
	ev.kind_case = ROLLCALL__EVENT__KIND_TCP_CONNECT;
	ev.tcp_connect = &c;
	give(w, &ev, now);
}

static void result(struct baseline_watch *w, const char *user, const char *shape, uint64_t rows,
		   uint64_t now)
{
	char *tables[] = {(char[]){"hr.staff"}};
	Rollcall__Db db;
	Rollcall__DbResult m;
	Rollcall__Event ev;

	rollcall__db__init(&db);
	rollcall__db_result__init(&m);
	rollcall__event__init(&ev);
	db.system = ROLLCALL__SYSTEM__postgresql;
	db.user = (char *)(uintptr_t)user;
	db.fingerprint = (char *)(uintptr_t)shape;
	db.rows = rows;
	db.tables = tables;
	db.n_tables = *shape ? 1 : 0;
	m.db = &db;
	ev.kind_case = ROLLCALL__EVENT__KIND_DB_RESULT;
	ev.db_result = &m;
	give(w, &ev, now);
}

static void said(struct told *t, const char *want)
{
	assert_string_equal(t->text, want);
	t->text[0] = '\0';
}

static void first_seen(void **state)
{
	struct told t;
	struct baseline_watch *w = watch_make("", 0, &t);

	(void)state;
	run(w, "/bin/sh", "/service", "/init", START);
	said(&t, "1 /service /service /bin/sh;");
	run(w, "/bin/sh", "/service", "/init", START + 1);
	said(&t, "");
	/* Deeper below it: another parent is another pair. */
	run(w, "/bin/id", "/bin/sh", "/service", START + 2);
	said(&t, "1 /service /bin/sh /bin/id;");
	run(w, "/bin/id", "/service", "/init", START + 2);
	said(&t, "1 /service /service /bin/id;");
	/* The service itself when it starts, and what is not below it. */
	run(w, "/service", "/init", "", START + 3);
	run(w, "/bin/id", "/bin/sh", "/login", START + 3);
	said(&t, "");
	connect_to(w, "/service", "10.0.0.1", START + 4);
	connect_to(w, "/service", "10.0.0.1", START + 5);
	connect_to(w, "/bin/other", "10.0.0.9", START + 5);
	said(&t, "2 /service /service 10.0.0.1;");
	result(w, "app", "f1", 1, START + 6);
	said(&t, "3 hr.staff  postgresql:app@ via ;4 hr.staff  f1;");
	result(w, "app", "f2", 1, START + 7);
	said(&t, "4 hr.staff  f2;");
	result(w, "eve", "f2", 1, START + 8);
	said(&t, "3 hr.staff  postgresql:eve@ via ;");
	result(w, "eve", "", 1, START + 9); /* no watched table */
	said(&t, "");
	baseline_watch_free(w);
}

/* Each service and table has its own: one that is watched later learns later. */
static void warm_up(void **state)
{
	struct told t;
	struct baseline_watch *w = watch_make("", DAY, &t);

	(void)state;
	run(w, "/bin/sh", "/service", "/init", START);
	run(w, "/bin/id", "/service", "/init", START + DAY - 1);
	said(&t, "");
	run(w, "/bin/nc", "/service", "/init", START + DAY);
	said(&t, "1 /service /service /bin/nc;");
	run(w, "/bin/id", "/service", "/init", START + DAY);
	result(w, "app", "f1", 1, START + 2 * DAY);
	result(w, "eve", "f2", 1, START + 3 * DAY - 1);
	said(&t, "");
	result(w, "mallory", "f1", 1, START + 3 * DAY);
	said(&t, "3 hr.staff  postgresql:mallory@ via ;");
	baseline_watch_free(w);
}

/* Each is known from then on, told or not. */
static void flood(void **state)
{
	struct told t;
	struct baseline_watch *w = watch_make("", 0, &t);
	unsigned n = 0;
	char address[32];

	(void)state;
	for (unsigned i = 0; i < BASELINE_TOLD_MAX + 50; i++) {
		snprintf(address, sizeof(address), "10.0.%u.%u", i / 256, i % 256);
		connect_to(w, "/service", address, START);
		n += t.text[0] != '\0';
		t.text[0] = '\0';
	}
	assert_int_equal(n, BASELINE_TOLD_MAX);
	assert_int_equal(baseline_watch_loss(w, 3).count, 50);
	connect_to(w, "/service", address, START + HOUR);
	said(&t, "");
	connect_to(w, "/service", "10.9.9.9", START + HOUR);
	said(&t, "2 /service /service 10.9.9.9;");
	baseline_watch_free(w);
}

static void rows_unusual(void **state)
{
	struct told t;
	struct baseline_watch *w = watch_make("", 0, &t);
	uint64_t now = START;

	(void)state;
	result(w, "app", "f", 5000, now);
	t.text[0] = '\0';
	for (unsigned i = 1; i < 8; i++)
		result(w, "app", "f", 200 + i, now += HOUR);
	result(w, "app", "f", 9000, now += HOUR); /* eight hours are known: 5000 is one of them */
	said(&t, "rows hr.staff 9000>327;");
	result(w, "app", "f", 8999, now); /* not yet doubled */
	said(&t, "");
	result(w, "app", "f", 1, now);
	said(&t, "rows hr.staff 18000>327;");
	result(w, "app", "f", 300, now += HOUR);
	said(&t, "");
	baseline_watch_free(w);
	/* Below the floor nothing is unusual. */
	w = watch_make("", 0, &t);
	for (unsigned i = 0; i < 10; i++)
		result(w, "app", "f", 1, now += HOUR);
	t.text[0] = '\0';
	result(w, "app", "f", 99, now += HOUR);
	said(&t, "");
	result(w, "app", "f", 2, now);
	said(&t, "rows hr.staff 101>100;");
	baseline_watch_free(w);
}

static void restarts(void **state)
{
	_cleanup_(arena_freep) struct arena *a = arena_new(4096);
	Rollcall__BaselineEntry pattern, *patterns[] = {&pattern};
	Rollcall__Baseline edit;
	struct baseline_watch *w;
	struct place p;
	struct told t;

	rollcall__baseline_entry__init(&pattern);
	rollcall__baseline__init(&edit);
	(void)state;
	place_make(&p);
	w = watch_make(p.path, 0, &t);
	run(w, "/bin/sh", "/service", "/init", START);
	baseline_watch_tick(w, SECOND, true);
	baseline_watch_free(w);
	w = watch_make(p.path, 0, &t);
	run(w, "/bin/sh", "/service", "/init", START);
	said(&t, "");
	run(w, "/bin/id", "/service", "/init", START);
	said(&t, "1 /service /service /bin/id;");
	/* An edit of the command line: what is forgotten is new again. */
	pattern.value = (char[]){"/bin/sh"};
	edit.forget = patterns;
	edit.n_forget = 1;
	assert_int_equal(baseline_file_write(beside(&p, ".edit"), &edit), 0);
	baseline_watch_tick(w, 2 * SECOND, false);
	assert_int_equal(access(beside(&p, ".edit"), F_OK), -1);
	run(w, "/bin/sh", "/service", "/init", START);
	said(&t, "1 /service /service /bin/sh;");
	run(w, "/bin/id", "/service", "/init", START);
	said(&t, "");
	baseline_watch_tick(w, 3 * SECOND, true);
	baseline_watch_free(w);
	/* A bad file is set aside, said, and learning begins anew. */
	byte_change(p.path, -1);
	w = watch_make(p.path, 0, &t);
	assert_int_equal(baseline_watch_loss(w, 1).count, 1);
	assert_int_equal(access(beside(&p, ".bad"), F_OK), 0);
	run(w, "/bin/id", "/service", "/init", START);
	said(&t, "1 /service /service /bin/id;");
	baseline_watch_free(w);
	(void)a;
	place_remove(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_and_known), cmocka_unit_test(bounded),
		cmocka_unit_test(hours),	   cmocka_unit_test(taken),
		cmocka_unit_test(files),	   cmocka_unit_test(first_seen),
		cmocka_unit_test(warm_up),	   cmocka_unit_test(rows_unusual),
		cmocka_unit_test(restarts),	   cmocka_unit_test(flood),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
