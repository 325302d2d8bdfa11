// links: tests/kernel/support/*.c user/sensor/{probe,probe_map,probe_pins,probe_report,probe_server,host,pins,uprobe,uprobe_ahead,discover,choice,guard,ladder,syscall,trial,kernel_types,verify,sandbox,elf,proctab,*_offsets}.c
// SPDX-License-Identifier: Apache-2.0
// Mounts and unmounts in a mount namespace of a child's own, by the old call and the new ones;
// checks each field. Calls that fail must stay silent.
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kernel/support/check.h"
#include "kernel/support/ends.h"
#include "kernel/support/tree.h"
#include "kernel/support/witness.h"

/* libc's, whose header does not go with linux/mount.h. */
#define MNT_DETACH 2

#define MOUNT ROLLCALL__EVENT__KIND_MOUNT

static int mount(const char *source, const char *target, const char *type, unsigned long flags)
{
	return (int)syscall(SYS_mount, source, target, type, flags, NULL);
}

static int alone(void)
{
	return unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE);
}

static int bind_plain(void)
{
	return alone() || mount(tree_at("www"), tree_at("other"), NULL, MS_BIND);
}
static int bind_relative(void)
{
	return alone() || chdir(tree_at("")) || mount("www", "other", NULL, MS_BIND | MS_RDONLY);
}
static int file_system(void)
{
	return alone() || mount("none", tree_at("other"), "tmpfs", MS_NOSUID);
}
static int unmount(void)
{
	return alone() || mount("none", tree_at("other"), "tmpfs", 0) ||
	       syscall(SYS_umount2, tree_at("other"), MNT_DETACH);
}
static int move(void)
{
	return alone() || mount("none", tree_at("other/dir"), "tmpfs", 0) ||
	       syscall(SYS_move_mount, AT_FDCWD, tree_at("other/dir"), AT_FDCWD, tree_at("other"),
		       0);
}
/* A copy of a mount, in no place yet. */
static int move_new(void)
{
	int fd;

	if (alone())
		return 1;
	fd = (int)syscall(SYS_open_tree, AT_FDCWD, tree_at("www"), OPEN_TREE_CLONE);
	return fd < 0 ||
	       syscall(SYS_move_mount, fd, "", AT_FDCWD, tree_at("other"), MOVE_MOUNT_F_EMPTY_PATH);
}
static int silent_failed(void)
{
	return alone() || !mount("none", tree_at("none"), "tmpfs", 0) ||
	       !mount("none", tree_at("other"), "no such type", 0) || setuid(65534) ||
	       !mount("none", tree_at("other"), "tmpfs", 0);
}

static const struct test {
	const char *name;
	int (*go)(void);
	unsigned n;	    /* events; the last is looked at */
	const char *source; /* NULL: as it was given, or where it is */
	const char *type;
	uint64_t flags;
	bool unmount;
} tests[] = {
	{"mount, bind", bind_plain, 2, "www", "", MS_BIND, false},
	{"mount, bind, relative", bind_relative, 2, NULL, "", MS_BIND | MS_RDONLY, false},
	{"mount, tmpfs", file_system, 2, "none", "tmpfs", MS_NOSUID, false},
	{"umount2", unmount, 3, "", "", MNT_DETACH, true},
	{"move_mount", move, 3, "other/dir", "", 0, false},
	{"move_mount, new", move_new, 2, NULL, "", 0, false},
	{"a call that fails", silent_failed, 1, NULL, NULL, 0, false},
};

static void event_check(const struct test *t, const Rollcall__Mount *m, pid_t pid)
{
	bool path = t->source && (t->flags & MS_BIND || strchr(t->source, '/'));

	ends_check_task(t->name, m->task, pid);
	if (t->source)
		check_string(t->name, "source", m->source, path ? tree_at(t->source) : t->source);
	check_string(t->name, "path", m->path, tree_at("other"));
	check_string(t->name, "type", m->type, t->type);
	check_number(t->name, "flags", m->flags, t->flags);
	check_number(t->name, "unmount", m->unmount, t->unmount);
}

int main(void)
{
	if (!tree_open("mount"))
		return 1;
	for (size_t i = 0; i < sizeof(tests) / sizeof(*tests); i++) {
		const struct test *t = &tests[i];
		const Rollcall__Event *ev;
		int status;
		pid_t pid = witness_run(t->go, &status);

		check_number(t->name, "child", (uint64_t)status, 0);
		ev = witness_wait(MOUNT, pid, t->n);
		check(t->name, "event", ev != NULL);
		if (ev && t->type)
			event_check(t, ev->mount, pid);
		check_number(t->name, "events", witness_count(MOUNT, pid), t->n);
		if (t->type)
			ends_coverage("mount", t->name, witness_hook("mount"), ev);
	}
	return tree_close();
}
