// links: tests/kernel/support/*.c user/sensor/{probe,probe_map,probe_pins,probe_report,probe_server,host,pins,uprobe,uprobe_ahead,discover,choice,guard,ladder,syscall,trial,kernel_types,verify,sandbox,elf,proctab,*_offsets}.c
// SPDX-License-Identifier: Apache-2.0
// A hundred thousand short processes, made in every way: each is told once at birth and once at
// its end, with wait(2)'s status; none is lost; the table keeps its bound and forgets nobody who
// runs. And a process number that is used again by somebody else.
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <malloc.h>
#include <pthread.h>
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
#include "sensor/proctab.h"

#define KIND_EXIT ROLLCALL__EVENT__KIND_EXIT
#define KIND_EXEC ROLLCALL__EVENT__KIND_EXEC
#define KIND_FORK ROLLCALL__EVENT__KIND_FORK
#define PROGRAM	  "/usr/bin/true"
#define PROCESSES 100000 /* or as the environment says: an emulated guest is slow */
#define BATCH	  200
#define TABLE_MAX 32768	      /* witness_open's */
#define ARENA_MAX (32u << 20) /* what the witness itself may take, for the events of a batch */

/*
 * Told by the generator: a child of this test, so that its children need not copy the pages by
 * which the rings are mapped here. What it made, by its own count and by wait(2).
 */
static struct batch {
	unsigned expected, n, executed;
	struct ended {
		pid_t pid;
		int status;
	} ended[2 * BATCH];
} * batch;

static pid_t *inside; /* told by processes of a container: their numbers outside */

static int order[2], done[2]; /* pipes, a byte a batch */
static unsigned processes, executed, wanted = PROCESSES;

static struct {
	uint64_t not_born, not_ended, twice, status, unknown, executed;
} wrong;

static void *thread_exec(void *arg)
{
	execl(PROGRAM, "true", NULL);
	return arg;
}

static int child_exec(void)
{
	return execl(PROGRAM, "true", NULL);
}

static int child_thread_exec(void)
{
	pthread_t id;

	return pthread_create(&id, NULL, thread_exec, NULL) || pthread_join(id, NULL) || 1;
}

/* Its child outlives it, and is given to this test, the reaper. */
static int child_twice(void)
{
	pid_t pid = fork();

	if (!pid)
		_exit(7);
	return pid < 0;
}

/* The first process of a pid namespace, as a container has it. */
static int child_container(void)
{
	int status = 0;
	pid_t pid;

	if (unshare(CLONE_NEWPID))
		return 1;
	pid = fork();
	if (!pid)
		_exit(getpid() == 1 ? 9 : 1);
	return waitpid(pid, &status, 0) != pid || status != 9 << 8;
}

static const struct {
	int (*go)(void); /* NULL: ends at once */
	unsigned every, executed;
	unsigned waited; /* processes that this test waits for */
} kinds[] = {
	{child_thread_exec, 200, 1, 1},
	{child_container, 100, 0, 1},
	{child_twice, 25, 0, 2},
	{child_exec, 40, 1, 1},
	{NULL, 1, 0, 1},
};

static pid_t vfork_end(int code)
{
	pid_t pid = vfork();

	if (!pid)
		_exit(code);
	return pid;
}

/* The i-th; the number of processes to wait for. */
static unsigned start(unsigned i)
{
	unsigned k = 0;
	pid_t pid;

	while (i % kinds[k].every)
		k++;
	pid = i % 2 || kinds[k].go ? fork() : vfork_end((int)(i & 0xff));
	if (!pid)
		_exit(kinds[k].go ? kinds[k].go() : (int)(i & 0xff));
	if (pid < 0)
		return 0;
	batch->executed += kinds[k].executed;
	return kinds[k].waited;
}

static void ended_check(const struct ended *e)
{
	const Rollcall__Event *ev = witness_event(KIND_EXIT, e->pid, 0);

	wrong.not_born += !witness_event(KIND_FORK, e->pid, 0);
	wrong.not_ended += !ev;
	wrong.twice += witness_event(KIND_FORK, e->pid, 1) || witness_event(KIND_EXIT, e->pid, 1);
	if (!ev)
		return;
	wrong.status += ev->exit->exit_code != (uint32_t)e->status;
	wrong.unknown += !ev->process || !ev->process->parent ||
			 ev->process->start_time != ev->exit->task->start_time;
	wrong.executed += witness_event(KIND_EXEC, e->pid, 0) != NULL;
}

static void generate(void)
{
	struct batch *g = batch;

	g->expected = g->n = g->executed = 0;
	for (unsigned i = 0; i < BATCH; i++)
		g->expected += start(i);
	/* The sleeper is a child, too, and does not end. */
	while (g->n < g->expected && (g->ended[g->n].pid = wait(&g->ended[g->n].status)) > 0)
		g->n++;
}

static pid_t sleeper_start(void)
{
	pid_t pid = fork();

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pause();
	}
	return pid;
}

/* Ends with this test, when nobody has the pipe open for writing. */
static pid_t generator_start(pid_t *ret_sleeper)
{
	pid_t *sleeper = ret_sleeper, pid = fork();
	char c;

	if (pid)
		return pid;
	close(order[1]);
	if (prctl(PR_SET_CHILD_SUBREAPER, 1))
		_exit(1);
	*sleeper = sleeper_start();
	do {
		if (write(done[1], "d", 1) != 1)
			_exit(1);
		if (read(order[0], &c, 1) == 1)
			generate();
		else
			_exit(0);
	} while (true);
}

static void batch_run(void)
{
	char c;

	witness_reset();
	check("batch", "made", write(order[1], "o", 1) == 1 && read(done[0], &c, 1) == 1);
	if (batch->n != batch->expected)
		check_number("batch", "processes waited for", batch->n, batch->expected);
	witness_settle();
	for (unsigned i = 0; i < batch->n; i++)
		ended_check(&batch->ended[i]);
	processes += batch->n;
	executed += batch->executed;
}

static void table_check(size_t before)
{
	struct proctab_counts c;

	witness_counts(&c);
	witness_reset();
	malloc_trim(0);
	printf("table: %u processes, %u ancestors, %llu bytes, %llu evicted\n", c.processes,
	       c.ancestors, (unsigned long long)c.bytes, (unsigned long long)c.evicted);
	if (wanted > 2 * TABLE_MAX)
		check("table", "full", c.processes == TABLE_MAX && c.evicted > wanted / 2);
	check("table", "ancestors", c.processes + c.ancestors <= 2 * TABLE_MAX);
	check("table", "bytes", c.bytes <= (uint64_t)TABLE_MAX * PROCTAB_BYTES_EACH);
	check("table", "memory as malloc counts it",
	      mallinfo2().uordblks <= before + TABLE_MAX * PROCTAB_BYTES_EACH + ARENA_MAX);
}

static void stress(pid_t sleeper)
{
	uint64_t dropped = witness_dropped();
	size_t before = mallinfo2().uordblks;

	while (processes < wanted)
		batch_run();
	check_number("stress", "without a fork event", wrong.not_born, 0);
	check_number("stress", "without an exit event", wrong.not_ended, 0);
	check_number("stress", "told twice", wrong.twice, 0);
	check_number("stress", "with another status than wait's", wrong.status, 0);
	check_number("stress", "ended as nobody's child or as another process", wrong.unknown, 0);
	check_number("stress", "exec events", wrong.executed, executed);
	check_number("stress", "dropped records", witness_dropped() - dropped, 0);
	table_check(before);
	check_string("sleeper", "lineage", witness_lineage(witness_process(sleeper)),
		     "proctab_stress proctab_stress proctab_stress");
}

/* ---- the same number again ---- */

static pid_t fork_as(pid_t pid)
{
	struct clone_args args = {
		.exit_signal = SIGCHLD, .set_tid = (uint64_t)(uintptr_t)&pid, .set_tid_size = 1};

	return (pid_t)syscall(SYS_clone3, &args, sizeof(args));
}

/* Another process may have it for a moment. */
static pid_t fork_again(pid_t pid)
{
	for (int tries = 0; tries < 1000; tries++) {
		pid_t child = fork_as(pid);

		if (child >= 0 || errno != EEXIST)
			return child;
		usleep(1000);
	}
	return -1;
}

static void reuse_check(void)
{
	const Rollcall__Event *first, *second, *second_fork;
	pid_t pid, again;

	witness_reset();
	pid = witness_fork(child_exec);
	waitpid(pid, NULL, 0);
	again = fork_again(pid);
	if (!again)
		_exit(3);
	waitpid(again, NULL, 0);
	check_number("reuse", "the same number", (uint64_t)again, (uint64_t)pid);
	second = witness_wait(KIND_EXIT, pid, 2);
	first = witness_event(KIND_EXIT, pid, 0);
	second_fork = witness_event(KIND_FORK, pid, 1);
	check("reuse", "events", first && second && second_fork);
	if (!first || !second || !second_fork)
		return;
	check_number("reuse", "exec events", witness_count(KIND_EXEC, pid), 1);
	check_string("reuse", "first", witness_lineage(first->process), "true proctab_stress");
	check_string("reuse", "second", witness_lineage(second->process),
		     "proctab_stress proctab_stress");
	check("reuse", "ids differ", strcmp(first->process->id, second->process->id) != 0);
	check_string("reuse", "born as", second_fork->process->id, second->process->id);
	check_number("reuse", "exit_code", second->exit->exit_code, 3 << 8);
}

/* ---- the same number again inside a container, whose numbers are not the host's ---- */

/* The host's number of this process: /proc is the host's. */
static pid_t number_outside(void)
{
	char link[16] = "";

	return readlink("/proc/self", link, sizeof(link) - 1) > 0 ? atoi(link) : -1;
}

/* A child of a container's first process that is number 2 there; ends with 10 + i. */
static int container_child(int i)
{
	int fd = open("/proc/sys/kernel/ns_last_pid", O_WRONLY), status = -1;
	pid_t pid;

	if (fd < 0 || write(fd, "1", 1) != 1)
		return 1;
	close(fd);
	pid = fork();
	if (!pid) {
		inside[i] = number_outside();
		_exit(10 + i);
	}
	return pid != 2 || waitpid(pid, &status, 0) != pid || status != (10 + i) << 8;
}

static int container_twice(void)
{
	int status = -1;
	pid_t pid;

	if (unshare(CLONE_NEWPID))
		return 1;
	pid = fork();
	if (!pid)
		_exit(container_child(0) || container_child(1));
	return waitpid(pid, &status, 0) != pid || status;
}

static void container_check(void)
{
	int status = -1;

	witness_run(container_twice, &status);
	check_number("container", "twice number 2", (uint64_t)status, 0);
	check("container", "two processes outside", inside[0] > 0 && inside[0] != inside[1]);
	for (int i = 0; i < 2; i++) {
		const Rollcall__Event *ev = witness_wait(KIND_EXIT, inside[i], 1);

		check("container", "exit event", ev != NULL);
		if (!ev)
			continue;
		check_number("container", "fork events", witness_count(KIND_FORK, inside[i]), 1);
		check_number("container", "exit_code", ev->exit->exit_code,
			     (uint64_t)(10 + i) << 8);
		check_string("container", "lineage", witness_lineage(ev->process),
			     "proctab_stress proctab_stress proctab_stress proctab_stress");
	}
}

int main(void)
{
	pid_t *sleeper, generator;
	char c;

	if (getenv("PROCESSES"))
		wanted = (unsigned)atoi(getenv("PROCESSES"));
	batch = mmap(NULL, sizeof(*batch) + 3 * sizeof(*sleeper), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (batch == MAP_FAILED || pipe2(order, O_CLOEXEC) || pipe2(done, O_CLOEXEC))
		return 1;
	sleeper = (pid_t *)(batch + 1);
	inside = sleeper + 1;
	generator = generator_start(sleeper);
	if (read(done[0], &c, 1) != 1 || !witness_open("proctab_stress"))
		return 1;
	reuse_check();
	container_check();
	stress(*sleeper);
	kill(*sleeper, SIGKILL);
	close(order[1]);
	waitpid(generator, NULL, 0);
	return witness_close();
}
