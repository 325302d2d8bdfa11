// links: tests/kernel/support/*.c user/sensor/{probe,probe_map,probe_pins,probe_report,probe_server,host,pins,uprobe,uprobe_ahead,discover,choice,guard,ladder,syscall,trial,kernel_types,verify,sandbox,elf,proctab,*_offsets}.c
// SPDX-License-Identifier: Apache-2.0
// TCP connections of a child that do not come about: refused, not answered, given up, without a
// route. One event each, with the errno that the child got.
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/support/check.h"
#include "kernel/support/ends.h"
#include "kernel/support/way.h"
#include "kernel/support/witness.h"

#define CONNECT ROLLCALL__EVENT__KIND_TCP_CONNECT

/* Shared with the child. */
static struct run {
	union address target, remote;
	const char *address; /* of the target, as text */
	socklen_t n;
} * run;

static int stream(void)
{
	return socket(run->target.any.sa_family, SOCK_STREAM, 0);
}

/* A port that nobody listens on, and nobody else can take. */
static void reserve(void)
{
	int fd = stream();

	bind(fd, &run->target.any, run->n);
	run->remote = ends_local(fd);
}

static int fail_refused(void)
{
	reserve();
	return connect(stream(), &run->remote.any, run->n) == 0 || errno != ECONNREFUSED;
}

static int fail_refused_later(void)
{
	struct pollfd p = {.fd = stream(), .events = POLLOUT};
	socklen_t size = sizeof(int);
	int e = 0;

	reserve();
	fcntl(p.fd, F_SETFL, O_NONBLOCK);
	if (connect(p.fd, &run->remote.any, run->n) == 0 || errno != EINPROGRESS)
		return 1;
	poll(&p, 1, -1);
	return getsockopt(p.fd, SOL_SOCKET, SO_ERROR, &e, &size) || e != ECONNREFUSED;
}

/* The same socket again: two attempts, two events. */
static int fail_refused_twice(void)
{
	int fd = stream();

	reserve();
	connect(fd, &run->remote.any, run->n);
	return connect(fd, &run->remote.any, run->n) == 0 || errno != ECONNREFUSED;
}

/* A listener whose queue is full drops a SYN and says nothing. */
static int unanswered(void)
{
	int l = stream(), one = 1;

	bind(l, &run->target.any, run->n);
	listen(l, 0);
	run->remote = ends_local(l);
	connect(stream(), &run->remote.any, run->n);
	l = stream();
	setsockopt(l, IPPROTO_TCP, TCP_SYNCNT, &one, sizeof(one));
	return l;
}

static int fail_timed_out(void)
{
	return connect(unanswered(), &run->remote.any, run->n) == 0 || errno != ETIMEDOUT;
}

static int fail_abandoned(void)
{
	int fd = unanswered();

	fcntl(fd, F_SETFL, O_NONBLOCK);
	if (connect(fd, &run->remote.any, run->n) == 0 || errno != EINPROGRESS)
		return 1;
	close(fd);
	return 0;
}

/* A second connection with the same four numbers. */
static int fail_no_address(void)
{
	int l = stream(), fds[2] = {stream(), stream()}, one = 1;
	union address local = run->target;

	bind(l, &run->target.any, run->n);
	listen(l, 5);
	run->remote = ends_local(l);
	for (int i = 0; i < 2; i++) {
		setsockopt(fds[i], SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		if (bind(fds[i], &local.any, run->n))
			return 2;
		local = ends_local(fds[i]);
	}
	if (connect(fds[0], &run->remote.any, run->n))
		return 3;
	return connect(fds[1], &run->remote.any, run->n) == 0 || errno != EADDRNOTAVAIL;
}

/* A network namespace of its own has no route to anywhere, and no IPv6 address to begin from. */

static int fail_no_route(void)
{
	run->remote = run->target;
	return unshare(CLONE_NEWNET) || connect(stream(), &run->remote.any, run->n) == 0 ||
	       errno != (strncmp("2001:", run->address, 5) ? ENETUNREACH : EADDRNOTAVAIL);
}

static int fail_no_route_i386(void)
{
	run->remote = run->target;
	return unshare(CLONE_NEWNET) ||
	       way_i386(362, (long[6]){stream(), way_low(&run->remote, run->n), run->n}) !=
		       -ENETUNREACH;
}

static int fail_no_route_uring(void)
{
	run->remote = run->target;
	return unshare(CLONE_NEWNET) || way_uring(&(struct io_uring_sqe){
						.opcode = IORING_OP_CONNECT,
						.fd = stream(),
						.addr = (uint64_t)&run->remote,
						.off = run->n,
					}) != -ENETUNREACH;
}

static bool always(void)
{
	return true;
}

static const struct test {
	const char *name, *address;
	int (*go)(void);
	bool (*possible)(void);
	unsigned nth; /* of the connect events, from 0 */
	Rollcall__ConnectResult result;
	uint32_t error;
	bool in_progress, unsent;
	bool fallback_blind;
} tests[] = {
	{"refused", "127.0.0.1", fail_refused, always, 0, ROLLCALL__CONNECT_RESULT__refused,
	 ECONNREFUSED, false, false, false},
	{"refused, IPv6", "::1", fail_refused, always, 0, ROLLCALL__CONNECT_RESULT__refused,
	 ECONNREFUSED, false, false, false},
	{"refused, v4-mapped", "::ffff:127.0.0.1", fail_refused, always, 0,
	 ROLLCALL__CONNECT_RESULT__refused, ECONNREFUSED, false, false, false},
	{"refused, non-blocking", "127.0.0.1", fail_refused_later, always, 0,
	 ROLLCALL__CONNECT_RESULT__refused, ECONNREFUSED, true, false, false},
	{"refused twice", "127.0.0.1", fail_refused_twice, always, 1,
	 ROLLCALL__CONNECT_RESULT__refused, ECONNREFUSED, false, false, false},
	{"timed out", "127.0.0.1", fail_timed_out, always, 1, ROLLCALL__CONNECT_RESULT__timed_out,
	 ETIMEDOUT, false, false, false},
	{"abandoned", "127.0.0.1", fail_abandoned, always, 1, ROLLCALL__CONNECT_RESULT__abandoned,
	 0, true, false, false},
	{"no local address left", "127.0.0.1", fail_no_address, always, 1,
	 ROLLCALL__CONNECT_RESULT__not_connected, EADDRNOTAVAIL, false, true, false},
	{"no local address left, IPv6", "::1", fail_no_address, always, 1,
	 ROLLCALL__CONNECT_RESULT__not_connected, EADDRNOTAVAIL, false, true, false},
	{"no route", "192.0.2.1", fail_no_route, always, 0, ROLLCALL__CONNECT_RESULT__unreachable,
	 ENETUNREACH, false, true, false},
	{"no route, IPv6", "2001:db8::1", fail_no_route, always, 0,
	 ROLLCALL__CONNECT_RESULT__not_connected, EADDRNOTAVAIL, false, true, false},
	{"no route, v4-mapped", "::ffff:192.0.2.1", fail_no_route, always, 0,
	 ROLLCALL__CONNECT_RESULT__unreachable, ENETUNREACH, false, true, false},
	{"no route, 32-bit", "192.0.2.1", fail_no_route_i386, way_has_i386, 0,
	 ROLLCALL__CONNECT_RESULT__unreachable, ENETUNREACH, false, true, false},
	{"no route, io_uring", "192.0.2.1", fail_no_route_uring, way_has_uring, 0,
	 ROLLCALL__CONNECT_RESULT__unreachable, ENETUNREACH, false, true, true},
};

static void event_check(const struct test *test, const Rollcall__Event *ev, pid_t pid)
{
	const Rollcall__TcpConnect *e;

	check(test->name, "event", ev != NULL);
	if (!ev)
		return;
	e = ev->tcp_connect;
	ends_check_task(test->name, e->task, pid);
	ends_check(test->name, "remote", e->remote, &run->remote);
	check_number(test->name, "result", e->result, test->result);
	check_number(test->name, "error", e->error, test->error);
	check_number(test->name, "in progress", e->in_progress, test->in_progress);
	check_number(test->name, "duration", e->duration == 0, test->unsent);
}

static void test_run(const struct test *test)
{
	bool seen = !test->fallback_blind || !strstr(witness_hook("tcp_unsent"), "sys_exit");
	int status;
	pid_t pid;

	run->address = test->address;
	run->n = ends_address(&run->target, test->address, test->unsent && !test->nth ? 443 : 0);
	pid = witness_run(test->go, &status);
	check_number(test->name, "child", (uint64_t)status, 0);
	if (seen)
		event_check(test, witness_wait(CONNECT, pid, test->nth + 1), pid);
	check_number(test->name, "events", witness_count(CONNECT, pid), seen ? test->nth + 1 : 0);
	ends_coverage("tcp_connect", test->name,
		      witness_hook(test->unsent ? "tcp_unsent" : "tcp_state"), seen);
}

int main(void)
{
	run = mmap(NULL, sizeof(*run), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (run == MAP_FAILED || !witness_open("tcp_failed"))
		return 1;
	for (size_t i = 0; i < sizeof(tests) / sizeof(*tests); i++)
		if (tests[i].possible())
			test_run(&tests[i]);
	return witness_close();
}
