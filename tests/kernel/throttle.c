// links: tests/kernel/support/*.c user/sensor/{probe,probe_map,probe_pins,probe_report,probe_server,host,pins,uprobe,uprobe_ahead,discover,choice,guard,ladder,syscall,trial,kernel_types,verify,sandbox,elf,proctab,*_offsets}.c
// SPDX-License-Identifier: Apache-2.0
// A session that floods is throttled, and it is said; what it executes is still told, nothing of
// what was held back is uncounted, and another session is not touched. A kind that is shed is
// counted and not told, whoever does it; other kinds are.
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/support/check.h"
#include "kernel/support/ends.h"
#include "kernel/support/tree.h"
#include "kernel/support/witness.h"

#define CHANGE	 ROLLCALL__EVENT__KIND_FILE_CHANGE
#define THROTTLE ROLLCALL__EVENT__KIND_THROTTLE
#define LIMIT	 500
#define CALLS	 20000

static int flood(void)
{
	int fd;

	if (setsid() < 0)
		return 1;
	fd = open(tree_at("www/a"), O_RDONLY | O_CLOEXEC);
	for (int i = 0; i < CALLS; i++)
		if (fchmod(fd, 0600))
			return 2;
	return execl("/bin/true", "true", NULL);
}

static int little(void)
{
	int fd = open(tree_at("www/a"), O_RDONLY | O_CLOEXEC);

	return setsid() < 0 || fchmod(fd, 0644);
}

static void flood_check(void)
{
	const Rollcall__Event *ev;
	uint64_t before = witness_counted("file_change").throttled, held;
	int status;
	pid_t pid = witness_run(flood, &status);

	check_number("flood", "child", (uint64_t)status, 0);
	ev = witness_wait(THROTTLE, pid, 1);
	ends_coverage("throttle", "flood of one session", witness_hook("file_mode"), ev);
	check_number("flood", "begins once", witness_count(THROTTLE, pid), 1);
	if (ev) {
		check_number("flood", "tid", ev->throttle->task->tid, (uint64_t)pid);
		check("flood", "start time", ev->throttle->task->start_time);
		check_number("flood", "session", ev->throttle->session, (uint64_t)pid);
		check_number("flood", "limit", ev->throttle->limit, LIMIT);
		check_number("flood", "ended", ev->throttle->ended, 0);
	}
	held = witness_counted("file_change").throttled - before;
	check("flood", "some are held back", held > 0);
	check_number("flood", "told + held back", witness_count(CHANGE, pid) + held, CALLS);
	check_number("flood", "its exec", witness_count(ROLLCALL__EVENT__KIND_EXEC, pid), 1);
	check_number("flood", "its exit", witness_count(ROLLCALL__EVENT__KIND_EXIT, pid), 1);
}

static void shed_check(void)
{
	uint32_t kind = CHANGE, shed = 1;
	uint64_t before = witness_counted("file_change").throttled;
	int status;
	pid_t pid;

	check("shed", "set", witness_watch("bulk_shed", &kind, &shed) == 0);
	pid = witness_run(flood, &status);
	check_number("shed", "child", (uint64_t)status, 0);
	check_number("shed", "its exec", witness_count(ROLLCALL__EVENT__KIND_EXEC, pid), 1);
	check_number("shed", "not told", witness_count(CHANGE, pid), 0);
	check_number("shed", "all are counted", witness_counted("file_change").throttled - before,
		     CALLS);
	shed = 0;
	check("shed", "no more", witness_watch("bulk_shed", &kind, &shed) == 0);
	pid = witness_run(little, &status);
	check_number("shed", "told again", witness_count(CHANGE, pid), 1);
}

int main(void)
{
	uint32_t zero = 0, limit = LIMIT;
	int status;
	pid_t pid;

	if (!tree_open("throttle"))
		return 1;
	check("limit", "set", witness_watch("bulk_limit", &zero, &limit) == 0);
	flood_check();
	pid = witness_run(little, &status);
	check_number("another", "child", (uint64_t)status, 0);
	check_number("another", "is told", witness_count(CHANGE, pid), 1);
	check_number("another", "is not throttled", witness_count(THROTTLE, pid), 0);
	limit = 0;
	check("limit", "off", witness_watch("bulk_limit", &zero, &limit) == 0);
	pid = witness_run(flood, &status);
	check_number("no limit", "all are told", witness_count(CHANGE, pid), CALLS);
	shed_check();
	return tree_close();
}
