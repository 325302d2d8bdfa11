// links: user/sensor/derive/{staged,rule}.c
// SPDX-License-Identifier: Apache-2.0
// Rows read, a file written, fetched, removed, by which process of which lineage: when that is a
// finding, and what it says. Each test is a replay of events.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lib/arena.h"
#include "sensor/derive/staged.h"

#define SECOND 1000000000ull
#define HOUR   (3600 * SECOND)
#define START  (1000 * HOUR)
#define INODE  4711

struct replay {
	struct arena *arena;
	struct staged *staged;
	char told[512]; /* "staged-file new 5000 high; ..." since the last look */
	size_t n;
	Rollcall__Finding *last;
	unsigned events;
	bool touch; /* the next files are opened to be written, and not */
};

static void told(void *ctx, struct arena *a, Rollcall__Event *ev)
{
	static const char prefix[] = "rollcall-db-";
	struct replay *r = ctx;
	Rollcall__Finding *f = ev->finding;

	(void)a;
	assert_int_equal(strncmp(f->rule->id, prefix, strlen(prefix)), 0);
	r->n += (size_t)snprintf(r->told + r->n, sizeof(r->told) - r->n, "%s%s %s %llu",
				 r->n ? "; " : "", f->rule->id + strlen(prefix), f->status,
				 (unsigned long long)f->rows);
	r->last = f;
}

static int setup(void **state)
{
	static struct replay r;

	memset(&r, 0, sizeof(r));
	r.arena = arena_new(64 * 1024);
	r.staged = staged_new(&(struct staged_opts){.rows_min = 200, .emit = told, .ctx = &r});
	*state = &r;
	return !r.arena || !r.staged;
}

static int teardown(void **state)
{
	struct replay *r = *state;

	staged_free(r->staged);
	arena_free(r->arena);
	return 0;
}

/* "mysqldump:7 sh:6 java:5 systemd:1", the process first. */
static Rollcall__Process *process(struct replay *r, const char *lineage)
{
	Rollcall__Process *first = NULL, **next = &first;
	char exe[32];
	unsigned pid;
	int n;

	while (sscanf(lineage, " %31[^:]:%u%n", exe, &pid, &n) == 2) {
		*next = arena_alloc(r->arena, sizeof(**next));
		rollcall__process__init(*next);
		(*next)->id = arena_printf(r->arena, "d5a0b8ad%08x%016x", pid,
					   pid); /* as proctab makes them */
		(*next)->pid = pid;
		(*next)->user = arena_strdup(r->arena, "tomcat");
		(*next)->exe = arena_printf(r->arena, "/usr/bin/%s", exe);
		next = &(*next)->parent;
		lineage += n;
	}
	return first;
}

static const char *happens(struct replay *r, uint64_t time, const char *lineage,
			   Rollcall__Event *ev)
{
	ev->time = START + time;
	ev->id = arena_printf(r->arena, "event-%u", ++r->events);
	ev->process = process(r, lineage);
	r->n = 0;
	r->told[0] = '\0';
	assert_int_equal(staged_event(r->staged, r->arena, ev), 0);
	return r->told;
}

static Rollcall__Event *event(struct replay *r, Rollcall__Event__KindCase kind, size_t size)
{
	Rollcall__Event *ev = arena_alloc(r->arena, sizeof(*ev));

	rollcall__event__init(ev);
	ev->kind_case = kind;
	ev->exec = arena_alloc(r->arena, size); /* any member of the union */
	return ev;
}

static Rollcall__Inode *inode(struct replay *r, uint64_t ino)
{
	Rollcall__Inode *i = arena_alloc(r->arena, sizeof(*i));

	rollcall__inode__init(i);
	i->ino = ino;
	i->dev = 1;
	i->size = 123456;
	return i;
}

static const char *reads(struct replay *r, uint64_t time, const char *who, char *table,
			 uint64_t rows)
{
	Rollcall__Event *ev = event(r, ROLLCALL__EVENT__KIND_DB_RESULT, sizeof(*ev->db_result));
	Rollcall__Db *db = arena_alloc(r->arena, sizeof(*db));

	rollcall__db_result__init(ev->db_result);
	rollcall__db__init(db);
	ev->db_result->db = db;
	db->tables = arena_alloc(r->arena, sizeof(char *));
	db->tables[0] = table;
	db->n_tables = *table ? 1 : 0;
	db->rows = rows;
	db->confidence = ROLLCALL__CONFIDENCE__exact;
	return happens(r, time, who, ev);
}

/* `lineage`: the mark of the writer's. */
static const char *writes_as(struct replay *r, uint64_t time, const char *who, unsigned lineage,
			     unsigned tree, uint64_t ino)
{
	Rollcall__Event *ev = event(r, ROLLCALL__EVENT__KIND_FILE_CLOSE, sizeof(*ev->file_close));

	rollcall__file_close__init(ev->file_close);
	ev->file_close->inode = inode(r, ino);
	ev->file_close->path = arena_printf(r->arena, "/www/%llu.css", (unsigned long long)ino);
	ev->file_close->tree = tree;
	ev->file_close->written = r->touch ? 0 : 123456;
	ev->file_close->lineage = lineage;
	return happens(r, time, who, ev);
}

static const char *writes(struct replay *r, uint64_t time, const char *who, unsigned tree,
			  uint64_t ino)
{
	return writes_as(r, time, who, 1, tree, ino);
}

static const char *fetches(struct replay *r, uint64_t time, const char *who, unsigned lineage,
			   uint64_t ino)
{
	Rollcall__Event *ev = event(r, ROLLCALL__EVENT__KIND_FILE_READ, sizeof(*ev->file_read));

	rollcall__file_read__init(ev->file_read);
	ev->file_read->inode = inode(r, ino);
	ev->file_read->lineage = lineage;
	return happens(r, time, who, ev);
}

static const char *removes(struct replay *r, uint64_t time, const char *who, uint64_t ino)
{
	Rollcall__Event *ev = event(r, ROLLCALL__EVENT__KIND_FILE_UNLINK, sizeof(*ev->file_unlink));

	rollcall__file_unlink__init(ev->file_unlink);
	ev->file_unlink->path = arena_printf(r->arena, "/www/%llu.css", (unsigned long long)ino);
	return happens(r, time, who, ev);
}

static Rollcall__Endpoint *endpoint(struct replay *r, unsigned port)
{
	Rollcall__Endpoint *e = arena_alloc(r->arena, sizeof(*e));

	rollcall__endpoint__init(e);
	e->address = arena_strdup(r->arena, "192.0.2.7");
	e->port = port;
	return e;
}

/* `front`: of a proxy on this host, its process. */
static const char *accepts_from(struct replay *r, uint64_t time, const char *who, unsigned port,
				unsigned front)
{
	Rollcall__Event *ev = event(r, ROLLCALL__EVENT__KIND_TCP_ACCEPT, sizeof(*ev->tcp_accept));

	rollcall__tcp_accept__init(ev->tcp_accept);
	ev->tcp_accept->remote = endpoint(r, port);
	ev->tcp_accept->peer_tgid = front;
	return happens(r, time, who, ev);
}

static const char *accepts(struct replay *r, uint64_t time, const char *who, unsigned port)
{
	return accepts_from(r, time, who, port, 0);
}

static const char *sends(struct replay *r, uint64_t time, const char *who, unsigned port,
			 uint64_t bytes)
{
	Rollcall__Event *ev = event(r, ROLLCALL__EVENT__KIND_TCP_CLOSE, sizeof(*ev->tcp_close));

	rollcall__tcp_close__init(ev->tcp_close);
	ev->tcp_close->remote = endpoint(r, port);
	ev->tcp_close->incoming = true;
	ev->tcp_close->bytes_sent = bytes;
	return happens(r, time, who, ev);
}

#define DUMP  "mysqldump:7 sh:6 java:5 systemd:1"
#define TAR   "tar:9 sh:8 java:5 systemd:1"
#define HTTPD "httpd:3 httpd:2 systemd:1"

/* The chain of the real attack: three tables, one file, an ordinary GET, rm. */
static void test_chain(void **state)
{
	struct replay *r = *state;

	assert_string_equal(reads(r, 1 * SECOND, DUMP, "mifs.mi_user", 50000), "");
	assert_string_equal(reads(r, 2 * SECOND, DUMP, "mifs.ldap", 7), "");
	assert_string_equal(writes(r, 3 * SECOND, DUMP, 1, INODE), "staged-file new 50007");
	assert_string_equal(r->last->rule->level, "high");
	assert_string_equal(r->last->path, "/www/4711.css");
	assert_string_equal(r->last->principal, "lineage:/usr/bin/mysqldump as tomcat");
	assert_int_equal(r->last->n_tables, 2);
	assert_int_equal(r->last->bytes, 123456);
	assert_int_equal(r->last->first_seen, START + 1 * SECOND);
	assert_string_equal(fetches(r, 60 * SECOND, HTTPD, 0, INODE),
			    "staged-and-served new 50007");
	assert_string_equal(r->last->rule->level, "critical");
	assert_int_equal(r->last->n_evidence, 4);
	assert_string_equal(r->last->evidence[3], "event-4");
	assert_string_equal(fetches(r, 61 * SECOND, HTTPD, 0, INODE),
			    "staged-and-served updated 50007");
	assert_string_equal(removes(r, 90 * SECOND, "rm:11 sh:10 java:5 systemd:1", INODE),
			    "staged-and-served ended 50007");
	assert_string_equal(fetches(r, 91 * SECOND, HTTPD, 0, INODE), "");
}

/* The peer is whose connection was accepted last, until one has sent as much as the file has. */
static void test_peer(void **state)
{
	struct replay *r = *state;

	reads(r, 1 * SECOND, DUMP, "mifs.mi_user", 5000);
	writes(r, 2 * SECOND, DUMP, 1, INODE);
	assert_string_equal(r->last->peer, "");
	assert_string_equal(accepts(r, 3 * SECOND, HTTPD, 1001), "");
	accepts(r, 3 * SECOND, "httpd:4 httpd:2 systemd:1", 1002);
	fetches(r, 4 * SECOND, HTTPD, 0, INODE);
	assert_string_equal(r->last->peer, "192.0.2.7:1001");
	accepts(r, 5 * SECOND, HTTPD, 1003);
	assert_string_equal(sends(r, 6 * SECOND, HTTPD, 1003, 500), "");
	assert_string_equal(sends(r, 6 * SECOND, "httpd:4 httpd:2 systemd:1", 1002, 200000), "");
	assert_string_equal(sends(r, 7 * SECOND, HTTPD, 1000, 123500),
			    "staged-and-served updated 5000");
	assert_string_equal(r->last->peer, "192.0.2.7:1000");
	assert_string_equal(sends(r, 8 * SECOND, HTTPD, 1004, 123500), "");
	removes(r, 9 * SECOND, "rm:11 sh:10 java:5 systemd:1", INODE);
	assert_string_equal(r->last->peer, "192.0.2.7:1000");
}

/* Behind a proxy the peer is who asked the proxy; its connections to the reader are kept. */
static void test_proxy(void **state)
{
	struct replay *r = *state;

	reads(r, 1 * SECOND, DUMP, "mifs.mi_user", 5000);
	writes(r, 2 * SECOND, DUMP, 1, INODE);
	accepts(r, 3 * SECOND, HTTPD, 1001);
	accepts_from(r, 4 * SECOND, "java:5 systemd:1", 2001, 3);
	accepts(r, 5 * SECOND, "httpd:4 httpd:2 systemd:1", 1002);
	accepts_from(r, 6 * SECOND, "java:5 systemd:1", 2002, 4);
	accepts(r, 7 * SECOND, HTTPD, 1003);
	assert_string_equal(fetches(r, 8 * SECOND, "java:5 systemd:1", 3, INODE),
			    "staged-and-served new 5000");
	assert_string_equal(r->last->peer, "192.0.2.7:1003");
	assert_string_equal(sends(r, 9 * SECOND, "java:5 systemd:1", 2001, 200000), "");
	assert_string_equal(sends(r, 9 * SECOND, HTTPD, 1003, 200000),
			    "staged-and-served updated 5000");
	assert_string_equal(r->last->peer, "192.0.2.7:1003");
}

/* Its own tools that read the file again are not the fetch; the server they run under is. */
static void test_who_fetches(void **state)
{
	struct replay *r = *state;

	reads(r, 1 * SECOND, DUMP, "mifs.mi_user", 5000);
	assert_string_equal(writes(r, 2 * SECOND, TAR, 1, INODE), "staged-file new 5000");
	assert_string_equal(fetches(r, 3 * SECOND, TAR, 1, INODE), "");
	assert_string_equal(fetches(r, 3 * SECOND, "sh:8 java:5 systemd:1", 1, INODE), "");
	assert_string_equal(fetches(r, 4 * SECOND, "java:5 systemd:1", 3, INODE),
			    "staged-and-served new 5000");
}

/* Where no program is watched, who is of the same tree is no fetch. */
static void test_unmarked(void **state)
{
	struct replay *r = *state;

	reads(r, 1 * SECOND, DUMP, "mifs.mi_user", 5000);
	assert_string_equal(writes_as(r, 2 * SECOND, TAR, 0, 1, INODE), "staged-file new 5000");
	assert_string_equal(fetches(r, 3 * SECOND, TAR, 0, INODE), "");
	assert_string_equal(fetches(r, 4 * SECOND, "java:5 systemd:1", 0, INODE), "");
	assert_string_equal(fetches(r, 5 * SECOND, HTTPD, 0, INODE), "staged-and-served new 5000");
}

/* Two that read below one ancestor far away are not of one lineage with who is nearer. */
static void test_nearest(void **state)
{
	struct replay *r = *state;

	reads(r, 1 * SECOND, "mysqldump:30 cron:29 init:2 systemd:1", "mifs.mi_user", 5000);
	reads(r, 2 * SECOND, "mysqldump:7 sh:6 java:5 init:2 systemd:1", "mifs.mi_user", 600);
	assert_string_equal(writes(r, 3 * SECOND, "tar:9 sh:8 java:5 init:2 systemd:1", 1, INODE),
			    "staged-file new 600");
}

static void test_ordinary(void **state)
{
	struct replay *r = *state;

	/* A look-up, few rows, an unwatched table, another lineage, another place, too late. */
	reads(r, 1 * SECOND, DUMP, "mifs.mi_user", 1);
	reads(r, 1 * SECOND, DUMP, "mifs.mi_user", 199);
	assert_string_equal(writes(r, 2 * SECOND, DUMP, 1, INODE), "");
	reads(r, 3 * SECOND, DUMP, "", 5000);
	assert_string_equal(writes(r, 4 * SECOND, DUMP, 1, INODE), "");
	reads(r, 5 * SECOND, "app:20 systemd:1", "mifs.mi_user", 5000);
	assert_string_equal(writes(r, 6 * SECOND, DUMP, 1, INODE), "");
	assert_string_equal(writes(r, 7 * SECOND, "app:20 systemd:1", 4, INODE), "");
	assert_string_equal(writes(r, 6 * SECOND + HOUR, "app:20 systemd:1", 1, INODE), "");
	assert_string_equal(fetches(r, 8 * SECOND, HTTPD, 0, INODE), "");
	r->touch = true;
	assert_string_equal(writes(r, 9 * SECOND, "app:20 systemd:1", 1, INODE), "");
}

/* More reads and files than there is room for: the newest are kept. */
static void test_bounded(void **state)
{
	struct replay *r = *state;

	for (unsigned i = 0; i < 100; i++) {
		reads(r, i * SECOND, DUMP, "mifs.mi_user", 10);
		writes(r, i * SECOND, DUMP, 1, 100 + i);
	}
	assert_string_equal(r->told, "staged-file new 640"); /* 64 reads are remembered */
	assert_string_equal(fetches(r, 101 * SECOND, HTTPD, 0, 119), "");
	assert_string_equal(fetches(r, 101 * SECOND, HTTPD, 0, 199), "staged-and-served new 640");
	assert_int_equal(r->last->n_evidence, 32);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_chain, setup, teardown),
		cmocka_unit_test_setup_teardown(test_peer, setup, teardown),
		cmocka_unit_test_setup_teardown(test_proxy, setup, teardown),
		cmocka_unit_test_setup_teardown(test_who_fetches, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unmarked, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nearest, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ordinary, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bounded, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
