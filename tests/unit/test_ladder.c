// links: user/sensor/{ladder,syscall}.c
// SPDX-License-Identifier: Apache-2.0
// Choosing hooks, with names and answers of a kernel that this machine need not be; and the table
// of system calls: no call may be wanted twice, the second event would silence the first.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sensor/ladder.h"
#include "sensor/syscall.h"

static const char *const programs[] = {
	"open__sys_exit", "open__lsm",	    "open__fentry",	      "exec__tp_btf",
	"pg__uprobe",	  "exec__iter",	    "syscall_exit__dispatch", "kill__fentry",
	"kill__sys_exit", "unlink__fentry",
};
#define PROGRAMS (sizeof(programs) / sizeof(programs[0]))

static unsigned trials;
static const char *refused;

static int trial(void *ctx, const char *program)
{
	(void)ctx;
	trials++;
	return strstr(program, refused) ? -EPERM : 0;
}

static const char *chosen(struct ladder *l, const char *event)
{
	return ladder_event(l, event)->program;
}

static void choose(struct ladder *l, const char *refuse)
{
	memset(l, 0, sizeof(*l));
	trials = 0;
	refused = refuse;
	ladder_choose(l, programs, PROGRAMS, trial, NULL);
}

static void test_best(void **state)
{
	struct ladder l;

	(void)state;
	choose(&l, "none");
	assert_string_equal(chosen(&l, "open"), "open__lsm");
	assert_string_equal(chosen(&l, "kill"), "kill__fentry");
	assert_string_equal(chosen(&l, "exec"), "exec__tp_btf");
	assert_int_equal(trials, 2); /* what has no lower rung is not tried */
	assert_int_equal(l.n, 4);
	assert_false(ladder_uses(&l, "sys_exit"));
	assert_true(ladder_chosen(&l, "open__lsm"));
	assert_false(ladder_chosen(&l, "open__fentry"));
	assert_false(ladder_chosen(&l, "pg__uprobe"));
}

static void test_next(void **state)
{
	struct ladder l;

	(void)state;
	choose(&l, "__lsm");
	assert_string_equal(chosen(&l, "open"), "open__fentry");
	assert_int_equal(ladder_event(&l, "open")->error, 0);
	assert_false(ladder_uses(&l, "sys_exit"));
}

/* A rung of two programs is taken whole or not at all. */
static void test_parts(void **state)
{
	static const char *const parts[] = {"name__fexit_path", "name__sys_exit", "name__fexit"};
	struct ladder l = {};

	(void)state;
	refused = "none";
	ladder_choose(&l, parts, 3, trial, NULL);
	assert_int_equal(l.n, 1);
	assert_string_equal(chosen(&l, "name"), "name__fexit");
	assert_true(ladder_chosen(&l, "name__fexit_path"));
	assert_false(ladder_chosen(&l, "name__sys_exit"));
	memset(&l, 0, sizeof(l));
	refused = "_path";
	ladder_choose(&l, parts, 3, trial, NULL);
	assert_string_equal(chosen(&l, "name"), "name__sys_exit");
	assert_false(ladder_chosen(&l, "name__fexit"));
	assert_false(ladder_chosen(&l, "name__fexit_path"));
}

static int trial_none(void *ctx, const char *program)
{
	(void)program;
	(void)ctx;
	return -EPERM;
}

static void test_last(void **state)
{
	struct ladder l = {};

	(void)state;
	ladder_choose(&l, programs, PROGRAMS, trial_none, NULL);
	assert_string_equal(chosen(&l, "open"), "open__sys_exit");
	assert_int_equal(ladder_event(&l, "open")->error, -EPERM);   /* why not the one above */
	assert_string_equal(chosen(&l, "unlink"), "unlink__fentry"); /* the only one */
	assert_true(ladder_uses(&l, "sys_exit"));
}

static void test_slots(void **state)
{
	const char *event;
	char seen[SYSCALL_SLOTS] = {};
	struct syscall_shape shape;

	(void)state;
	assert_int_equal(syscall_slot("no such event", 0, &shape), -ENOENT);
	assert_non_null(syscall_event(0));
	for (unsigned e = 0; (event = syscall_event(e)); e++) {
		int slot;

		assert_int_not_equal(syscall_slot(event, 0, &shape), -ENOENT);
		for (unsigned i = 0; (slot = syscall_slot(event, i, &shape)) != -ENOENT; i++) {
			if (slot == -ENOSYS)
				continue;
			assert_in_range(slot, 0, sizeof(seen) - 1);
			assert_false(seen[slot]++);
		}
	}
}

static void test_shapes(void **state)
{
	struct syscall_shape s;

	(void)state;
	assert_true(syscall_slot("file_rename", 2, &s) >= 0); /* renameat */
	assert_int_equal(s.dir, 1);
	assert_int_equal(s.name, 2);
	assert_int_equal(s.new_dir, 3);
	assert_int_equal(s.new_name, 4);
	assert_int_equal(s.fd + s.value + s.value2 + s.flags, 0);
	assert_true(syscall_slot("file_owner", 4, &s) >= 0); /* fchown */
	assert_int_equal(s.fd, 1);
	assert_int_equal(s.value, 2);
	assert_int_equal(s.value2, 3);
	assert_true(syscall_slot("raw_socket", 0, &s) >= 0); /* none given */
	assert_int_equal(s.dir + s.name + s.fd + s.value, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_best),  cmocka_unit_test(test_next),
		cmocka_unit_test(test_parts), cmocka_unit_test(test_last),
		cmocka_unit_test(test_slots), cmocka_unit_test(test_shapes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
