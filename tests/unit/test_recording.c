// links: user/cli/recording.c
// SPDX-License-Identifier: Apache-2.0
// Recordings: what is written is read again, plain and compressed; bounds; lines that are cut, long
// or wrong; an event found by its id, its line, its finding.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/recording.h"
#include "lib/arena.h"
#include "lib/clean.h"

static char dir[] = "/tmp/rollcall-recording.XXXXXX";

static int make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	(void)state;
	return rmdir(dir);
}

static const char *path_of(const char *name)
{
	static char path[80];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void file_write(const char *name, const char *text)
{
	FILE *f = fopen(path_of(name), "w");

	fputs(text, f);
	fclose(f);
}

static Rollcall__Event *event(struct arena *a, unsigned n, size_t len)
{
	Rollcall__Event *ev = arena_alloc(a, sizeof(*ev));
	Rollcall__Exec *exec = arena_alloc(a, sizeof(*exec));

	rollcall__event__init(ev);
	rollcall__exec__init(exec);
	ev->id = arena_printf(a, "b-local-%u", n);
	ev->time = 1769764364000000000ull + n;
	ev->kind_case = ROLLCALL__EVENT__KIND_EXEC;
	ev->exec = exec;
	exec->exe = arena_alloc(a, len + 1);
	memset(exec->exe, 'x', len);
	return ev;
}

/* Ids of what can be read, as one text; then the error. */
static const char *read_all(const char *name, int *ret_error)
{
	static char ids[256];
	struct recording *r;
	Rollcall__Event *ev;
	int e;

	ids[0] = '\0';
	assert_int_equal(recording_open(path_of(name), &r), 0);
	while ((e = recording_next(r, &ev)) > 0)
		snprintf(ids + strlen(ids), sizeof(ids) - strlen(ids), "%s:%llu ", ev->id,
			 (unsigned long long)recording_line(r));
	recording_close(r);
	*ret_error = e;
	return ids;
}

static void round_trip(void **state)
{
	static const char *const names[] = {"plain.jsonl", "small.gz"};
	struct arena *a = arena_new(4096);
	struct recording_writer *w;
	int e;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(recording_create(path_of(names[i]), &w), 0);
		for (unsigned n = 1; n <= 3; n++)
			assert_int_equal(recording_write(w, event(a, n, n * 100000), UINT64_MAX),
					 0);
		/* A short one after long ones. */
		assert_int_equal(recording_write(w, event(a, 4, 1), UINT64_MAX), 0);
		assert_true(recording_bytes(w) > 600000);
		assert_int_equal(recording_finish(w), 0);
		assert_string_equal(read_all(names[i], &e),
				    "b-local-1:1 b-local-2:2 b-local-3:3 b-local-4:4 ");
		assert_int_equal(e, 0);
		assert_int_equal(recording_create(path_of(names[i]), &w), -EEXIST);
		unlink(path_of(names[i]));
	}
	arena_free(a);
}

static void bounded(void **state)
{
	struct arena *a = arena_new(4096);
	struct recording_writer *w;
	uint64_t one;
	int e;

	(void)state;
	assert_int_equal(recording_create(path_of("b"), &w), 0);
	assert_int_equal(recording_write(w, event(a, 1, 10), 1000), 0);
	one = recording_bytes(w);
	assert_int_equal(recording_write(w, event(a, 2, 10), 2 * one - 1), -ENOSPC);
	assert_int_equal(recording_write(w, event(a, 3, 10), 2 * one), 0);
	assert_int_equal(recording_bytes(w), 2 * one);
	assert_int_equal(recording_finish(w), 0);
	assert_string_equal(read_all("b", &e), "b-local-1:1 b-local-3:2 ");
	unlink(path_of("b"));
	arena_free(a);
}

static void wrong(void **state)
{
	char *text = malloc(17u << 20);
	int e;

	(void)state;
	file_write("w", "{\"event\":\"exec\",\"id\":\"1\"}\n{\"event\":\"exec\",\"id\":\"2\"}");
	assert_string_equal(read_all("w", &e), "1:1 2:2 ");
	assert_int_equal(e, 0);
	file_write("w", "{\"event\":\"exec\",\"id\":\"1\"}\n{\"event\":\"exec\",\"id\":");
	assert_string_equal(read_all("w", &e), "1:1 ");
	assert_int_equal(e, 0);
	file_write("w", "{\"event\":\"exec\",\"id\":\"1\"}\n{\"event\":\"exec\",\"id\":\n");
	assert_string_equal(read_all("w", &e), "1:1 ");
	assert_int_equal(e, -EBADMSG);
	memset(text, 'x', 17u << 20);
	text[(17u << 20) - 1] = '\0';
	file_write("w", text);
	assert_string_equal(read_all("w", &e), "");
	assert_int_equal(e, -EMSGSIZE);
	file_write("w", "");
	assert_string_equal(read_all("w", &e), "");
	assert_int_equal(e, 0);
	unlink(path_of("w"));
	free(text);
}

/* As a recorder leaves it that was killed. */
static void cut_compressed(void **state)
{
	struct arena *a = arena_new(4096);
	struct recording_writer *w;
	char name[80];
	int e;

	(void)state;
	snprintf(name, sizeof(name), "%s", path_of("c.gz"));
	assert_int_equal(recording_create(name, &w), 0);
	for (unsigned n = 1; n <= 3; n++)
		assert_int_equal(recording_write(w, event(a, n, 10), UINT64_MAX), 0);
	assert_int_equal(recording_finish(w), 0);
	assert_int_equal(truncate(name, 60), 0);
	read_all("c.gz", &e);
	assert_int_equal(e, 0);
	file_write("c.gz", "\x1f\x8b\x08not gzip at all");
	assert_string_equal(read_all("c.gz", &e), "");
	assert_int_equal(e, -EBADMSG);
	unlink(name);
	arena_free(a);
}

static void found(void **state)
{
	static const char lines[] =
		"{\"event\":\"exec\",\"id\":\"e1\",\"exe\":\"/a\"}\n"
		"{\"event\":\"exec\",\"exe\":\"/b\"}\n"
		"{\"event\":\"finding\",\"id\":\"s-1-2\",\"evidence\":[\"e1\"]}\n"
		"{\"event\":\"finding\",\"id\":\"s-1-2\",\"evidence\":[\"e1\",\"e2\"]}\n"
		"{\"event\":\"exec\",\"id\":\"e2\",\"exe\":\"/c\"}\n";
	struct arena *a = arena_new(4096);
	Rollcall__Event *ev;

	(void)state;
	file_write("f", lines);
	assert_int_equal(recording_find(a, path_of("f"), "e1", &ev), 0);
	assert_string_equal(ev->exec->exe, "/a");
	assert_int_equal(recording_find(a, path_of("f"), "2", &ev), 0);
	assert_string_equal(ev->exec->exe, "/b");
	assert_int_equal(recording_find(a, path_of("f"), "s-1-2", &ev), 0);
	assert_int_equal(ev->finding->n_evidence, 2);
	assert_int_equal(recording_find(a, path_of("f"), "e3", &ev), -ENOENT);
	assert_int_equal(recording_find(a, NULL, path_of("f"), &ev), 0);
	assert_string_equal(ev->id, "e1");
	unlink(path_of("f"));
	arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip), cmocka_unit_test(bounded),
		cmocka_unit_test(wrong),      cmocka_unit_test(cut_compressed),
		cmocka_unit_test(found),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
