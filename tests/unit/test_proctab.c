// links: user/sensor/proctab.c user/lib/mask.c
// SPDX-License-Identifier: Apache-2.0
// The process table, fed with the messages that kernel records decode to: who is forgotten first,
// whose child is whose, and that an attacker's process tree cannot make it grow.
#include <fcntl.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/arena.h"
#include "lib/clean.h"
#include "sensor/proctab.h"

#define SECOND 1000000000ull
#define BOOT   "0a1b2c3d-0000-0000-0000-000000000000"

static Rollcall__Task task_of(uint32_t tgid, uint64_t start)
{
	Rollcall__Task task;

	rollcall__task__init(&task);
	task.tgid = task.tid = tgid;
	task.start_time = start;
	task.uid = 1000;
	return task;
}

static void do_fork(struct proctab *t, uint64_t time, uint32_t parent, uint64_t parent_start,
		    uint32_t tgid)
{
	Rollcall__Fork f;
	Rollcall__Task task = task_of(tgid, time);

	rollcall__fork__init(&f);
	f.task = &task;
	f.parent_tgid = parent;
	f.parent_start_time = parent_start;
	assert_int_equal(0, proctab_fork(t, time, &f));
}

/* Executes `exe` with itself as the only argument. */
static void do_exec(struct proctab *t, uint64_t time, uint32_t tgid, uint64_t start, uint32_t ppid,
		    const char *exe)
{
	Rollcall__Exec e;
	Rollcall__Task task = task_of(tgid, start);
	_cleanup_(freep) char *copy = strdup(exe);

	task.ppid = ppid;
	rollcall__exec__init(&e);
	e.task = &task;
	e.exe = copy;
	e.exe_nlink = 1;
	e.args.data = (uint8_t *)copy;
	e.args.len = strlen(copy) + 1;
	assert_int_equal(0, proctab_exec(t, time, &e));
}

static void do_exit(struct proctab *t, uint64_t time, uint32_t tgid, uint64_t start)
{
	Rollcall__Exit e;
	Rollcall__Task task = task_of(tgid, start);

	rollcall__exit__init(&e);
	e.task = &task;
	assert_int_equal(0, proctab_exit(t, time, &e));
}

/* "leaf parent grandparent": the pids of a process and its ancestors. */
static const char *lineage(struct proctab *t, uint32_t tgid, uint64_t time)
{
	static char text[1024];
	struct arena *a = arena_new(4096);
	const struct proc *p = proctab_find(t, tgid, time);
	const Rollcall__Process *m = p ? proctab_fill(t, p, a, 64) : NULL;
	size_t n = 0;

	text[0] = '\0';
	for (; m; m = m->parent)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%u", n ? " " : "", m->pid);
	arena_freep(&a);
	return text;
}

static void test_fields(void **state)
{
	_cleanup_(proctab_freep) struct proctab *t = proctab_new(16, BOOT);
	struct arena *a = arena_new(4096);
	Rollcall__Exec e;
	Rollcall__Inode inode;
	Rollcall__Task task = task_of(0x12, 0x345);
	Rollcall__Process *m;
	char strings[][16] = {"/bin/sh", "/root", "cron.service"};
	char args[] = "sh\0-c\0\0cut";

	(void)state;
	rollcall__exec__init(&e);
	rollcall__inode__init(&inode);
	task.uid = 0;
	inode.ino = 77;
	e.task = &task;
	e.exe_inode = &inode;
	e.exe = strings[0];
	e.cwd = strings[1];
	e.cgroup = strings[2];
	e.args.data = (uint8_t *)args;
	e.args.len = sizeof(args) - 1;
	e.args_truncated = true;
	e.path_truncated = true;
	assert_int_equal(0, proctab_exec(t, 0x400, &e));
	m = proctab_fill(t, proctab_find(t, 0x12, 0x400), a, 16);
	assert_string_equal(m->id, "0a1b2c3d000000120000000000000345");
	assert_int_equal(m->pid, 0x12);
	assert_int_equal(m->start_time, 0x345);
	assert_int_equal(m->uid, 0);
	assert_string_equal(m->user, "root");
	assert_string_equal(m->exe, "/bin/sh");
	assert_string_equal(m->cwd, "/root");
	assert_string_equal(m->unit, "cron.service");
	assert_int_equal(m->exe_inode, 77);
	assert_true(m->exe_deleted); /* exe_nlink is 0 */
	assert_true(m->args_truncated);
	assert_true(m->path_truncated);
	assert_int_equal(m->n_args, 4);
	assert_string_equal(m->args[0], "sh");
	assert_string_equal(m->args[1], "-c");
	assert_string_equal(m->args[2], "");
	assert_string_equal(m->args[3], "cut");
	assert_null(m->parent);
	arena_freep(&a);
}

static void test_no_room(void **state)
{
	_cleanup_(proctab_freep) struct proctab *t = proctab_new(0, BOOT);

	(void)state;
	do_fork(t, 1, 0, 0, 10);
	do_fork(t, 2, 10, 1, 11);
	assert_string_equal(lineage(t, 11, 3), "11");
}

/* The ended go first, in the order they ended, however old the running ones are. */
static void test_ended_first(void **state)
{
	_cleanup_(proctab_freep) struct proctab *t = proctab_new(200, BOOT);
	struct proctab_counts c;

	(void)state;
	for (uint32_t i = 1; i <= 200; i++)
		do_fork(t, i, 0, 0, i);
	for (uint32_t i = 200; i > 100; i--)
		do_exit(t, 1000, i, i);
	for (uint32_t i = 1001; i <= 1100; i++)
		do_fork(t, i, 0, 0, i);
	for (uint32_t i = 1; i <= 100; i++)
		assert_non_null(proctab_find(t, i, 2000));
	for (uint32_t i = 101; i <= 200; i++)
		assert_null(proctab_find(t, i, 1000));
	proctab_counts(t, &c);
	assert_int_equal(c.processes, 200);
	assert_int_equal(c.evicted, 100);
}

/* What was asked for or forked a child lately stays; a daemon is not the oldest for ever. */
static void test_recently_used(void **state)
{
	_cleanup_(proctab_freep) struct proctab *t = proctab_new(4, BOOT);

	(void)state;
	for (uint32_t i = 1; i <= 4; i++)
		do_fork(t, i, 0, 0, i);
	assert_non_null(proctab_find(t, 1, 5));
	do_exec(t, 6, 2, 2, 0, "/bin/two");
	do_fork(t, 7, 3, 3, 7);
	assert_null(proctab_find(t, 4, 8));
	assert_non_null(proctab_find(t, 2, 8));
	assert_non_null(proctab_find(t, 3, 8));
	assert_non_null(proctab_find(t, 1, 8));
}

static void test_reused_pid(void **state)
{
	_cleanup_(proctab_freep) struct proctab *t = proctab_new(16, BOOT);

	(void)state;
	do_fork(t, 10 * SECOND, 0, 0, 5);
	assert_null(proctab_find(t, 5, 9 * SECOND));
	do_exit(t, 20 * SECOND, 5, 10 * SECOND);
	assert_non_null(proctab_find(t, 5, 20 * SECOND));
	/* Its sockets and files are closed after its exit record. */
	assert_non_null(proctab_find(t, 5, 20 * SECOND + SECOND / 2));
	assert_null(proctab_find(t, 5, 30 * SECOND));
	do_fork(t, 25 * SECOND, 0, 0, 5);
	assert_non_null(proctab_find(t, 5, 30 * SECOND));
	assert_non_null(proctab_find(t, 5, 15 * SECOND));
	do_exec(t, 40 * SECOND, 6, 39 * SECOND, 5, "/bin/six");
	assert_string_equal(lineage(t, 6, 40 * SECOND), "6 5");
	/* Whose parent's number is that of a dead process has no known parent. */
	do_exit(t, 41 * SECOND, 5, 25 * SECOND);
	do_exec(t, 50 * SECOND, 7, 49 * SECOND, 5, "/bin/seven");
	assert_string_equal(lineage(t, 7, 50 * SECOND), "7");
}

static void test_expire(void **state)
{
	_cleanup_(proctab_freep) struct proctab *t = proctab_new(16, BOOT);
	struct proctab_counts c;

	(void)state;
	do_fork(t, 1, 0, 0, 1);
	do_fork(t, 2, 1, 1, 2);
	do_exit(t, 3, 1, 1);
	proctab_expire(t, 59 * SECOND);
	assert_non_null(proctab_find(t, 1, 3));
	proctab_expire(t, 61 * SECOND);
	assert_null(proctab_find(t, 1, 3));
	assert_string_equal(lineage(t, 2, 61 * SECOND), "2 1");
	proctab_counts(t, &c);
	assert_int_equal(c.processes, 1);
	assert_int_equal(c.ancestors, 1);
	assert_int_equal(c.evicted, 0);
	do_exit(t, 62 * SECOND, 2, 2);
	proctab_expire(t, 200 * SECOND);
	proctab_counts(t, &c);
	assert_int_equal(c.processes, 0);
	assert_int_equal(c.ancestors, 0);
}

static void test_lineage_cut(void **state)
{
	_cleanup_(proctab_freep) struct proctab *t = proctab_new(64, BOOT);
	struct proctab_counts c;

	(void)state;
	for (uint32_t i = 1; i <= 20; i++)
		do_fork(t, i, i - 1, i - 1, i);
	assert_string_equal(lineage(t, 20, 30), "20 19 18 17 16 15 14 13 12 11 10 9 8 7 6 5 4");
	assert_string_equal(lineage(t, 17, 30), "17 16 15 14 13 12 11 10 9 8 7 6 5 4 3 2 1");
	proctab_counts(t, &c);
	assert_int_equal(c.cut, 3);
}

/* The iterator walks by pid, which need not be the order of birth. */
static void test_seed_order(void **state)
{
	_cleanup_(proctab_freep) struct proctab *t = proctab_new(64, BOOT);

	(void)state;
	do_exec(t, 100, 1, 1, 0, "/sbin/init");
	do_exec(t, 100, 10, 30, 40, "/bin/child");
	do_exec(t, 100, 20, 40, 10, "/bin/grandchild");
	do_exec(t, 100, 40, 20, 1, "/bin/parent");
	proctab_link(t);
	assert_string_equal(lineage(t, 20, 101), "20 10 40 1");
	assert_string_equal(lineage(t, 10, 101), "10 40 1");
}

/* Attached, then seeded: the fork is told after the seed, and knows a parent that is gone. */
static void test_fork_after_seed(void **state)
{
	_cleanup_(proctab_freep) struct proctab *t = proctab_new(64, BOOT);
	struct arena *a = arena_new(4096);

	(void)state;
	do_exec(t, 100, 1, 1, 0, "/sbin/init");
	do_exec(t, 100, 10, 10, 1, "/bin/sh");
	do_exec(t, 100, 30, 30, 1, "/bin/orphan");
	proctab_link(t);
	assert_string_equal(lineage(t, 30, 101), "30 1");
	do_fork(t, 20, 10, 10, 20);
	do_fork(t, 30, 20, 20, 30);
	do_exit(t, 40, 20, 20);
	assert_string_equal(lineage(t, 30, 101), "30 20 10 1");
	assert_string_equal(proctab_fill(t, proctab_find(t, 30, 101), a, 0)->exe, "/bin/orphan");
	assert_string_equal(proctab_fill(t, proctab_find(t, 20, 39), a, 0)->exe, "/bin/sh");
	arena_freep(&a);
}

static void test_uid(void **state)
{
	_cleanup_(proctab_freep) struct proctab *t = proctab_new(64, BOOT);
	struct arena *a = arena_new(4096);
	Rollcall__Task task = task_of(1, 1);

	(void)state;
	do_fork(t, 1, 0, 0, 1);
	assert_int_equal(proctab_fill(t, proctab_find(t, 1, 2), a, 0)->uid, 1000);
	task.uid = 0;
	proctab_seen(t, &task);
	assert_int_equal(proctab_fill(t, proctab_find(t, 1, 2), a, 0)->uid, 0);
	assert_string_equal(proctab_fill(t, proctab_find(t, 1, 2), a, 0)->user, "root");
	task.start_time = 2; /* another process of that number */
	task.uid = 5;
	proctab_seen(t, &task);
	assert_int_equal(proctab_fill(t, proctab_find(t, 1, 2), a, 0)->uid, 0);
	arena_freep(&a);
}

/* When a process started, as /proc tells it: in clock ticks. */
static uint64_t start_of(pid_t pid)
{
	unsigned long long ticks = 0;
	char path[64], line[1024], *at;
	_cleanup_(fclosep) FILE *f = NULL;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "re");
	assert_non_null(f);
	assert_non_null(fgets(line, sizeof(line), f));
	at = strrchr(line, ')');
	for (int field = 2; field < 22; field++)
		at = strchr(at + 1, ' ');
	ticks = strtoull(at, NULL, 10);
	return ticks * (SECOND / (uint64_t)sysconf(_SC_CLK_TCK)) + 1;
}

/* A process with these arguments, that ends when the pipe's other end is closed. */
static pid_t start_sh(const char *arg, int *ret_input)
{
	int input[2], started[2];
	char eof, path[64];
	pid_t pid;

	assert_int_equal(0, pipe2(input, O_CLOEXEC) | pipe2(started, O_CLOEXEC));
	pid = fork();
	if (!pid) {
		dup2(input[0], 0);
		_exit(execl("/bin/sh", "sh", "-c", "read x", arg, NULL));
	}
	close(input[0]);
	close(started[1]);
	assert_int_equal(0, read(started[0], &eof, 1)); /* it executes */
	close(started[0]);
	/* The kernel closes files before it sets where the arguments are. */
	snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
	for (ssize_t n = 0; n <= 0;) {
		_cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);

		n = read(fd, &eof, 1);
	}
	*ret_input = input[1];
	return pid;
}

/* A seed comes without arguments: /proc has them, if it is the same process. */
static void test_args_read(void **state)
{
	static char long_arg[5000];
	struct {
		const char *arg;
		uint64_t late;
		size_t n_args, len;
		bool truncated;
	} cases[] = {
		{"short", 0, 4, 5, false},
		{"short", SECOND, 0, 0, true}, /* another process of that number */
		{long_arg, 0, 4, 4096 - sizeof("sh -c read x"), true},
	};

	(void)state;
	memset(long_arg, 'x', sizeof(long_arg) - 1);
	for (unsigned i = 0; i < 3; i++) {
		_cleanup_(proctab_freep) struct proctab *t = proctab_new(64, BOOT);
		struct arena *a = arena_new(4096);
		Rollcall__Process *m;
		Rollcall__Exec e;
		int input = -1;
		pid_t pid = start_sh(cases[i].arg, &input);
		uint64_t start = start_of(pid) + cases[i].late;
		Rollcall__Task task = task_of((uint32_t)pid, start);

		rollcall__exec__init(&e);
		e.task = &task;
		e.args_truncated = true;
		assert_int_equal(0, proctab_exec(t, start, &e));
		close(input);
		waitpid(pid, NULL, 0);
		m = proctab_fill(t, proctab_find(t, task.tgid, start), a, 0);
		assert_int_equal(m->args_truncated, cases[i].truncated);
		assert_int_equal(m->n_args, cases[i].n_args);
		if (m->n_args)
			assert_string_equal(m->args[0], "sh");
		if (m->n_args)
			assert_int_equal(strlen(m->args[3]), cases[i].len);
		arena_freep(&a);
	}
}

/* ---- the bound ---- */

#define MAX    1000
#define ROUNDS 1000000
/* As malloc counts, with its own overhead. */
#define BYTES_MAX (MAX * PROCTAB_BYTES_EACH)

static void bound_check(struct proctab *t, size_t before)
{
	struct proctab_counts c;

	proctab_counts(t, &c);
	assert_true(c.processes <= MAX);
	assert_true(c.processes + c.ancestors <= 2 * MAX);
	assert_true(mallinfo2().uordblks < before + BYTES_MAX);
}

/* Each process forks one child and exits: everyone's ancestors are dead. */
static void test_bound_chain(void **state)
{
	_cleanup_(proctab_freep) struct proctab *t = proctab_new(MAX, BOOT);
	size_t before = mallinfo2().uordblks;
	struct proctab_counts c;
	uint64_t now = 0;

	(void)state;
	for (uint32_t i = 1; i <= ROUNDS; i++) {
		now = i * (SECOND / 100);
		do_fork(t, now, i - 1, now - SECOND / 100, i);
		do_exec(t, now, i, now, i - 1, "/usr/bin/chain");
		if (i > 1)
			do_exit(t, now, i - 1, now - SECOND / 100);
		if (i % 1000 == 0) {
			proctab_expire(t, now);
			bound_check(t, before);
		}
	}
	proctab_expire(t, now + 100 * SECOND);
	proctab_counts(t, &c);
	assert_int_equal(c.processes, 1);
	assert_int_equal(c.ancestors, 16);
}

struct live {
	uint32_t tgid;
	uint64_t start;
};

/* Any of them forks, execs or exits; pids are used again. */
static void test_bound_random(void **state)
{
	_cleanup_(proctab_freep) struct proctab *t = proctab_new(MAX, BOOT);
	size_t before = mallinfo2().uordblks;
	static struct live live[3 * MAX];
	uint64_t now = 1;
	unsigned short seed[3] = {7, 8, 9};

	(void)state;
	for (uint32_t i = 0; i < ROUNDS; i++, now += SECOND / 1000) {
		struct live *p = &live[(unsigned long)nrand48(seed) % (3 * MAX)];
		const struct live *parent = &live[(unsigned long)nrand48(seed) % (3 * MAX)];

		if (p->start) {
			do_exit(t, now, p->tgid, p->start);
			p->start = 0;
		} else {
			*p = (struct live){(uint32_t)nrand48(seed) % 4000, now};
			do_fork(t, now, parent->tgid, parent->start, p->tgid);
			if (i % 3)
				do_exec(t, now, p->tgid, now, parent->tgid, "/usr/bin/random");
		}
		if (i % 1000 == 0) {
			proctab_expire(t, now);
			bound_check(t, before);
		}
	}
}

/* The worst case: all run, and each has sixteen dead ancestors of its own. */
static void test_bound_ancestors(void **state)
{
	_cleanup_(proctab_freep) struct proctab *t = proctab_new(MAX, BOOT);
	size_t before = mallinfo2().uordblks;
	struct proctab_counts c;
	uint64_t now = 1;

	(void)state;
	for (uint32_t i = 0; i < 40 * MAX; i++, now += 100 * SECOND) {
		bool first = i % 17 == 0;

		do_fork(t, now, first ? 0 : i - 1, now - 100 * SECOND, i);
		do_exec(t, now, i, now, 0, "/usr/bin/private");
		if (!first)
			do_exit(t, now, i - 1, now - 100 * SECOND);
		proctab_expire(t, now);
		if (i % 100 == 0)
			bound_check(t, before);
	}
	proctab_counts(t, &c);
	assert_true(c.evicted > 0);
}

/* Long arguments and paths, for each process its own: fewer of them fit. */
static void test_bound_bytes(void **state)
{
	_cleanup_(proctab_freep) struct proctab *t = proctab_new(MAX, BOOT);
	size_t before = mallinfo2().uordblks;
	static char exe[16384];
	struct proctab_counts c;
	struct arena *a;

	(void)state;
	memset(exe, 'x', sizeof(exe) - 1);
	do_fork(t, 1, 0, 0, 1);
	for (uint32_t i = 2; i <= 3 * MAX; i++) {
		do_fork(t, i, i - 1, i - 1, i);
		do_exec(t, i, i, i, i - 1, exe);
		if (i % 3 == 0)
			do_exit(t, i, i, i);
		if (i % 100 == 0)
			bound_check(t, before);
	}
	proctab_counts(t, &c);
	assert_true(c.bytes <= MAX * PROCTAB_BYTES_EACH);
	assert_true(c.evicted > 2 * MAX);
	assert_true(c.processes > MAX / 20);
	assert_non_null(proctab_find(t, 3 * MAX - 1, 3 * MAX));
	a = arena_new(4096);
	assert_string_equal(exe, proctab_fill(t, proctab_find(t, 3 * MAX - 1, 3 * MAX), a, 0)->exe);
	arena_freep(&a);
}

/* For want of memory: the ended first, then those not used for longest, and never the last. */
static void test_shrink(void **state)
{
	_cleanup_(proctab_freep) struct proctab *t = proctab_new(2 * PROCTAB_LEAST, BOOT);
	const uint32_t n = PROCTAB_LEAST + 10;
	struct proctab_counts c;

	(void)state;
	for (uint32_t i = 1; i <= n; i++)
		do_exec(t, i, i, i, 0, "/bin/a");
	do_exit(t, n, 7, 7);
	assert_non_null(proctab_find(t, 1, n));
	assert_int_equal(proctab_shrink(t, 0), 0);
	assert_int_equal(proctab_shrink(t, 1), 1);
	assert_null(proctab_find(t, 7, n));
	assert_int_equal(proctab_shrink(t, 1), 1);
	assert_null(proctab_find(t, 2, n));
	assert_non_null(proctab_find(t, 1, n));
	assert_int_equal(proctab_shrink(t, UINT64_MAX), 8);
	proctab_counts(t, &c);
	assert_int_equal(c.processes, PROCTAB_LEAST);
	assert_int_equal(c.evicted, 10);
}

/* What is counted is what is there: nothing, when all are gone. */
static void test_bytes_return(void **state)
{
	_cleanup_(proctab_freep) struct proctab *t = proctab_new(MAX, BOOT);
	struct proctab_counts c;

	(void)state;
	for (uint32_t i = 1; i <= 100; i++) {
		do_fork(t, i, i - 1, i - 1, i);
		do_exec(t, i, i, i, i - 1, "/bin/a");
		do_exec(t, i, i, i, i - 1, "/bin/b");
	}
	proctab_counts(t, &c);
	assert_true(c.bytes > 100 * sizeof("/bin/b"));
	for (uint32_t i = 1; i <= 100; i++)
		do_exit(t, 1000, i, i);
	proctab_expire(t, 100 * SECOND);
	proctab_counts(t, &c);
	assert_int_equal(c.processes, 0);
	assert_int_equal(c.ancestors, 0);
	assert_int_equal(c.bytes, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields),		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_ended_first),	cmocka_unit_test(test_recently_used),
		cmocka_unit_test(test_reused_pid),	cmocka_unit_test(test_expire),
		cmocka_unit_test(test_lineage_cut),	cmocka_unit_test(test_seed_order),
		cmocka_unit_test(test_fork_after_seed), cmocka_unit_test(test_uid),
		cmocka_unit_test(test_args_read),	cmocka_unit_test(test_bound_chain),
		cmocka_unit_test(test_bound_random),	cmocka_unit_test(test_bound_ancestors),
		cmocka_unit_test(test_bound_bytes),	cmocka_unit_test(test_bytes_return),
		cmocka_unit_test(test_shrink),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
