// links: tests/kernel/support/*.c user/sensor/{probe,probe_map,probe_pins,probe_report,probe_server,host,pins,uprobe,uprobe_ahead,discover,choice,guard,ladder,syscall,trial,kernel_types,verify,sandbox,elf,proctab,*_offsets}.c
// SPDX-License-Identifier: Apache-2.0
// Reads that are told because of what the file is: a secret, or what was put into a watched tree a
// moment ago. Checks each field of file_read; what was there before, and what is nobody's, is
// silent.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel/support/check.h"
#include "kernel/support/ends.h"
#include "kernel/support/tree.h"
#include "kernel/support/witness.h"

#define READ ROLLCALL__EVENT__KIND_FILE_READ

/* What happens before, by another process; then one opens a file to read. */
static int before_nothing(void)
{
	return 0;
}
static int before_write(void)
{
	return system("exec >/dev/null; echo dump >\"$OLDPWD/www/mibasecss1.css\"");
}
static int before_rename(void)
{
	return rename(tree_at("other/c"), tree_at("www/mibasecss1.css"));
}
static int before_lineage(void)
{
	return execl(tree_at("sh"), "sh", "-c", "echo dump >\"$0\"", tree_at("other/n"), NULL);
}

static const char *fetched;

static int fetch(void)
{
	char byte;
	int fd = open(tree_at(fetched), O_RDONLY);

	return fd < 0 || read(fd, &byte, 1) != 1;
}

static int fetch_lineage(void)
{
	return execl(tree_at("sh"), "sh", "-c", "read -r x <\"$0\"", tree_at(fetched), NULL);
}

static const struct test {
	const char *name;
	int (*before)(void);
	int (*go)(void);
	const char *path;
	bool told, recent, renamed;
	unsigned tree, lineage;
} tests[] = {
	{"secret in its directory", before_nothing, fetch, "secret/.old", true, false, false,
	 TREE_SECRET, 0},
	{"secret, watched lineage", before_nothing, fetch_lineage, "secret/.old", true, false,
	 false, TREE_SECRET, TREE_LINEAGE | TREE_ITSELF},
	{"written, then fetched", before_write, fetch, "www/mibasecss1.css", true, true, false,
	 TREE_WEB_ROOT, 0},
	{"renamed into a tree, then fetched", before_rename, fetch, "www/mibasecss1.css", true,
	 true, true, TREE_WEB_ROOT, 0},
	{"written by a lineage, read by it", before_lineage, fetch_lineage, "other/n", true, true,
	 false, 0, TREE_LINEAGE | TREE_ITSELF},
	{"written by a lineage, read by others", before_lineage, fetch, "other/n", false, false,
	 false, 0, 0},
	{"there before", before_nothing, fetch, "www/.old", false, false, false, 0, 0},
	{"outside", before_nothing, fetch, "other/c", false, false, false, 0, 0},
};

static void event_check(const struct test *t, const Rollcall__FileRead *r, pid_t pid)
{
	struct stat st = {};

	check(t->name, "stat", stat(tree_at(t->path), &st) == 0);
	ends_check_task(t->name, r->task, pid);
	tree_inode_check(t->name, r->inode, &st);
	check_string(t->name, "path", r->path, tree_at(t->path));
	check_number(t->name, "access", r->flags & O_ACCMODE, O_RDONLY);
	check_number(t->name, "recent", r->recent, t->recent);
	check_number(t->name, "tree", r->tree, t->tree);
	check_number(t->name, "lineage", r->lineage, t->lineage);
	check_string(t->name, "tables", r->tables, "");
}

static void test_run(const struct test *t)
{
	/* On the last rung there is a name only, and no file to know it by. */
	bool told = t->told && !(t->renamed && strstr(witness_hook("file_rename"), "sys_exit"));
	const Rollcall__Event *ev;
	int status;
	pid_t pid;

	tree_fill(t->name);
	setenv("OLDPWD", tree_at("."), 1);
	fetched = t->path;
	witness_run(t->before, &status);
	check_number(t->name, "before", (uint64_t)status, 0);
	pid = witness_run(t->go, &status);
	check_number(t->name, "child", (uint64_t)status, 0);
	ev = told ? witness_wait(READ, pid, 1) : NULL;
	check(t->name, "event", !told || ev);
	if (ev)
		event_check(t, ev->file_read, pid);
	check_number(t->name, "events", witness_count(READ, pid), told);
	if (t->told)
		ends_coverage("file_read", t->name, witness_hook("file_read"), ev);
}

int main(void)
{
	if (!tree_open("file_fetch"))
		return 1;
	for (size_t i = 0; i < sizeof(tests) / sizeof(*tests); i++)
		test_run(&tests[i]);
	return tree_close();
}
