// links: tests/kernel/support/*.c user/sensor/{probe,probe_map,probe_pins,probe_report,probe_server,host,pins,uprobe,uprobe_ahead,discover,choice,guard,ladder,syscall,trial,kernel_types,verify,sandbox,elf,proctab,*_offsets}.c
// SPDX-License-Identifier: Apache-2.0
// Leaves and enters namespaces of every kind; before and after must be what /proc/PID/ns says.
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/support/check.h"
#include "kernel/support/witness.h"
#include "kernel/support/way.h"

#define KIND_NS	     ROLLCALL__EVENT__KIND_NS_CHANGE
#define I386_UNSHARE 310
#define CLONE_TIME   0x80 /* CLONE_NEWTIME */
#define KINDS	     10
#define PID_NS	     1 /* index of "pid" */
#define CHILDREN     8 /* of "pid_for_children" */

static const char *const names[KINDS] = {"mnt",
					 "pid",
					 "net",
					 "user",
					 "uts",
					 "ipc",
					 "cgroup",
					 "time",
					 "pid_for_children",
					 "time_for_children"};

/* By the child. */
static struct shared {
	uint32_t before[KINDS], after[KINDS];
} * shared;

static pid_t other; /* lives in namespaces of its own */

static uint32_t ns_read(const char *process, const char *name)
{
	char path[64], link[64] = "";
	const char *number;

	snprintf(path, sizeof(path), "/proc/%s/ns/%s", process, name);
	if (readlink(path, link, sizeof(link) - 1) < 0)
		return 0;
	number = strchr(link, '[');
	return number ? (uint32_t)strtoul(number + 1, NULL, 10) : 0;
}

/* A pid namespace has no name in /proc until it has a process: makes one, which looks. */
static uint32_t pid_for_children(void)
{
	uint32_t ino = 0;
	int told[2];
	pid_t pid;

	if (pipe(told))
		return 0;
	pid = fork();
	if (!pid) {
		ino = ns_read("self", "pid");
		_exit(write(told[1], &ino, sizeof(ino)) != sizeof(ino));
	}
	if (read(told[0], &ino, sizeof(ino)) != sizeof(ino))
		return 0;
	waitpid(pid, NULL, 0);
	return ino;
}

static void snapshot(uint32_t ns[KINDS], bool new_pid)
{
	for (int i = 0; i < KINDS; i++)
		ns[i] = ns_read("thread-self", names[i]);
	if (new_pid)
		ns[CHILDREN] = pid_for_children();
}

static long ns_enter(const char *name, int flag)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/ns/%s", other, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 || syscall(SYS_setns, fd, flag);
}

static long enter_uts(void)
{
	return ns_enter("uts", CLONE_NEWUTS);
}

static long enter_any(void)
{
	return ns_enter("ipc", 0);
}

static long enter_many(void)
{
	int fd = (int)syscall(SYS_pidfd_open, other, 0);

	return fd < 0 || syscall(SYS_setns, fd, CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET);
}

static long by_i386(void)
{
	long ret = 0;

#if defined(__x86_64__)
	__asm__ volatile("int $0x80"
			 : "=a"(ret)
			 : "a"(I386_UNSHARE), "b"(CLONE_NEWUTS)
			 : "memory", "cc");
#endif
	return ret;
}

static long same_files(void)
{
	return syscall(SYS_unshare, CLONE_FILES | CLONE_FS);
}

static long same_own(void)
{
	return syscall(SYS_setns, open("/proc/self/ns/uts", O_RDONLY | O_CLOEXEC), CLONE_NEWUTS);
}

static long same_refused(void)
{
	return syscall(SYS_unshare, 0x1) == 0;
}

/* clang-format off */
static const struct way {
	const char *name;
	unsigned long flags; /* for unshare(2), when there is no `change` */
	long (*change)(void);
	long call;
	bool compat, same;
} ways[] = {
	{ "unshare, mount", .flags = CLONE_NEWNS, .call = SYS_unshare },
	{ "unshare, uts", .flags = CLONE_NEWUTS, .call = SYS_unshare },
	{ "unshare, ipc", .flags = CLONE_NEWIPC, .call = SYS_unshare },
	{ "unshare, net", .flags = CLONE_NEWNET, .call = SYS_unshare },
	{ "unshare, cgroup", .flags = CLONE_NEWCGROUP, .call = SYS_unshare },
	{ "unshare, pid", .flags = CLONE_NEWPID, .call = SYS_unshare },
	{ "unshare, time", .flags = CLONE_TIME, .call = SYS_unshare },
	{ "unshare, user", .flags = CLONE_NEWUSER, .call = SYS_unshare },
	{ "setns, one kind", .change = enter_uts, .call = SYS_setns },
	{ "setns, any kind", .change = enter_any, .call = SYS_setns },
	{ "setns, several by pidfd", .change = enter_many, .call = SYS_setns },
	{ "unshare by int 0x80", .change = by_i386, .call = I386_UNSHARE, .compat = true },
	{ "unshare, no namespace", .change = same_files, .same = true },
	{ "setns, its own", .change = same_own, .same = true },
	{ "unshare, refused", .change = same_refused, .same = true },
};
/* clang-format on */
static const struct way *way;

static int go(void)
{
	snapshot(shared->before, false);
	if (way->change ? way->change() : syscall(SYS_unshare, way->flags))
		return 1;
	snapshot(shared->after, way->flags & CLONE_NEWPID);
	return 0;
}

static void namespaces_check(const char *name, const Rollcall__Namespaces *n,
			     const uint32_t want[KINDS])
{
	const uint32_t got[KINDS] = {n->mnt,
				     n->pid,
				     n->net,
				     n->user,
				     n->uts,
				     n->ipc,
				     n->cgroup,
				     n->time,
				     n->pid_for_children,
				     n->time_for_children};

	for (int i = 0; i < KINDS; i++)
		check_number(name, names[i], got[i], want[i]);
}

static void way_check(const char *name, pid_t pid)
{
	const Rollcall__Event *ev = witness_event(KIND_NS, pid, 0);
	const Rollcall__NsChange *c = ev ? ev->ns_change : NULL;

	printf("coverage: ns_change | %s | %s | %s\n", name, witness_hook("ns_change"),
	       c ? "seen" : "not seen");
	if (!c)
		return;
	namespaces_check(name, c->before, shared->before);
	namespaces_check(name, c->after, shared->after);
	check(name, "a change", memcmp(shared->before, shared->after, sizeof(shared->after)) != 0);
	check_number(name, "call", c->call, (uint64_t)way->call);
	check_number(name, "compat", c->compat, way->compat);
	check_number(name, "tgid", c->task->tgid, (uint64_t)pid);
	check_number(name, "tid", c->task->tid, (uint64_t)pid);
	check_number(name, "uid", c->task->uid, getuid());
	check_number(name, "process", ev->process ? ev->process->pid : 0, (uint64_t)pid);
}

static void ways_check(void)
{
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		const char *name = ways[i].name;
		int status = -1;
		pid_t pid;

		way = &ways[i];
		if (way->compat && !way_has_i386())
			continue; /* a kernel without 32-bit calls */
		if (way->flags == CLONE_TIME && access("/proc/self/ns/time", F_OK))
			continue;
		pid = witness_run(go, &status);
		check_number(name, "status of the child", (uint64_t)status, 0);
		check_number(name, "events", witness_count(KIND_NS, pid), !way->same);
		if (!way->same)
			way_check(name, pid);
	}
}

/* A process in other namespaces; returns when it is there. */
static pid_t other_start(void)
{
	int there[2];
	char c;
	pid_t pid;

	if (pipe2(there, O_CLOEXEC))
		return -1;
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (unshare(CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET))
			_exit(1);
		close(there[0]);
		close(there[1]);
		pause();
		_exit(0);
	}
	close(there[1]);
	check("other", "there", read(there[0], &c, 1) == 0);
	close(there[0]);
	return pid;
}

int main(void)
{
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (shared == MAP_FAILED)
		return 1;
	other = other_start();
	if (!witness_open("ns_change"))
		return 1;
	ways_check();
	kill(other, SIGKILL);
	waitpid(other, NULL, 0);
	return witness_close();
}
