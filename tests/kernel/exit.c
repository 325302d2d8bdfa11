// links: tests/kernel/support/*.c user/sensor/{probe,probe_map,probe_pins,probe_report,probe_server,host,pins,uprobe,uprobe_ahead,discover,choice,guard,ladder,syscall,trial,kernel_types,verify,sandbox,elf,proctab,*_offsets}.c
// SPDX-License-Identifier: Apache-2.0
// Ends processes in every way there is: one Exit event each, with the status that wait(2) gives.
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/support/check.h"
#include "kernel/support/witness.h"

#define KIND_EXIT ROLLCALL__EVENT__KIND_EXIT
#define KIND_EXEC ROLLCALL__EVENT__KIND_EXEC
#define KIND_FORK ROLLCALL__EVENT__KIND_FORK
#define RACES	  500

/* Ends this thread alone, as pthread_exit does once no clean-up is left. */
static void thread_end(int code)
{
	syscall(SYS_exit, code);
}

static void *group_from_thread(void *arg)
{
	(void)arg;
	syscall(SYS_exit_group, 42);
	return NULL;
}

static void *end_later(void *arg)
{
	(void)arg;
	usleep(20000); /* the leader is gone by then, mostly: either order must be right */
	thread_end(5);
	return NULL;
}

static void *exec_from_thread(void *arg)
{
	(void)arg;
	execl("/bin/sh", "sh", "-c", "exit 9", NULL);
	return NULL;
}

static void *sleep_on(void *arg)
{
	(void)arg;
	for (;;)
		pause();
	return NULL;
}

static int thread(void *(*start)(void *))
{
	pthread_t id;

	return pthread_create(&id, NULL, start, NULL);
}

static int end_zero(void)
{
	return 0;
}
static int end_code(void)
{
	return 3;
}
static int end_code_wide(void)
{
	return 0x107;
}
static int end_kill(void)
{
	return raise(SIGKILL);
}

static int end_term(void)
{
	signal(SIGTERM, SIG_DFL);
	return raise(SIGTERM);
}

static int end_abort(void)
{
	abort();
}

static int end_fault(void)
{
	char *page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return *(volatile char *)page;
}

static int end_group_from_thread(void)
{
	for (int i = 0; i < 10; i++)
		thread(sleep_on);
	thread(group_from_thread);
	return *(int *)sleep_on(NULL);
}

static int end_leader_first(void)
{
	thread(end_later);
	thread_end(1);
	return 0;
}

static int end_killed_threads(void)
{
	for (int i = 0; i < 10; i++)
		thread(sleep_on);
	usleep(1000);
	return raise(SIGKILL);
}

static int end_exec_from_thread(void)
{
	for (int i = 0; i < 3; i++)
		thread(sleep_on);
	thread(exec_from_thread);
	return *(int *)sleep_on(NULL);
}

static int end_user(void)
{
	return setgid(12345) || setuid(65534) ? 1 : 17;
}

static const struct {
	const char *name;
	int (*end)(void);
	int status;
	uint32_t uid, gid;
} ways[] = {
	{"exit(0)", end_zero, 0, 0, 0},
	{"exit(3)", end_code, 3 << 8, 0, 0},
	{"exit code of more than a byte", end_code_wide, 7 << 8, 0, 0},
	{"SIGKILL", end_kill, SIGKILL, 0, 0},
	{"SIGTERM", end_term, SIGTERM, 0, 0},
	{"SIGABRT", end_abort, SIGABRT, 0, 0},
	{"SIGSEGV", end_fault, SIGSEGV, 0, 0},
	{"exit_group in a thread", end_group_from_thread, 42 << 8, 0, 0},
	{"the leader before its thread", end_leader_first, -1, 0, 0},
	{"SIGKILL with threads", end_killed_threads, SIGKILL, 0, 0},
	{"exec in a thread", end_exec_from_thread, 9 << 8, 0, 0},
	{"another user", end_user, 17 << 8, 65534, 12345},
};

static void ways_check(void)
{
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		const char *name = ways[i].name;
		const Rollcall__Event *fork_ev, *ev;
		int status = -1;
		pid_t pid = witness_run(ways[i].end, &status);

		witness_settle();
		check_number(name, "exit events", witness_count(KIND_EXIT, pid), 1);
		fork_ev = witness_event(KIND_FORK, pid, 0);
		ev = witness_event(KIND_EXIT, pid, 0);
		if (!ev || !fork_ev)
			continue;
		/* Bit 7: whether a core was written is this machine's setting. */
		if (ways[i].status >= 0)
			check_number(name, "the test's own status", status & ~0x80, ways[i].status);
		check_number(name, "exit_code", ev->exit->exit_code, status);
		check_number(name, "ppid", ev->exit->task->ppid, getpid());
		check_number(name, "uid", ev->exit->task->uid, ways[i].uid);
		check_number(name, "gid", ev->exit->task->gid, ways[i].gid);
		check_number(name, "start_time", ev->exit->task->start_time,
			     fork_ev->fork->task->start_time);
		check(name, "time", ev->time > fork_ev->time);
		check(name, "process", ev->process && ev->process->pid == (uint32_t)pid);
		check_number(name, "process uid", ev->process ? ev->process->uid : ~0u,
			     ways[i].uid);
		check_number(name, "process parent",
			     ev->process && ev->process->parent ? ev->process->parent->pid : 0,
			     getpid());
	}
}

/* ---- two threads that end at once ---- */

static atomic_int ready;

static void meet(void)
{
	atomic_fetch_add(&ready, 1);
	while (atomic_load(&ready) < 2)
		sched_yield();
}

static void *race_thread(void *arg)
{
	(void)arg;
	meet();
	thread_end(4);
	return NULL;
}

static int race(void)
{
	thread(race_thread);
	meet();
	thread_end(3);
	return 0;
}

static void races_check(void)
{
	unsigned twice = 0, wrong = 0;

	for (int i = 0; i < RACES; i++) {
		int status = -1;
		pid_t pid = witness_run(race, &status);
		const Rollcall__Event *ev = witness_event(KIND_EXIT, pid, 0);

		wrong += !ev || ev->exit->exit_code != (uint32_t)status;
		/* A second event, too, is there when the next process has come and gone. */
		witness_settle();
		twice += witness_count(KIND_EXIT, pid) != 1;
	}
	check_number("race", "processes with another status than wait's", wrong, 0);
	check_number("race", "processes that exit twice", twice, 0);
}

/* ---- a child in its parent's memory ---- */

static void vfork_check(void)
{
	const Rollcall__Event *ev;
	int status = -1;
	pid_t pid;

	witness_reset();
	pid = vfork();
	if (!pid)
		_exit(11);
	waitpid(pid, &status, 0);
	ev = witness_wait(KIND_EXIT, pid, 1);
	check_number("vfork", "exit_code", ev ? ev->exit->exit_code : ~0u, status);
	check_number("vfork", "status", status, 11 << 8);
}

int main(void)
{
	if (!witness_open("exit"))
		return 1;
	ways_check();
	vfork_check();
	races_check();
	return witness_close();
}
