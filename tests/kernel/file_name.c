// links: tests/kernel/support/*.c user/sensor/{probe,probe_map,probe_pins,probe_report,probe_server,host,pins,uprobe,uprobe_ahead,discover,choice,guard,ladder,syscall,trial,kernel_types,verify,sandbox,elf,proctab,*_offsets}.c
// SPDX-License-Identifier: Apache-2.0
// Removes, renames and links names of a watched tree in every way; checks each field of
// file_unlink, file_rename and file_link against stat(2). Calls that fail, and names that are
// neither in the tree nor of the lineage, must stay silent.
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kernel/support/check.h"
#include "kernel/support/ends.h"
#include "kernel/support/tree.h"
#include "kernel/support/way.h"
#include "kernel/support/witness.h"

#define UNLINK ROLLCALL__EVENT__KIND_FILE_UNLINK
#define RENAME ROLLCALL__EVENT__KIND_FILE_RENAME
#define LINK   ROLLCALL__EVENT__KIND_FILE_LINK

/* i386's numbers. */
#define I386_UNLINK   10
#define I386_UNLINKAT 301
#define I386_RENAME   38
#define I386_LINK     9
#define I386_SYMLINK  83

static long low(const char *path)
{
	return way_low(path, strlen(path) + 1);
}

static int cd(const char *name)
{
	return chdir(tree_at(name));
}

static int directory(const char *name)
{
	return open(tree_at(name), O_RDONLY | O_DIRECTORY);
}

/* ---- removals: of www/a ---- */

static int unlink_absolute(void)
{
	return (int)syscall(SYS_unlink, tree_at("www/a"));
}
static int unlink_relative(void)
{
	return cd("www") || syscall(SYS_unlink, "a");
}
static int unlink_above(void)
{
	return chdir("/") || syscall(SYS_unlink, tree_at("www/a") + 1);
}
static int unlinkat_cwd(void)
{
	return cd("www") || unlinkat(AT_FDCWD, "a", 0);
}
static int unlinkat_descriptor(void)
{
	return unlinkat(directory("www"), "a", 0);
}
static int unlink_i386(void)
{
	return (int)way_i386(I386_UNLINK, (long[6]){low(tree_at("www/a"))});
}
static int unlinkat_i386(void)
{
	return (int)way_i386(I386_UNLINKAT, (long[6]){directory("www"), low("a"), 0});
}
static int unlink_uring(void)
{
	return (int)way_uring(&(struct io_uring_sqe){
		.opcode = IORING_OP_UNLINKAT,
		.fd = AT_FDCWD,
		.addr = (uint64_t)tree_at("www/a"),
	});
}
static int unlink_chroot(void)
{
	return chroot(tree_at("www")) || chdir("/") || unlink("/a");
}
static int unlink_bind(void)
{
	return unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	       mount(tree_at("www"), tree_at("other/dir"), NULL, MS_BIND, NULL) ||
	       chdir(tree_at("other/dir")) || unlink("a");
}
static int unlink_open(void)
{
	return open(tree_at("www/a"), O_RDONLY) < 0 || unlink(tree_at("www/a"));
}
static int unlink_lineage(void)
{
	return execl(tree_at("sh"), "sh", "-c", "cd \"$0\" && (rm -f c; :)", tree_at("other"),
		     NULL);
}
static int rmdir_plain(void)
{
	return unlink(tree_at("www/sub/b")) || rmdir(tree_at("www/sub"));
}
static int rmdir_at(void)
{
	return unlink(tree_at("www/sub/b")) || unlinkat(directory("www"), "sub", AT_REMOVEDIR);
}

/* ---- new names ---- */

static int rename_plain(void)
{
	return (int)syscall(SYS_rename, tree_at("www/a"), tree_at("www/n"));
}
static int rename_in(void)
{
	return rename(tree_at("other/c"), tree_at("www/n"));
}
static int rename_out(void)
{
	return rename(tree_at("www/a"), tree_at("other/n"));
}
static int rename_over(void)
{
	return rename(tree_at("www/a"), tree_at("www/sub/b"));
}
static int renameat_plain(void)
{
	return renameat(directory("www"), "a", directory("www/sub"), "n");
}
static int renameat2_exchange(void)
{
	return (int)syscall(SYS_renameat2, AT_FDCWD, tree_at("www/a"), AT_FDCWD,
			    tree_at("www/sub/b"), 2 /* RENAME_EXCHANGE */);
}
static int rename_i386(void)
{
	return (int)way_i386(I386_RENAME, (long[6]){low(tree_at("www/a")), low(tree_at("www/n"))});
}
static int rename_uring(void)
{
	return (int)way_uring(&(struct io_uring_sqe){
		.opcode = IORING_OP_RENAMEAT,
		.fd = AT_FDCWD,
		.addr = (uint64_t)tree_at("www/a"),
		.len = (uint32_t)AT_FDCWD,
		.addr2 = (uint64_t)tree_at("www/n"),
	});
}
static int link_plain(void)
{
	return (int)syscall(SYS_link, tree_at("www/a"), tree_at("www/n"));
}
static int link_out(void)
{
	return link(tree_at("www/a"), tree_at("other/n"));
}
static int linkat_plain(void)
{
	return linkat(directory("www"), "a", directory("www/sub"), "n", 0);
}
static int link_i386(void)
{
	return (int)way_i386(I386_LINK, (long[6]){low(tree_at("www/a")), low(tree_at("www/n"))});
}
static int link_uring(void)
{
	return (int)way_uring(&(struct io_uring_sqe){
		.opcode = IORING_OP_LINKAT,
		.fd = AT_FDCWD,
		.addr = (uint64_t)tree_at("www/a"),
		.len = (uint32_t)AT_FDCWD,
		.addr2 = (uint64_t)tree_at("www/n"),
	});
}
static int symlink_plain(void)
{
	return (int)syscall(SYS_symlink, "../../etc/passwd", tree_at("www/n"));
}
static int symlinkat_plain(void)
{
	return symlinkat("/etc/passwd", directory("www"), "n");
}
static int symlink_i386(void)
{
	return (int)way_i386(I386_SYMLINK, (long[6]){low("/etc/passwd"), low(tree_at("www/n"))});
}

/* ---- what is of no interest ---- */

static int silent_failed(void)
{
	return !unlink(tree_at("www/none")) || !rename(tree_at("www/none"), tree_at("www/n")) ||
	       !link(tree_at("www/none"), tree_at("www/n")) || !symlink("x", tree_at("www/a"));
}
static int silent_denied(void)
{
	return setuid(65534) || !unlink(tree_at("www/a")) ||
	       !rename(tree_at("www/a"), tree_at("www/n")) ||
	       !link(tree_at("other/c"), tree_at("www/n")) || !symlink("x", tree_at("www/n"));
}
static int silent_outside(void)
{
	return rename(tree_at("other/c"), tree_at("other/n")) ||
	       link(tree_at("other/n"), tree_at("other/o")) ||
	       symlink(tree_at("www/a"), tree_at("other/p")) || unlink(tree_at("other/n")) ||
	       unlink(tree_at("other/p")) || rmdir(tree_at("other/dir"));
}

static bool always(void)
{
	return true;
}

enum { TOLD, BLIND_LAST = 1, NO_DIRECTORY = 2 };

static const struct test {
	const char *name;
	int (*go)(void);
	bool (*possible)(void);
	Rollcall__Event__KindCase kind;
	const char *object;	  /* whose inode it is, before the call */
	const char *path, *other; /* as the event has them */
	unsigned tree, lineage;
	unsigned last; /* what the last rung cannot */
	unsigned n;    /* events of that kind; the last is looked at */
} tests[] = {
	{"unlink", unlink_absolute, always, UNLINK, "www/a", "www/a", NULL, 1, 0, 0, 1},
	{"unlink, relative", unlink_relative, always, UNLINK, "www/a", "www/a", NULL, 1, 0, 0, 1},
	{"unlink, from the root", unlink_above, always, UNLINK, "www/a", "www/a", NULL, 1, 0, 0, 1},
	{"unlinkat, AT_FDCWD", unlinkat_cwd, always, UNLINK, "www/a", "www/a", NULL, 1, 0, 0, 1},
	{"unlinkat, descriptor", unlinkat_descriptor, always, UNLINK, "www/a", "www/a", NULL, 1, 0,
	 0, 1},
	{"unlink, 32-bit", unlink_i386, way_has_i386, UNLINK, "www/a", "www/a", NULL, 1, 0, 0, 1},
	{"unlinkat, 32-bit", unlinkat_i386, way_has_i386, UNLINK, "www/a", "www/a", NULL, 1, 0, 0,
	 1},
	{"unlink, io_uring", unlink_uring, way_has_uring, UNLINK, "www/a", "www/a", NULL, 1, 0,
	 BLIND_LAST, 1},
	{"unlink, chroot", unlink_chroot, always, UNLINK, "www/a", "www/a", NULL, 1, 0, 0, 1},
	{"unlink, bind mount in a namespace", unlink_bind, always, UNLINK, "www/a", "other/dir/a",
	 NULL, 1, 0, 0, 1},
	{"unlink, still open", unlink_open, always, UNLINK, "www/a", "www/a", NULL, 1, 0, 0, 1},
	{"rmdir", rmdir_plain, always, UNLINK, "www/sub", "www/sub", NULL, 1, 0, NO_DIRECTORY, 2},
	{"unlinkat, AT_REMOVEDIR", rmdir_at, always, UNLINK, "www/sub", "www/sub", NULL, 1, 0, 0,
	 2},
	{"rename", rename_plain, always, RENAME, "www/a", "www/n", "www/a", 1, 0, 0, 1},
	{"rename, into the tree", rename_in, always, RENAME, "other/c", "www/n", "other/c", 1, 0, 0,
	 1},
	{"rename, out of the tree", rename_out, always, RENAME, "www/a", "other/n", "www/a", 1, 0,
	 0, 1},
	{"rename, over another", rename_over, always, RENAME, "www/a", "www/sub/b", "www/a", 1, 0,
	 0, 1},
	{"renameat", renameat_plain, always, RENAME, "www/a", "www/sub/n", "www/a", 1, 0, 0, 1},
	{"renameat2, exchange", renameat2_exchange, always, RENAME, "www/a", "www/sub/b", "www/a",
	 1, 0, 0, 1},
	{"rename, 32-bit", rename_i386, way_has_i386, RENAME, "www/a", "www/n", "www/a", 1, 0, 0,
	 1},
	{"rename, io_uring", rename_uring, way_has_uring, RENAME, "www/a", "www/n", "www/a", 1, 0,
	 BLIND_LAST, 1},
	{"link", link_plain, always, LINK, "www/a", "www/n", "www/a", 1, 0, 0, 1},
	{"link, out of the tree", link_out, always, LINK, "www/a", "other/n", "www/a", 1, 0, 0, 1},
	{"linkat", linkat_plain, always, LINK, "www/a", "www/sub/n", "www/a", 1, 0, 0, 1},
	{"link, 32-bit", link_i386, way_has_i386, LINK, "www/a", "www/n", "www/a", 1, 0, 0, 1},
	{"link, io_uring", link_uring, way_has_uring, LINK, "www/a", "www/n", "www/a", 1, 0,
	 BLIND_LAST, 1},
	{"symlink", symlink_plain, always, LINK, NULL, "www/n", "../../etc/passwd", 1, 0, 0, 1},
	{"symlinkat", symlinkat_plain, always, LINK, NULL, "www/n", "/etc/passwd", 1, 0, 0, 1},
	{"symlink, 32-bit", symlink_i386, way_has_i386, LINK, NULL, "www/n", "/etc/passwd", 1, 0, 0,
	 1},
	{"a call that fails", silent_failed, always, 0, NULL, NULL, NULL, 0, 0, 0, 0},
	{"a call that is denied", silent_denied, always, 0, NULL, NULL, NULL, 0, 0, 0, 0},
	{"outside", silent_outside, always, 0, NULL, NULL, NULL, 0, 0, 0, 0},
};

static const char *event_name(Rollcall__Event__KindCase kind)
{
	return kind == UNLINK ? "file_unlink" : kind == RENAME ? "file_rename" : "file_link";
}

/* The fields that all three have. */
static void common_check(const struct test *t, pid_t pid, const Rollcall__Task *task,
			 const Rollcall__Inode *inode, const struct stat *was, bool last)
{
	static const struct stat none;

	ends_check_task(t->name, task, pid);
	tree_inode_check(t->name, inode, last || !t->object ? &none : was);
}

static void event_check(const struct test *t, const Rollcall__Event *ev, pid_t pid,
			const struct stat *was, bool last)
{
	if (t->kind == UNLINK) {
		const Rollcall__FileUnlink *u = ev->file_unlink;

		common_check(t, pid, u->task, u->inode, was, last);
		check_string(t->name, "path", u->path, tree_at(t->path));
		check_number(t->name, "tree", u->tree, t->tree);
		check_number(t->name, "lineage", u->lineage, t->lineage);
		check_number(t->name, "directory", u->directory,
			     S_ISDIR(was->st_mode) && !(last && t->last & NO_DIRECTORY));
	} else if (t->kind == RENAME) {
		const Rollcall__FileRename *r = ev->file_rename;

		common_check(t, pid, r->task, r->inode, was, last);
		check_string(t->name, "path", r->path, tree_at(t->path));
		check_string(t->name, "old path", r->old_path, tree_at(t->other));
		check_number(t->name, "tree", r->tree, t->tree);
		check_number(t->name, "lineage", r->lineage, t->lineage);
	} else {
		const Rollcall__FileLink *l = ev->file_link;

		common_check(t, pid, l->task, l->inode, was, last);
		check_string(t->name, "path", l->path, tree_at(t->path));
		check_string(t->name, "target", l->target,
			     t->object ? tree_at(t->other) : t->other);
		check_number(t->name, "symbolic", l->symbolic, !t->object);
		check_number(t->name, "tree", l->tree, t->tree);
		check_number(t->name, "lineage", l->lineage, t->lineage);
	}
}

static void test_run(const struct test *t)
{
	const char *hook = t->kind ? witness_hook(event_name(t->kind)) : "";
	bool last = strstr(hook, "sys_exit") != NULL,
	     seen = t->kind && !(last && t->last & BLIND_LAST);
	const Rollcall__Event *ev;
	struct stat was = {};
	int status;
	pid_t pid;

	tree_fill(t->name);
	check(t->name, "object", !t->object || lstat(tree_at(t->object), &was) == 0);
	pid = witness_run(t->go, &status);
	check_number(t->name, "child", (uint64_t)status, 0);
	ev = seen ? witness_wait(t->kind, pid, t->n) : NULL;
	check(t->name, "event", !seen || ev);
	if (ev)
		event_check(t, ev, pid, &was, last);
	check_number(t->name, "events",
		     witness_count(UNLINK, pid) + witness_count(RENAME, pid) +
			     witness_count(LINK, pid),
		     seen ? t->n : 0);
	if (t->kind)
		ends_coverage(event_name(t->kind), t->name, witness_hook(event_name(t->kind)), ev);
}

/* Somebody of a watched lineage, two generations down, where nobody watches. */
static void lineage_check(void)
{
	const Rollcall__FileUnlink *u = NULL;
	int status;

	tree_fill("lineage");
	witness_run(unlink_lineage, &status);
	check_number("lineage", "child", (uint64_t)status, 0);
	witness_settle();
	u = witness_any(UNLINK) ? witness_any(UNLINK)->file_unlink : NULL;
	check("lineage", "event", u != NULL);
	ends_coverage("file_unlink", "watched lineage", witness_hook("file_unlink"), u);
	if (!u)
		return;
	check_string("lineage", "path", u->path, tree_at("other/c"));
	check_number("lineage", "tree", u->tree, 0);
	check_number("lineage", "lineage", u->lineage, TREE_LINEAGE);
}

int main(void)
{
	if (!tree_open("file_name"))
		return 1;
	for (size_t i = 0; i < sizeof(tests) / sizeof(*tests); i++)
		if (tests[i].possible())
			test_run(&tests[i]);
	lineage_check();
	return tree_close();
}
