// links: tests/kernel/support/*.c user/sensor/{probe,probe_map,probe_pins,probe_report,probe_server,host,pins,uprobe,uprobe_ahead,discover,choice,guard,ladder,syscall,trial,kernel_types,verify,sandbox,elf,proctab,*_offsets}.c
// SPDX-License-Identifier: Apache-2.0
// Learns what runs again and again while other processes execute on the same CPU: an exec that
// interrupts the iterator in the middle of a record must not show in that record. A kernel that
// preempts (preempt=full) is needed to see it fail.
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/support/check.h"
#include "kernel/support/witness.h"

#define ROUNDS 200
#define STORMS 2

static int input[2], started[2]; /* pipes: what it reads; closed when it has executed */

static int go_cat(void)
{
	return dup2(input[0], 0) || close(input[1]) || chdir("/usr/lib") ||
	       execl("/bin/cat", "cat", "-u", "--", NULL);
}

/* Executes on and on. */
static int go_storm(void)
{
	char arg[4000];

	memset(arg, 'x', sizeof(arg) - 1);
	arg[sizeof(arg) - 1] = '\0';
	for (;;) {
		pid_t pid = vfork();

		if (!pid)
			_exit(execl("/bin/true", "true", arg, NULL));
		waitpid(pid, NULL, 0);
	}
}

static bool is_cat(const Rollcall__Event *ev)
{
	return ev && strcmp(ev->exec->exe, "/usr/bin/cat") == 0 &&
	       strcmp(ev->exec->cwd, "/usr/lib") == 0 && strcmp(ev->exec->comm, "cat") == 0 &&
	       ev->exec->args.len == 0 && ev->process && ev->process->n_args == 3;
}

static void rounds_check(pid_t cat)
{
	unsigned rounds = 0, wrong = 0;

	for (; rounds < ROUNDS; rounds++) {
		witness_reset();
		if (witness_seed() < 0)
			break;
		wrong += !is_cat(witness_event(ROLLCALL__EVENT__KIND_EXEC, cat, 0));
	}
	check_number("storm", "rounds", rounds, ROUNDS);
	check_number("storm", "records with parts of another", wrong, 0);
}

int main(void)
{
	pid_t cat, storms[STORMS];
	cpu_set_t one;
	char eof;

	if (pipe(input) || pipe2(started, O_CLOEXEC))
		return 1;
	cat = witness_fork(go_cat);
	close(started[1]);
	check("cat", "executed", read(started[0], &eof, 1) == 0);
	if (!witness_open("seed"))
		return 1;
	CPU_ZERO(&one);
	CPU_SET((unsigned)sched_getcpu(), &one);
	check("storm", "one CPU", sched_setaffinity(0, sizeof(one), &one) == 0);
	for (unsigned i = 0; i < STORMS; i++)
		storms[i] = witness_fork(go_storm);
	rounds_check(cat);
	for (unsigned i = 0; i < STORMS; i++) {
		kill(storms[i], SIGKILL);
		waitpid(storms[i], NULL, 0);
	}
	close(input[1]);
	waitpid(cat, NULL, 0);
	return witness_close();
}
