// links: tests/kernel/support/*.c user/sensor/{probe,probe_map,probe_pins,probe_report,probe_server,host,pins,uprobe,uprobe_ahead,discover,choice,guard,ladder,syscall,trial,kernel_types,verify,sandbox,elf,proctab,*_offsets}.c
// SPDX-License-Identifier: Apache-2.0
// Changes credentials in every way there is; before and after must be what /proc/PID/status says.
// What changes nothing makes no event.
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <pthread.h>
#include <sched.h>
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

#define KIND_CRED    ROLLCALL__EVENT__KIND_CRED_CHANGE
#define USER	     65534
#define GROUP	     12345
#define I386_SETUID  213 /* setuid32 */
#define I386_SETUID1 23	 /* the older, of 16 bits */
#define GROUPS_MAX   40

struct snapshot {
	uint64_t inheritable, permitted, effective, bounding, ambient;
	uint32_t uid[3], gid[3]; /* real, effective, saved */
	uint32_t groups, groups_hash, securebits, no_new_privs, tid;
};

/* By the child. */
static struct shared {
	struct snapshot before, after;
} * shared;

static void groups_read(struct snapshot *s, const char *list)
{
	uint32_t hash = 2166136261u;
	char *end;

	for (unsigned i = 0;; i++, list = end) {
		uint32_t gid = (uint32_t)strtoul(list, &end, 10);

		if (end == list)
			break;
		s->groups++;
		if (i < 32)
			hash = (hash ^ gid) * 16777619u;
	}
	s->groups_hash = hash;
}

static int snapshot(struct snapshot *s)
{
	FILE *f = fopen("/proc/thread-self/status", "re");
	char line[4096];

	memset(s, 0, sizeof(*s));
	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f)) {
		sscanf(line, "Uid: %u %u %u", &s->uid[0], &s->uid[1], &s->uid[2]);
		sscanf(line, "Gid: %u %u %u", &s->gid[0], &s->gid[1], &s->gid[2]);
		sscanf(line, "CapInh: %lx", &s->inheritable);
		sscanf(line, "CapPrm: %lx", &s->permitted);
		sscanf(line, "CapEff: %lx", &s->effective);
		sscanf(line, "CapBnd: %lx", &s->bounding);
		sscanf(line, "CapAmb: %lx", &s->ambient);
		sscanf(line, "NoNewPrivs: %u", &s->no_new_privs);
		if (strncmp(line, "Groups:", 7) == 0)
			groups_read(s, line + 7);
	}
	fclose(f);
	s->securebits = (uint32_t)prctl(PR_GET_SECUREBITS);
	s->tid = (uint32_t)syscall(SYS_gettid);
	return 0;
}

/* ---- ways to change; raw calls, for the C library makes one of all threads ---- */

static long by_setuid(void)
{
	return syscall(SYS_setuid, USER);
}

static long by_setgid(void)
{
	return syscall(SYS_setgid, GROUP);
}

static long by_setreuid(void)
{
	return syscall(SYS_setreuid, USER, -1);
}

static long by_setregid(void)
{
	return syscall(SYS_setregid, -1, GROUP);
}

static long by_setresuid(void)
{
	return syscall(SYS_setresuid, 1, 2, 3);
}

static long by_setresgid(void)
{
	return syscall(SYS_setresgid, 1, 2, 3);
}

static long by_setgroups(void)
{
	return syscall(SYS_setgroups, 2, (gid_t[]){GROUP, 7});
}

/* As many as before, and another. */
static long by_setgroups_other(void)
{
	return syscall(SYS_setgroups, 2, (gid_t[]){GROUP, 8});
}

static long by_setgroups_many(void)
{
	gid_t groups[GROUPS_MAX];

	for (gid_t i = 0; i < GROUPS_MAX; i++)
		groups[i] = 1000 + i;
	return syscall(SYS_setgroups, GROUPS_MAX, groups);
}

static long by_capset(void)
{
	struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &head, data))
		return -1;
	data[0].effective &= ~1u;
	data[1].inheritable |= data[1].permitted;
	return syscall(SYS_capset, &head, data);
}

static long by_bounding(void)
{
	return prctl(PR_CAPBSET_DROP, CAP_MKNOD);
}

static long by_ambient(void)
{
	return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_SYSLOG, 0, 0);
}

static long by_securebits(void)
{
	return prctl(PR_SET_SECUREBITS, SECBIT_NOROOT);
}

static long by_no_new_privs(void)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

static long by_unshare(void)
{
	return syscall(SYS_unshare, CLONE_NEWUSER);
}

#if defined(__x86_64__)
static long i386(long nr, long arg)
{
	long ret;

	__asm__ volatile("int $0x80" : "=a"(ret) : "a"(nr), "b"(arg) : "memory", "cc");
	return ret;
}

static long by_i386(void)
{
	return i386(I386_SETUID, USER);
}

static long by_i386_old(void)
{
	return i386(I386_SETUID1, 1);
}
#endif

static long be_user(void)
{
	return syscall(SYS_setuid, USER);
}

/* ---- what changes nothing ---- */

static long same_setuid(void)
{
	return syscall(SYS_setuid, 0);
}

static long same_setresuid(void)
{
	return syscall(SYS_setresuid, -1, -1, -1);
}

static long same_setgroups(void)
{
	gid_t groups[64];
	int n = getgroups(64, groups);

	return n < 0 ? -1 : syscall(SYS_setgroups, n, groups);
}

static long same_name(void)
{
	return prctl(PR_SET_NAME, "other");
}

static long same_bounding(void)
{
	return prctl(PR_CAPBSET_READ, CAP_MKNOD) < 0;
}

/* Refused: it is no root any more. */
static long same_refused(void)
{
	return syscall(SYS_setuid, 0) == 0;
}

static long same_no_new_privs(void)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 1, 0, 0) == 0 ||
	       prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
}

/* clang-format off */
static const struct way {
	const char *name;
	long (*change)(void);
	long call;
	long (*prepare)(void); /* makes one event of its own */
	bool compat, same;
	const char *event; /* whose hook sees it; cred_change */
} ways[] = {
	{ "setuid", by_setuid, .call = SYS_setuid },
	{ "setgid", by_setgid, .call = SYS_setgid },
	{ "setreuid", by_setreuid, .call = SYS_setreuid },
	{ "setregid", by_setregid, .call = SYS_setregid },
	{ "setresuid", by_setresuid, .call = SYS_setresuid },
	{ "setresgid", by_setresgid, .call = SYS_setresgid },
	{ "setgroups", by_setgroups, .call = SYS_setgroups },
	{ "setgroups, another", by_setgroups_other, .call = SYS_setgroups, .prepare = by_setgroups },
	{ "setgroups, many", by_setgroups_many, .call = SYS_setgroups },
	{ "capset", by_capset, .call = SYS_capset },
	{ "prctl, bounding set", by_bounding, SYS_prctl, .event = "no_new_privs" },
	{ "prctl, ambient set", by_ambient, SYS_prctl, by_capset, .event = "no_new_privs" },
	{ "prctl, securebits", by_securebits, SYS_prctl, .event = "no_new_privs" },
	{ "prctl, no_new_privs", by_no_new_privs, SYS_prctl, .event = "no_new_privs" },
	{ "unshare, user namespace", by_unshare, SYS_unshare, be_user, .event = "ns_change" },
#if defined(__x86_64__)
	{ "setuid32 by int 0x80", by_i386, I386_SETUID, .compat = true },
	{ "setuid of 16 bits by int 0x80", by_i386_old, I386_SETUID1, .compat = true },
#endif
	{ "setuid, the same", same_setuid, .same = true },
	{ "setresuid, none", same_setresuid, .same = true },
	{ "setgroups, the same", same_setgroups, .same = true },
	{ "prctl, name", same_name, .same = true },
	{ "prctl, a question", same_bounding, .same = true },
	{ "setuid, refused", same_refused, .prepare = be_user, .same = true },
	{ "prctl, malformed", same_no_new_privs, .same = true },
};
/* clang-format on */
static const struct way *way;

static int go(void)
{
	return (way->prepare && way->prepare()) || snapshot(&shared->before) || way->change() ||
	       snapshot(&shared->after);
}

static void cred_check(const char *name, const Rollcall__Cred *c, const struct snapshot *s)
{
	check_number(name, "uid", c->uid, s->uid[0]);
	check_number(name, "euid", c->euid, s->uid[1]);
	check_number(name, "suid", c->suid, s->uid[2]);
	check_number(name, "gid", c->gid, s->gid[0]);
	check_number(name, "egid", c->egid, s->gid[1]);
	check_number(name, "sgid", c->sgid, s->gid[2]);
	check_number(name, "cap_inheritable", c->cap_inheritable, s->inheritable);
	check_number(name, "cap_permitted", c->cap_permitted, s->permitted);
	check_number(name, "cap_effective", c->cap_effective, s->effective);
	check_number(name, "cap_bounding", c->cap_bounding, s->bounding);
	check_number(name, "cap_ambient", c->cap_ambient, s->ambient);
	check_number(name, "securebits", c->securebits, s->securebits);
	check_number(name, "no_new_privs", c->no_new_privs, s->no_new_privs);
	check_number(name, "groups", c->groups, s->groups);
	check_number(name, "groups_hash", c->groups_hash, s->groups_hash);
}

/* Inside a user namespace of its own, /proc shows a process other numbers than it has outside. */
static void overflow_set(struct snapshot *s)
{
	memcpy(s->uid, shared->before.uid, sizeof(s->uid));
	memcpy(s->gid, shared->before.gid, sizeof(s->gid));
	s->groups_hash = shared->before.groups_hash;
}

static void event_check(const char *name, const Rollcall__Event *ev, pid_t pid)
{
	const Rollcall__CredChange *c = ev ? ev->cred_change : NULL;
	const struct snapshot *after = &shared->after;

	check(name, "event", ev != NULL);
	if (!c)
		return;
	if (way->change == by_unshare)
		overflow_set(&shared->after);
	cred_check(name, c->before, &shared->before);
	cred_check(name, c->after, after);
	check_number(name, "call", c->call, (uint64_t)way->call);
	check_number(name, "compat", c->compat, way->compat);
	check_number(name, "tgid", c->task->tgid, (uint64_t)pid);
	check_number(name, "tid", c->task->tid, after->tid);
	check_number(name, "ppid", c->task->ppid, (uint64_t)getpid());
	check_number(name, "task uid", c->task->uid, after->uid[0]);
	check_number(name, "task gid", c->task->gid, after->gid[0]);
	check_number(name, "task capabilities",
		     (uint64_t)c->task->cap_effective_hi << 32 | c->task->cap_effective_lo,
		     after->effective);
	check_number(name, "process", ev->process ? ev->process->pid : 0, (uint64_t)pid);
	check_number(name, "process uid", ev->process ? ev->process->uid : ~0u, after->uid[0]);
}

/* Where credentials are committed, all ways meet; calls go by what wants them. */
static const char *hook_of(const struct way *w)
{
	bool calls = strstr(witness_hook("cred_change"), "__sys_exit") != NULL;

	if (w->event && (calls || w->change == by_no_new_privs))
		return witness_hook(w->event);
	return witness_hook("cred_change");
}

static void ways_check(void)
{
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		const char *name = ways[i].name;
		unsigned earlier = ways[i].prepare != NULL, n;
		int status = -1;
		pid_t pid;

		way = &ways[i];
		if (way->compat && !way_has_i386())
			continue; /* a kernel without 32-bit calls */
		pid = witness_run(go, &status);
		n = witness_count(KIND_CRED, pid);
		check_number(name, "status of the child", (uint64_t)status, 0);
		check_number(name, "events", n, earlier + !way->same);
		if (way->same)
			continue;
		event_check(name, witness_event(KIND_CRED, pid, earlier), pid);
		printf("coverage: cred_change | %s | %s | %s\n", name, hook_of(way),
		       n > earlier ? "seen" : "not seen");
	}
}

/* ---- one thread of several, and a process that was there before ---- */

static void *thread_change(void *arg)
{
	snapshot(&shared->before);
	if (by_setuid() == 0)
		snapshot(&shared->after);
	return arg;
}

static int go_thread(void)
{
	pthread_t id;

	return pthread_create(&id, NULL, thread_change, NULL) || pthread_join(id, NULL) ||
	       getuid() != 0;
}

static void thread_check(void)
{
	int status = -1;
	pid_t pid = witness_run(go_thread, &status);

	way = &ways[0];
	check_number("thread", "status", (uint64_t)status, 0);
	check_number("thread", "events", witness_count(KIND_CRED, pid), 1);
	check("thread", "not the first", shared->after.tid != (uint32_t)pid);
	event_check("thread", witness_event(KIND_CRED, pid, 0), pid);
}

int main(void)
{
	int status = -1;
	int go_on[2];
	char c;
	pid_t pid;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (shared == MAP_FAILED || pipe(go_on))
		return 1;
	way = &ways[0];
	pid = fork();
	if (!pid)
		_exit(read(go_on[0], &c, 1) != 1 || go());
	if (!witness_open("cred_change"))
		return 1;
	check("before the sensor", "go on", write(go_on[1], "x", 1) == 1);
	check("before the sensor", "exit",
	      witness_wait(ROLLCALL__EVENT__KIND_EXIT, pid, 1) != NULL);
	check("before the sensor", "status", waitpid(pid, &status, 0) == pid && status == 0);
	event_check("before the sensor", witness_event(KIND_CRED, pid, 0), pid);
	ways_check();
	thread_check();
	return witness_close();
}
