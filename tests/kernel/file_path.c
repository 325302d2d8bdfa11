// links: tests/kernel/support/*.c user/sensor/{probe,probe_map,probe_pins,probe_report,probe_server,host,pins,uprobe,uprobe_ahead,discover,choice,guard,ladder,syscall,trial,kernel_types,verify,sandbox,elf,proctab,*_offsets}.c
// SPDX-License-Identifier: Apache-2.0
// Paths as they are told: names of every length, long and deep paths; and that a file of a watched
// tree is one however far below it is, and a watched file one without a name.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "kernel/support/check.h"
#include "kernel/support/tree.h"
#include "kernel/support/witness.h"
#include "sensor/filewatch.h"

#define OPEN  ROLLCALL__EVENT__KIND_FILE_OPEN
#define CLOSE ROLLCALL__EVENT__KIND_FILE_CLOSE

#define LONG 20	 /* directories with the longest names: more bytes than a path has */
#define DEEP 100 /* directories */

#define TREE_CONFIG 8u

/* Another one for each length, without a byte that is like its neighbours. */
static const char *name_of(unsigned length)
{
	static char name[NAME_MAX + 1];

	for (unsigned i = 0; i < length; i++)
		name[i] = (char)('a' + (i * 7 + length) % 26);
	name[length] = '\0';
	return name;
}

static int create_in(int dir, const char *name)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT, 0600);

	return fd < 0 || close(fd);
}

/* Makes `n` directories, one in the other, and a file in the last; goes by descriptors. */
static int chain(unsigned n, unsigned length)
{
	int dir = open(tree_at("www"), O_RDONLY | O_DIRECTORY);
	const char *name = name_of(length);

	for (unsigned i = 0; i < n; i++) {
		int next;

		if (mkdirat(dir, name, 0700))
			return 1;
		next = openat(dir, name, O_RDONLY | O_DIRECTORY);
		close(dir);
		dir = next;
	}
	return dir < 0 || create_in(dir, "file") || close(dir);
}

static int make_names(void)
{
	int dir = open(tree_at("www"), O_RDONLY | O_DIRECTORY);

	for (unsigned length = 1; length <= NAME_MAX; length++)
		if (create_in(dir, name_of(length)))
			return 1;
	return close(dir);
}

static int make_long(void)
{
	return chain(LONG, NAME_MAX);
}

static int make_deep(void)
{
	return chain(DEEP, 1);
}

static struct {
	struct file_handle h;
	unsigned char room[MAX_HANDLE_SZ];
} handle = {.h.handle_bytes = MAX_HANDLE_SZ};

/* By its inode, once the kernel has forgotten its name: what is opened is in no directory. */
static int open_nameless(void)
{
	int forget = open("/proc/sys/vm/drop_caches", O_WRONLY);
	int root = open(tree_at(""), O_RDONLY | O_DIRECTORY), fd;

	if (forget < 0 || write(forget, "2", 1) != 1)
		return 1;
	fd = open_by_handle_at(root, &handle.h, O_WRONLY);
	return fd < 0 || close(fd);
}

static pid_t run(const char *test, int (*go)(void))
{
	int status = -1;
	pid_t pid;

	tree_fill(test);
	pid = witness_run(go, &status);
	witness_settle();
	check_number(test, "the child itself", (uint64_t)status, 0);
	return pid;
}

static void names_check(void)
{
	const char *test = "names";
	pid_t pid = run(test, make_names);

	check_number(test, "opened", witness_count(OPEN, pid), NAME_MAX);
	check_number(test, "closed", witness_count(CLOSE, pid), NAME_MAX);
	for (unsigned i = 0; i < witness_count(OPEN, pid) && i < witness_count(CLOSE, pid); i++) {
		char want[PATH_MAX];

		snprintf(want, sizeof(want), "%s/%s", tree_at("www"), name_of(i + 1));
		check_string(test, "opened", witness_event(OPEN, pid, i)->file_open->path, want);
		check_string(test, "closed", witness_event(CLOSE, pid, i)->file_close->path, want);
	}
}

/* What has room of a path is its end. */
static void long_check(void)
{
	const char *test = "long";
	pid_t pid = run(test, make_long);
	const Rollcall__Event *o = witness_event(OPEN, pid, 0);
	char want[LONG * (NAME_MAX + 1) + sizeof("/file")];
	size_t n = 0, got = o ? strlen(o->file_open->path) : 0;

	for (unsigned i = 0; i < LONG; i++)
		n += (size_t)sprintf(want + n, "/%s", name_of(NAME_MAX));
	n += (size_t)sprintf(want + n, "/file");
	check_number(test, "opened", witness_count(OPEN, pid), 1);
	if (!o)
		return;
	check_number(test, "tree", o->file_open->tree, TREE_WEB_ROOT);
	check(test, "most of it", got > PATH_MAX - 2 * NAME_MAX && got < n);
	check_string(test, "path", o->file_open->path, want + n - got);
}

static void deep_check(void)
{
	const char *test = "deep";
	pid_t pid = run(test, make_deep);
	const Rollcall__Event *o = witness_event(OPEN, pid, 0);
	char want[PATH_MAX];
	size_t n = (size_t)snprintf(want, sizeof(want), "%s", tree_at("www"));

	for (unsigned i = 0; i < DEEP; i++)
		n += (size_t)snprintf(want + n, sizeof(want) - n, "/%s", name_of(1));
	snprintf(want + n, sizeof(want) - n, "/file");
	check_number(test, "opened", witness_count(OPEN, pid), 1);
	if (!o)
		return;
	check_number(test, "tree", o->file_open->tree, TREE_WEB_ROOT);
	check_string(test, "path", o->file_open->path, want);
}

/* As a configuration file is watched: itself, not by a directory. */
static void nameless_check(void)
{
	const char *test = "nameless";
	const uint32_t marks = TREE_CONFIG;
	const Rollcall__Event *o;
	struct filewatch_key key = {};
	struct stat st = {};
	int mount, status = -1;
	pid_t pid;

	tree_fill(test);
	check(test, "is there", stat(tree_at("other/c"), &st) == 0);
	check(test, "handle",
	      name_to_handle_at(AT_FDCWD, tree_at("other/c"), &handle.h, &mount, 0) == 0);
	key.ino = st.st_ino;
	key.dev = major(st.st_dev) << 20 | minor(st.st_dev);
	check(test, "watched", witness_watch("watched_tree", &key, &marks) == 0);
	pid = witness_run(open_nameless, &status);
	witness_settle();
	check_number(test, "the child itself", (uint64_t)status, 0);
	o = witness_event(OPEN, pid, 0);
	check_number(test, "opened", witness_count(OPEN, pid), 1);
	check_number(test, "closed", witness_count(CLOSE, pid), 1);
	check_number(test, "tree", o ? o->file_open->tree : 0, TREE_CONFIG);
	check_number(test, "inode", o ? o->file_open->inode->ino : 0, st.st_ino);
	check(test, "watched no more", witness_unwatch("watched_tree", &key) == 0);
}

int main(void)
{
	if (!tree_open("file_path"))
		return 1;
	names_check();
	long_check();
	deep_check();
	nameless_check();
	return tree_close();
}
