// links: tests/kernel/support/*.c user/sensor/{probe,probe_map,probe_pins,probe_report,probe_server,host,pins,uprobe,uprobe_ahead,discover,choice,guard,ladder,syscall,trial,kernel_types,verify,sandbox,elf,proctab,*_offsets}.c
// SPDX-License-Identifier: Apache-2.0
// Makes processes in every way there is, and checks each field of the Fork event and the lineage
// that the table makes of it; that of processes that ran before the sensor, too.
#include <errno.h>
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/support/check.h"
#include "kernel/support/witness.h"
#include "lib/clean.h"

#define KIND_EXIT   ROLLCALL__EVENT__KIND_EXIT
#define KIND_EXEC   ROLLCALL__EVENT__KIND_EXEC
#define KIND_FORK   ROLLCALL__EVENT__KIND_FORK
#define PROGRAM	    "/usr/bin/true"
#define CHAIN	    20
#define LINEAGE_MAX 16

/* Shared with children over a pipe: who they are, and that they may go on. */
static int told[2], go_on[2];

static void tell(void)
{
	pid_t pid = getpid();

	if (write(told[1], &pid, sizeof(pid)) != sizeof(pid))
		_exit(1);
}

static pid_t hear(void)
{
	pid_t pid = 0;

	return read(told[0], &pid, sizeof(pid)) == sizeof(pid) ? pid : 0;
}

static void wait_here(void)
{
	char c;

	if (read(go_on[0], &c, 1) != 1)
		_exit(1);
}

static void fork_check(const char *name, const Rollcall__Event *ev, pid_t pid, pid_t parent)
{
	const Rollcall__Fork *f = ev ? ev->fork : NULL;
	const Rollcall__Process *p = ev ? ev->process : NULL;

	check_number(name, "fork events", witness_count(KIND_FORK, pid), 1);
	check(name, "fork event", p && p->parent);
	if (!p || !p->parent)
		return;
	check_number(name, "tgid", f->task->tgid, (uint64_t)pid);
	check_number(name, "tid", f->task->tid, (uint64_t)pid);
	check_number(name, "uid", f->task->uid, getuid());
	check_number(name, "gid", f->task->gid, getgid());
	check_number(name, "ppid", f->task->ppid, (uint64_t)parent);
	check(name, "start_time", f->task->start_time && f->task->start_time <= ev->time);
	check_number(name, "parent_tgid", f->parent_tgid, (uint64_t)parent);
	check_number(name, "parent_start_time", f->parent_start_time, p->parent->start_time);
	check_number(name, "process pid", p->pid, (uint64_t)pid);
	check_number(name, "process parent", p->parent->pid, (uint64_t)parent);
	/* Until it executes, a child is what its parent is. */
	check_string(name, "process exe", p->exe, p->parent->exe);
	check_string(name, "process cwd", p->cwd, p->parent->cwd);
	check_string(name, "process unit", p->unit, p->parent->unit);
	check_number(name, "number of args", p->n_args, 1);
	check_number(name, "inode", p->exe_inode, p->parent->exe_inode);
}

/* ---- children of this test ---- */

static pid_t make_fork(void)
{
	return fork();
}

static pid_t make_clone(void)
{
	return (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}

static pid_t make_clone3(void)
{
	struct clone_args args = {.exit_signal = SIGCHLD};

	return (pid_t)syscall(SYS_clone3, &args, sizeof(args));
}

static pid_t make_vfork(void)
{
	struct clone_args args = {.exit_signal = SIGCHLD, .flags = CLONE_VFORK};

	return (pid_t)syscall(SYS_clone3, &args, sizeof(args));
}

/* The flags of this call reach the kernel as 64 bits. */
static pid_t make_apart(void)
{
	struct clone_args args = {.exit_signal = SIGCHLD, .flags = CLONE_NEWUTS | CLONE_NEWPID};

	return (pid_t)syscall(SYS_clone3, &args, sizeof(args));
}

#define FLAGS_LIBC (CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID)

static const struct {
	const char *name;
	pid_t (*make)(void);
	uint64_t flags;
	bool apart; /* its uts and pid namespaces are its own */
} ways[] = {
	{"fork", make_fork, FLAGS_LIBC, false},
	{"clone", make_clone, 0, false},
	{"clone3", make_clone3, 0, false},
	{"vfork", make_vfork, CLONE_VFORK, false},
	{"new namespaces", make_apart, CLONE_NEWUTS | CLONE_NEWPID, true},
};

static uint32_t ns_own(const char *name)
{
	char path[64], link[64] = "";

	snprintf(path, sizeof(path), "/proc/self/ns/%s", name);
	if (readlink(path, link, sizeof(link) - 1) < 0 || !strchr(link, '['))
		return 0;
	return (uint32_t)strtoul(strchr(link, '[') + 1, NULL, 10);
}

static void namespaces_check(const char *name, const Rollcall__Namespaces *n, bool apart)
{
	check_number(name, "same uts", n->uts == ns_own("uts"), !apart);
	check_number(name, "same pid", n->pid == ns_own("pid"), !apart);
	check(name, "uts and pid", n->uts && n->pid && n->pid_for_children == n->pid);
	check_number(name, "mnt", n->mnt, ns_own("mnt"));
	check_number(name, "net", n->net, ns_own("net"));
	check_number(name, "user", n->user, ns_own("user"));
	check_number(name, "ipc", n->ipc, ns_own("ipc"));
	check_number(name, "cgroup", n->cgroup, ns_own("cgroup"));
	check_number(name, "time", n->time, ns_own("time"));
	check_number(name, "time_for_children", n->time_for_children, ns_own("time_for_children"));
}

static void ways_check(void)
{
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		const Rollcall__Event *ev;
		pid_t pid;

		witness_reset();
		fflush(stdout);
		pid = ways[i].make();
		if (!pid)
			_exit(0);
		waitpid(pid, NULL, 0);
		check(ways[i].name, "exit", witness_wait(KIND_EXIT, pid, 1) != NULL);
		ev = witness_event(KIND_FORK, pid, 0);
		fork_check(ways[i].name, ev, pid, getpid());
		printf("coverage: fork | %s | %s | %s\n", ways[i].name, witness_hook("fork"),
		       ev ? "seen" : "not seen");
		if (!ev)
			continue;
		check_number(ways[i].name, "clone_flags", ev->fork->clone_flags, ways[i].flags);
		check_number(ways[i].name, "lineage", ev->fork->lineage, 0);
		namespaces_check(ways[i].name, ev->fork->namespaces, ways[i].apart);
		check_string(ways[i].name, "lineage", witness_lineage(ev->process), "fork fork");
	}
}

static void *thread(void *arg)
{
	*(pid_t *)arg = gettid();
	return NULL;
}

/* A thread is no process. */
static void thread_check(void)
{
	pthread_t id;
	pid_t tid = 0;

	witness_reset();
	pthread_create(&id, NULL, thread, &tid);
	pthread_join(id, NULL);
	witness_settle();
	check("thread", "ran", tid != 0 && tid != getpid());
	check_number("thread", "fork events", witness_count(KIND_FORK, tid), 0);
	check_number("thread", "fork events of its process", witness_count(KIND_FORK, getpid()), 0);
	check_number("thread", "exit events", witness_count(KIND_EXIT, tid), 0);
	check_number("thread", "exit events of its process", witness_count(KIND_EXIT, getpid()), 0);
}

/* ---- grandchildren ---- */

/* The daemon's way: the middle one is gone, and its child is another's, when it executes. */
static int double_fork(void)
{
	if (fork())
		return 0;
	setsid();
	tell();
	wait_here();
	return execl(PROGRAM, "true", NULL);
}

static void double_fork_check(void)
{
	const char *name = "double fork";
	const Rollcall__Event *ev;
	pid_t middle, pid;

	middle = witness_run(double_fork, &(int){0});
	pid = hear();
	check("double fork", "go on", write(go_on[1], "", 1) == 1);
	ev = witness_wait(KIND_EXIT, pid, 1);
	check(name, "exit", ev != NULL);
	fork_check(name, witness_event(KIND_FORK, pid, 0), pid, middle);
	ev = witness_event(KIND_EXEC, pid, 0);
	check(name, "exec", ev && ev->process);
	if (!ev || !ev->process)
		return;
	check(name, "has another parent", ev->exec->task->ppid != (uint32_t)middle);
	check_string(name, "lineage", witness_lineage(ev->process), "true fork fork");
	check_number(name, "parent", ev->process->parent->pid, (uint64_t)middle);
	check_number(name, "its session", ev->exec->sid, (uint64_t)pid);
}

/* Each makes the next and ends: the last one has sixteen dead ancestors, and no more. */
static int chain(void)
{
	for (int i = 1; i < CHAIN; i++)
		if (fork())
			return 0;
	tell();
	return execl(PROGRAM, "true", NULL);
}

static void chain_check(void)
{
	const Rollcall__Event *ev;
	unsigned n = 0;
	pid_t pid;

	witness_run(chain, &(int){0});
	pid = hear();
	ev = witness_wait(KIND_EXEC, pid, 1);
	check("chain", "exec", ev && ev->process);
	for (const Rollcall__Process *p = ev ? ev->process : NULL; p; p = p->parent, n++)
		check_string("chain", "exe", strrchr(p->exe, '/'), n ? "/fork" : "/true");
	check_number("chain", "its processes", n, 1 + LINEAGE_MAX);
}

/* The first process of a pid namespace; both ends are numbered as this test sees them. */
static int namespace(void)
{
	int status = 1;
	pid_t pid;

	if (unshare(CLONE_NEWPID))
		return 1;
	pid = fork();
	if (!pid)
		_exit(getpid() != 1);
	if (write(told[1], &pid, sizeof(pid)) != sizeof(pid))
		return 1;
	return waitpid(pid, &status, 0) != pid || status;
}

static void namespace_check(void)
{
	int status = -1;
	pid_t middle = witness_run(namespace, &status), pid = hear();

	check_number("pid namespace", "status", status, 0);
	fork_check("pid namespace", witness_event(KIND_FORK, pid, 0), pid, middle);
}

/* ---- who a process is now ---- */

static int change_user(void)
{
	return setgid(12345) || setuid(65534);
}

static void user_check(void)
{
	int status = -1;
	pid_t pid = witness_run(change_user, &status);
	const Rollcall__Event *ev = witness_event(KIND_FORK, pid, 0);

	check_number("setuid", "status", status, 0);
	check_string("setuid", "user at fork", ev ? ev->process->user : NULL, "root");
	ev = witness_event(KIND_EXIT, pid, 0);
	check_number("setuid", "uid at exit", ev ? ev->process->uid : 0, 65534);
	check_string("setuid", "user at exit", ev ? ev->process->user : NULL, "nobody");
}

/* ---- processes that ran before ---- */

/* Field `n` of /proc/PID/stat as a number: 4 the parent; 3, a letter: the state. */
static int stat_of(uint32_t pid, int n)
{
	char path[64], line[1024];
	_cleanup_(fclosep) FILE *f = NULL;
	char *at;

	snprintf(path, sizeof(path), "/proc/%u/stat", pid);
	f = fopen(path, "re");
	if (!f || !fgets(line, sizeof(line), f))
		return -1;
	at = strrchr(line, ')') + 2;
	return n == 3 ? *at : atoi(at + 2);
}

static pid_t seed_child, seed_parent, seed_headless;

/*
 * A child whose number is lower than its parent's, as after pid numbers wrapped: the iterator
 * comes by the child first.
 */
static int seed(void)
{
	pid_t want = getpid() - 1, pid = -1;

	for (; want > 1 && pid < 0; want--) {
		struct clone_args args = {.exit_signal = SIGCHLD, .set_tid_size = 1};

		args.set_tid = (uintptr_t)&want;
		pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
		if (pid < 0 && errno != EEXIST)
			return 1;
	}
	tell();
	wait_here();
	return 0;
}

static void *go_on_alone(void *arg)
{
	while (stat_of((uint32_t)getpid(), 3) != 'Z')
		sched_yield();
	tell();
	wait_here();
	syscall(SYS_exit_group, 0);
	return arg;
}

/* Its first thread is gone, and with it the memory that most look at. */
static int headless(void)
{
	pthread_t id;

	pthread_create(&id, NULL, go_on_alone, NULL);
	syscall(SYS_exit, 0);
	return 1;
}

static void seeds_start(void)
{
	pid_t pid = witness_fork(seed), a = hear(), b = hear();

	seed_parent = pid;
	seed_child = a == pid ? b : a;
	seed_headless = witness_fork(headless);
	check("headless seed", "runs", hear() == seed_headless);
}

static void seeds_check(void)
{
	const Rollcall__Process *p = witness_process(seed_child);
	unsigned n = 0;

	check("seed", "child before parent", seed_child && seed_child < seed_parent);
	check("seed", "known", p != NULL);
	check_string("seed", "lineage", witness_lineage(p), "fork fork fork");
	check_number("seed", "parent", p && p->parent ? p->parent->pid : 0, (uint64_t)seed_parent);
	for (; p && p->parent; p = p->parent, n++)
		check_number("seed", "ancestor", p->parent->pid, (uint64_t)stat_of(p->pid, 4));
	/* Up to init, which some hosts hide from iterators. */
	check("seed", "first ancestor",
	      p && (n == LINEAGE_MAX || p->pid == 1 || stat_of(p->pid, 4) <= 1));
	p = witness_process(seed_headless);
	check("headless seed", "known", p != NULL);
	check_string("headless seed", "lineage", witness_lineage(p), "fork fork");
	check_number("headless seed", "args_truncated", p && p->args_truncated, true);
	check("seed", "go on", write(go_on[1], "...", 3) == 3);
	waitpid(seed_parent, NULL, 0);
	waitpid(seed_headless, NULL, 0);
	check("seed", "exit", witness_wait(KIND_EXIT, seed_parent, 1) != NULL);
	check("seed", "child's exit", witness_wait(KIND_EXIT, seed_child, 1) != NULL);
}

int main(void)
{
	if (pipe(told) || pipe(go_on))
		return 1;
	seeds_start();
	if (!witness_open("fork"))
		return 1;
	seeds_check();
	ways_check();
	thread_check();
	double_fork_check();
	chain_check();
	namespace_check();
	user_check();
	return witness_close();
}
