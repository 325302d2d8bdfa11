// links: user/sensor/filewatch.c user/sensor/watch.c
// SPDX-License-Identifier: Apache-2.0
// The watched files against real files: inodes that change, files that come and go, numbers that
// are used again, and what the kernel's maps must hold after each.
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/clean.h"
#include "lib/dbfile.h"
#include "lib/resolved.h"
#include "sensor/filewatch.h"
#include "sensor/watch.h"

/* Stands for the kernel's map. */
struct map {
	struct filewatch_key key[32];
	uint64_t mask[32];
	size_t n;
	size_t exes;
};

static int map_set(void *ctx, const char *map, const void *key, const void *value)
{
	struct map *m = ctx;
	size_t i = 0;

	if (!strcmp(map, "server_exe")) {
		m->exes++;
		return 0;
	}
	while (i < m->n && memcmp(&m->key[i], key, sizeof(m->key[i])))
		i++;
	if (!value && i == m->n)
		return -ENOENT;
	if (!value) {
		m->key[i] = m->key[--m->n];
		m->mask[i] = m->mask[m->n];
		return 0;
	}
	memcpy(&m->key[i], key, sizeof(m->key[i]));
	memcpy(&m->mask[i], value, sizeof(m->mask[i]));
	m->n += i == m->n;
	return 0;
}

static bool map_has(const struct map *m, const char *path)
{
	struct stat st;

	assert_int_equal(0, stat(path, &st));
	for (size_t i = 0; i < m->n; i++)
		if (m->key[i].ino == st.st_ino)
			return true;
	return false;
}

static const char *at(const char *dir, const char *name)
{
	static char path[4][256];
	static unsigned i;

	i = (i + 1) % 4;
	snprintf(path[i], sizeof(path[i]), "%s/%s", dir, name);
	return path[i];
}

static void touch(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT, 0600);

	assert_true(fd >= 0);
	close(fd);
}

static void watch_text(struct watch *w, const char *text)
{
	struct watchname name;
	const char *why;

	assert_int_equal(0, watchname_parse(text, &name, &why));
	assert_int_equal(0, watch_add(w, &name));
}

static void test_postgresql(void **state)
{
	_cleanup_(watch_freep) struct watch *w = watch_new();
	_cleanup_(filewatch_freep) struct filewatch *f = filewatch_new(w);
	_cleanup_(resolved_freep) struct resolved *r = resolved_new();
	char dir[] = "/tmp/filewatch.XXXXXX";
	struct map map = {};
	struct stat st;

	(void)state;
	assert_non_null(mkdtemp(dir));
	watch_text(w, "postgresql:hr.staff");
	assert_int_equal(1, filewatch_blind(f));
	touch(at(dir, "16385"));
	assert_int_equal(0, resolved_add_server(r, &(struct resolved_server){
							   .system = ROLLCALL__SYSTEM__postgresql,
							   .exe = (char[]){"/bin/true"}}));
	assert_int_equal(0, resolved_add_table(r, "postgresql:hr.staff", 0));
	assert_int_equal(0, resolved_add_file(&r->tables[0],
					      &(struct resolved_file){
						      .path = (char *)(uintptr_t)at(dir, "16385"),
						      .kind = (char[]){"heap"},
						      .ino = 1,
						      .dev = 1}));
	assert_int_equal(0, filewatch_resolve(f, r));
	assert_int_equal(0, filewatch_sync(f, map_set, &map));
	assert_int_equal(1, map.exes);
	assert_int_equal(1, map.n);
	assert_true(map_has(&map, at(dir, "16385")));
	assert_int_equal(0, filewatch_blind(f));
	assert_int_equal(0, filewatch_lost(f));
	stat(at(dir, "16385"), &st);
	assert_int_equal(1, filewatch_match(f, map.key[0].dev, st.st_ino));
	assert_int_equal(0, filewatch_match(f, map.key[0].dev + 1, st.st_ino));
	/* the table grows a segment */
	touch(at(dir, "16385.1"));
	assert_int_equal(0, filewatch_sync(f, map_set, &map));
	assert_int_equal(2, map.n);
	assert_true(map_has(&map, at(dir, "16385.1")));
	/* VACUUM FULL: another name; the old ones go */
	unlink(at(dir, "16385"));
	unlink(at(dir, "16385.1"));
	assert_int_equal(0, filewatch_sync(f, map_set, &map));
	assert_int_equal(0, map.n);
	assert_int_equal(1, filewatch_blind(f));
	assert_int_equal(1, filewatch_lost(f));
	assert_int_equal(0, filewatch_lost(f));
	assert_int_equal(0, rmdir(dir));
}

/* A process that works in `dir`, as mariadbd does. */
static pid_t server_start(const char *dir)
{
	pid_t pid = fork();

	if (!pid) {
		if (chdir(dir))
			_exit(1);
		pause();
		_exit(0);
	}
	assert_true(pid > 0);
	usleep(100000);
	return pid;
}

static void test_mariadb(void **state)
{
	_cleanup_(watch_freep) struct watch *w = watch_new();
	_cleanup_(filewatch_freep) struct filewatch *f = filewatch_new(w);
	char dir[] = "/tmp/filewatch.XXXXXX";
	struct map map = {};
	pid_t pid;

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(0, mkdir(at(dir, "mdm"), 0700));
	touch(at(dir, "mdm/staff.ibd"));
	touch(at(dir, "mdm/staff.frm"));
	touch(at(dir, "mdm/staff2.ibd"));
	watch_text(w, "postgresql:hr.staff");
	watch_text(w, "mariadb:mdm.staff");
	pid = server_start(dir);
	assert_int_equal(0, filewatch_server(f, ROLLCALL__SYSTEM__mariadb, pid));
	assert_int_equal(0, filewatch_server(f, ROLLCALL__SYSTEM__mariadb, pid));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_int_equal(0, filewatch_sync(f, map_set, &map));
	assert_int_equal(1, map.exes);
	assert_int_equal(1, map.n);
	assert_int_equal(2, map.mask[0]);
	assert_true(map_has(&map, at(dir, "mdm/staff.ibd")));
	assert_int_equal(1, filewatch_blind(f));
	/* ALTER TABLE: the same name, another inode */
	touch(at(dir, "mdm/new"));
	assert_int_equal(0, rename(at(dir, "mdm/new"), at(dir, "mdm/staff.ibd")));
	assert_int_equal(0, filewatch_sync(f, map_set, &map));
	assert_int_equal(1, map.n);
	assert_true(map_has(&map, at(dir, "mdm/staff.ibd")));
	touch(at(dir, "mdm/staff#P#p0.ibd"));
	assert_int_equal(0, filewatch_sync(f, map_set, &map));
	assert_int_equal(2, map.n);
	for (const char *const *n = (const char *const[]){"mdm/staff#P#p0.ibd", "mdm/staff.ibd",
							  "mdm/staff.frm", "mdm/staff2.ibd", NULL};
	     *n; n++)
		unlink(at(dir, *n));
	assert_int_equal(0, rmdir(at(dir, "mdm")));
	assert_int_equal(0, rmdir(dir));
}

static void test_dbfile(void **state)
{
	char to[DBFILE_ENCODED(16)];

	(void)state;
	dbfile_encode("od-d t", to);
	assert_string_equal(to, "od@002dd@0020t");
	assert_true(dbfile_is_of("staff.ibd", "staff"));
	assert_true(dbfile_is_of("staff#P#p0#SP#s1.ibd", "staff"));
	assert_true(dbfile_is_of("staff.MYD", "staff"));
	assert_false(dbfile_is_of("staff.frm", "staff"));
	assert_false(dbfile_is_of("staff2.ibd", "staff"));
	assert_false(dbfile_is_of("staff", "staff"));
	assert_false(dbfile_is_of("", "staff"));
	assert_string_equal(dbfile_kind("staff.MYI"), "index");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_postgresql),
		cmocka_unit_test(test_mariadb),
		cmocka_unit_test(test_dbfile),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	printf("%zu passed, %d failed\n", sizeof(tests) / sizeof(*tests) - (size_t)failed, failed);
	return failed != 0;
}
