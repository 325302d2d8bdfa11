// links: tests/kernel/support/*.c user/sensor/{probe,probe_map,probe_pins,probe_report,probe_server,host,pins,uprobe,uprobe_ahead,discover,choice,guard,ladder,syscall,trial,kernel_types,verify,sandbox,elf,proctab,*_offsets}.c
// SPDX-License-Identifier: Apache-2.0
// Takes names of kernel threads in every way there is; other names make no event.
#include <fcntl.h>
#include <pthread.h>
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

#define KIND_DISGUISE ROLLCALL__EVENT__KIND_DISGUISE
#define PROGRAM	      "/usr/bin/true"

static char dir[64], self[4096];
static pid_t *tid; /* of the thread that was renamed, by the child */

static const char *name_now;

static int by_prctl(void)
{
	*tid = getpid();
	return prctl(PR_SET_NAME, name_now);
}

static int comm_write(const char *path)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	*tid = getpid();
	return write(fd, name_now, strlen(name_now)) < 0;
}

static int by_proc(void)
{
	return comm_write("/proc/self/comm");
}

static void *thread_rename(void *arg)
{
	*tid = (pid_t)syscall(SYS_gettid);
	prctl(PR_SET_NAME, name_now);
	return arg;
}

static int by_thread(void)
{
	pthread_t id;

	return pthread_create(&id, NULL, thread_rename, NULL) || pthread_join(id, NULL);
}

static void *first_rename(void *arg)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/task/%d/comm", getpid());
	return comm_write(path) ? NULL : arg;
}

/* By another thread of the process: who writes is not who is named. */
static int by_other_thread(void)
{
	pthread_t id;
	void *done = NULL;

	return pthread_create(&id, NULL, first_rename, dir) || pthread_join(id, &done) || !done;
}

/* A file of that name, executed. */
static int by_exec(void)
{
	char path[128];

	*tid = getpid();
	snprintf(path, sizeof(path), "%s/%s", dir, name_now);
	return execl(path, "x", NULL);
}

/* clang-format off */
static const struct {
	const char *name, *comm;
	int (*go)(void);
	bool plain; /* no disguise */
} ways[] = {
	{ "prctl, brackets", "[kworker/0:1]", by_prctl, false },
	{ "prctl, no brackets", "kworker/u8:3", by_prctl, false },
	{ "prctl, cut", "[kworker/u16:0-events]", by_prctl, false },
	{ "/proc/self/comm", "kthreadd", by_proc, false },
	{ "prctl in a thread", "[rcu_sched]", by_thread, false },
	{ "/proc/self/task/TID/comm", "ksoftirqd/0", by_other_thread, false },
	{ "exec of a file so called", "[migration]", by_exec, false },
	{ "prctl, a plain name", "worker", by_prctl, true },
	{ "prctl, test(1)", "[", by_prctl, true },
	{ "prctl, brackets inside", "a[kworker]", by_prctl, true },
	{ "prctl, nearly", "kworke", by_prctl, true },
	{ "exec of a plain file", "plain", by_exec, true },
};
/* clang-format on */

static void event_check(const char *name, const Rollcall__Event *ev, pid_t pid, size_t way)
{
	const Rollcall__Disguise *d = ev ? ev->disguise : NULL;
	bool exec = ways[way].go == by_exec;
	char comm[16], exe[128];

	check(name, "event", d != NULL);
	if (!d)
		return;
	snprintf(comm, sizeof(comm), "%s", ways[way].comm);
	snprintf(exe, sizeof(exe), "%s/%s", dir, ways[way].comm);
	check_string(name, "comm", d->comm, comm);
	check_string(name, "former", d->former, "disguise");
	check_string(name, "exe", d->exe, exec ? exe : self);
	check_number(name, "tgid", d->task->tgid, (uint64_t)pid);
	check_number(name, "tid", d->task->tid, (uint64_t)*tid);
	check_number(name, "ppid", d->task->ppid, (uint64_t)getpid());
	check_number(name, "uid", d->task->uid, getuid());
	check_number(name, "process", ev->process ? ev->process->pid : 0, (uint64_t)pid);
}

static void ways_check(void)
{
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		const char *name = ways[i].name;
		unsigned n;
		int status = -1;
		pid_t pid;

		name_now = ways[i].comm;
		pid = witness_run(ways[i].go, &status);
		n = witness_count(KIND_DISGUISE, pid);
		check_number(name, "status of the child", (uint64_t)status, 0);
		check_number(name, "events", n, !ways[i].plain);
		if (ways[i].plain)
			continue;
		event_check(name, witness_event(KIND_DISGUISE, pid, 0), pid, i);
		printf("coverage: disguise | %s | %s | %s\n", name, witness_hook("disguise"),
		       n ? "seen" : "not seen");
	}
}

int main(void)
{
	char command[256];

	strcpy(dir, "/tmp/disguise.XXXXXX");
	tid = mmap(NULL, sizeof(*tid), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (tid == MAP_FAILED || !mkdtemp(dir) || readlink("/proc/self/exe", self, 4095) < 0)
		return 1;
	snprintf(command, sizeof(command),
		 "cd %s && cp " PROGRAM " '[migration]' && cp " PROGRAM " plain", dir);
	if (system(command) || !witness_open("disguise"))
		return 1;
	ways_check();
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	if (system(command))
		perror(dir);
	return witness_close();
}
