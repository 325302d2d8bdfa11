// links: tests/kernel/support/*.c user/sensor/{probe,probe_map,probe_pins,probe_report,probe_server,host,pins,uprobe,uprobe_ahead,discover,choice,guard,ladder,syscall,trial,kernel_types,verify,sandbox,elf,proctab,*_offsets}.c
// SPDX-License-Identifier: Apache-2.0
// Changes permissions, owner, times, size and attributes of a file in a watched tree by every call
// that does; checks each field of file_change against stat(2) afterwards. Calls that fail, and
// files that are not in the tree, must stay silent.
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <utime.h>

#include "kernel/support/check.h"
#include "kernel/support/ends.h"
#include "kernel/support/tree.h"
#include "kernel/support/way.h"
#include "kernel/support/witness.h"

#define CHANGE ROLLCALL__EVENT__KIND_FILE_CHANGE
#define MODE   ROLLCALL__FILE_ASPECT__mode
#define OWNER  ROLLCALL__FILE_ASPECT__owner
#define TIMES  ROLLCALL__FILE_ASPECT__times
#define SIZE   ROLLCALL__FILE_ASPECT__size
#define XATTR  ROLLCALL__FILE_ASPECT__xattr

#define FCHMODAT2 452

static const char *a(void)
{
	return tree_at("www/a");
}
static int descriptor(void)
{
	return open(a(), O_RDONLY);
}
static long low_a(void)
{
	return way_low(a(), strlen(a()) + 1);
}

static int mode_chmod(void)
{
	return (int)syscall(SYS_chmod, a(), 04755);
}
static int mode_fchmod(void)
{
	return fchmod(descriptor(), 0600);
}
static int mode_fchmodat(void)
{
	return chdir(tree_at("www")) || fchmodat(AT_FDCWD, "a", 0640, 0);
}
static int mode_fchmodat2(void)
{
	return (int)syscall(FCHMODAT2, AT_FDCWD, a(), 0640, 0);
}
static int mode_i386(void)
{
	return (int)way_i386(15, (long[6]){low_a(), 0700});
}
static int owner_chown(void)
{
	return (int)syscall(SYS_chown, a(), 12, 34);
}
static int owner_lchown(void)
{
	return lchown(a(), (uid_t)-1, 34);
}
static int owner_fchown(void)
{
	return fchown(descriptor(), 12, (gid_t)-1);
}
static int owner_fchownat(void)
{
	return fchownat(open(tree_at("www"), O_RDONLY), "a", 56, 78, 0);
}
static int owner_i386(void)
{
	return (int)way_i386(212, (long[6]){low_a(), 12, 34});
}

static const struct timespec past[2] = {{.tv_sec = 1000000000, .tv_nsec = 5},
					{.tv_sec = 1100000000, .tv_nsec = 7}};

static int times_utimensat(void)
{
	return utimensat(AT_FDCWD, a(), past, 0);
}
static int times_futimens(void)
{
	return futimens(descriptor(), past);
}
static int times_utimes(void)
{
	return (int)syscall(SYS_utimes, a(), (struct timeval[2]){{1000000000, 5}, {1100000000, 7}});
}
static int times_utime(void)
{
	return (int)syscall(SYS_utime, a(), &(struct utimbuf){1000000000, 1100000000});
}
static int times_touch(void)
{
	return execl("/bin/touch", "touch", "-r", "/bin/touch", a(), NULL);
}
static int size_truncate(void)
{
	return truncate(a(), 2);
}
static int size_ftruncate(void)
{
	return ftruncate(open(a(), O_RDWR), 100000);
}
static int size_i386(void)
{
	return (int)way_i386(92, (long[6]){low_a(), 1});
}
static int xattr_set(void)
{
	return setxattr(a(), "trusted.rollcall", "x", 1, 0);
}
static int xattr_lset(void)
{
	return lsetxattr(a(), "trusted.rollcall", "x", 1, 0);
}
static int xattr_fset(void)
{
	return fsetxattr(descriptor(), "trusted.rollcall", "x", 1, 0);
}
static int xattr_remove(void)
{
	return setxattr(a(), "trusted.rollcall", "x", 1, 0) || removexattr(a(), "trusted.rollcall");
}

static int silent_failed(void)
{
	return !chmod(tree_at("www/none"), 0600) || !truncate(tree_at("www/none"), 0) ||
	       !removexattr(a(), "trusted.none") || !chown(tree_at("www/none"), 1, 1) ||
	       !utime(tree_at("www/none"), NULL);
}
static int silent_denied(void)
{
	return setuid(65534) || !chmod(a(), 0600) || !truncate(a(), 0) || !chown(a(), 65534, 1) ||
	       !setxattr(a(), "trusted.rollcall", "x", 1, 0) || !utimensat(AT_FDCWD, a(), past, 0);
}
static int silent_outside(void)
{
	const char *c = tree_at("other/c");

	return chmod(c, 0600) || truncate(c, 0) || chown(c, 1, 1) || utime(c, NULL) ||
	       setxattr(c, "trusted.rollcall", "x", 1, 0);
}

static bool always(void)
{
	return true;
}
static bool has_fchmodat2(void)
{
	return syscall(FCHMODAT2, -1, "", 0, 0) < 0 && errno != ENOSYS;
}

static const struct test {
	const char *name;
	int (*go)(void);
	bool (*possible)(void);
	Rollcall__FileAspect aspect;
	unsigned n;   /* events; the last is looked at */
	bool by_name; /* the last rung knows no inode then */
	unsigned mode, uid, gid, size;
} tests[] = {
	{"chmod", mode_chmod, always, MODE, 1, true, 04755, 0, 0, 0},
	{"fchmod", mode_fchmod, always, MODE, 1, false, 0600, 0, 0, 0},
	{"fchmodat", mode_fchmodat, always, MODE, 1, true, 0640, 0, 0, 0},
	{"fchmodat2", mode_fchmodat2, has_fchmodat2, MODE, 1, true, 0640, 0, 0, 0},
	{"chmod, 32-bit", mode_i386, way_has_i386, MODE, 1, true, 0700, 0, 0, 0},
	{"chown", owner_chown, always, OWNER, 1, true, 0, 12, 34, 0},
	{"lchown", owner_lchown, always, OWNER, 1, true, 0, UINT32_MAX, 34, 0},
	{"fchown", owner_fchown, always, OWNER, 1, false, 0, 12, UINT32_MAX, 0},
	{"fchownat", owner_fchownat, always, OWNER, 1, true, 0, 56, 78, 0},
	{"chown32, 32-bit", owner_i386, way_has_i386, OWNER, 1, true, 0, 12, 34, 0},
	{"utimensat", times_utimensat, always, TIMES, 1, true, 0, 0, 0, 0},
	{"utimensat, no name", times_futimens, always, TIMES, 1, false, 0, 0, 0, 0},
	{"utimes", times_utimes, always, TIMES, 1, true, 0, 0, 0, 0},
	{"utime", times_utime, always, TIMES, 1, true, 0, 0, 0, 0},
	{"touch -r", times_touch, always, TIMES, 1, false, 0, 0, 0, 0},
	{"truncate", size_truncate, always, SIZE, 1, true, 0, 0, 0, 2},
	{"ftruncate", size_ftruncate, always, SIZE, 1, false, 0, 0, 0, 100000},
	{"truncate, 32-bit", size_i386, way_has_i386, SIZE, 1, true, 0, 0, 0, 1},
	{"setxattr", xattr_set, always, XATTR, 1, true, 0, 0, 0, 0},
	{"lsetxattr", xattr_lset, always, XATTR, 1, true, 0, 0, 0, 0},
	{"fsetxattr", xattr_fset, always, XATTR, 1, false, 0, 0, 0, 0},
	{"removexattr", xattr_remove, always, XATTR, 2, true, 0, 0, 0, 0},
	{"a call that fails", silent_failed, always, 0, 0, false, 0, 0, 0, 0},
	{"a call that is denied", silent_denied, always, 0, 0, false, 0, 0, 0, 0},
	{"outside", silent_outside, always, 0, 0, false, 0, 0, 0, 0},
};

static const char *hook_of(Rollcall__FileAspect aspect)
{
	static const char *const events[] = {"",	   "file_mode", "file_owner",
					     "file_times", "file_size", "file_xattr"};

	return witness_hook(events[aspect]);
}

static void event_check(const struct test *t, const Rollcall__FileChange *c, pid_t pid, bool last)
{
	static const struct stat none;
	struct stat now = {};
	bool known = !(last && t->by_name);

	check(t->name, "stat", stat(a(), &now) == 0);
	ends_check_task(t->name, c->task, pid);
	tree_inode_check(t->name, c->inode, known ? &now : &none);
	check_string(t->name, "path", c->path, a());
	check_number(t->name, "aspect", c->aspect, t->aspect);
	check_number(t->name, "mode", c->mode, t->mode);
	check_number(t->name, "uid", c->uid, t->uid);
	check_number(t->name, "gid", c->gid, t->gid);
	check_number(t->name, "size", c->size, t->size);
	check_number(t->name, "mtime", c->mtime,
		     t->aspect == TIMES && known ? (uint64_t)now.st_mtim.tv_sec * 1000000000 +
							   (uint64_t)now.st_mtim.tv_nsec
						 : 0);
	check_string(t->name, "attribute", c->name, t->aspect == XATTR ? "trusted.rollcall" : "");
	check_number(t->name, "tree", c->tree, TREE_WEB_ROOT);
	check_number(t->name, "lineage", c->lineage, 0);
}

static void test_run(const struct test *t)
{
	const Rollcall__Event *ev = NULL;
	int status;
	pid_t pid;

	tree_fill(t->name);
	pid = witness_run(t->go, &status);
	if (t->aspect == XATTR && status) {
		printf("%s: this file system keeps no trusted attributes\n", t->name);
		return;
	}
	check_number(t->name, "child", (uint64_t)status, 0);
	if (t->n)
		ev = witness_wait(CHANGE, pid, t->n);
	check(t->name, "event", !t->n || ev);
	if (ev)
		event_check(t, ev->file_change, pid, strstr(hook_of(t->aspect), "sys_exit"));
	check_number(t->name, "events", witness_count(CHANGE, pid), t->n);
	if (t->n)
		ends_coverage("file_change", t->name, hook_of(t->aspect), ev);
}

int main(void)
{
	if (!tree_open("file_change"))
		return 1;
	for (size_t i = 0; i < sizeof(tests) / sizeof(*tests); i++)
		if (tests[i].possible())
			test_run(&tests[i]);
	return tree_close();
}
