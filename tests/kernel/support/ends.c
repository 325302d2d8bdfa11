// SPDX-License-Identifier: Apache-2.0
// Checks of addresses against the sockets' own.
#include "kernel/support/ends.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kernel/support/check.h"

socklen_t ends_address(union address *a, const char *text, uint16_t port)
{
	memset(a, 0, sizeof(*a));
	if (strchr(text, ':')) {
		a->v6.sin6_family = AF_INET6;
		a->v6.sin6_port = htons(port);
		inet_pton(AF_INET6, text, &a->v6.sin6_addr);
		return sizeof(a->v6);
	}
	a->v4.sin_family = AF_INET;
	a->v4.sin_port = htons(port);
	inet_pton(AF_INET, text, &a->v4.sin_addr);
	return sizeof(a->v4);
}

union address ends_local(int fd)
{
	union address a = {};
	socklen_t n = sizeof(a);

	getsockname(fd, &a.any, &n);
	return a;
}

union address ends_peer(int fd)
{
	union address a = {};
	socklen_t n = sizeof(a);

	getpeername(fd, &a.any, &n);
	return a;
}

void ends_check(const char *test, const char *what, const Rollcall__Endpoint *e,
		const union address *want)
{
	char text[INET6_ADDRSTRLEN], full[INET6_ADDRSTRLEN + 2];
	bool v6 = want->any.sa_family == AF_INET6, mapped = false;

	if (v6)
		inet_ntop(AF_INET6, &want->v6.sin6_addr, text, sizeof(text));
	else
		inet_ntop(AF_INET, &want->v4.sin_addr, text, sizeof(text));
	mapped = strncmp(text, "::ffff:", 7) == 0;
	snprintf(full, sizeof(full), v6 && !mapped ? "[%s]" : "%s", mapped ? text + 7 : text);
	check(test, what, e != NULL);
	if (!e)
		return;
	check_string(test, what, e->address, full);
	check_number(test, what, e->port, ntohs(v6 ? want->v6.sin6_port : want->v4.sin_port));
}

void ends_check_task(const char *test, const Rollcall__Task *task, pid_t pid)
{
	check(test, "task", task != NULL);
	if (!task)
		return;
	check_number(test, "tgid", task->tgid, (uint64_t)pid);
	check_number(test, "ppid", task->ppid, (uint64_t)(pid == getpid() ? getppid() : getpid()));
	check_number(test, "uid", task->uid, getuid());
	check_number(test, "gid", task->gid, getgid());
	check(test, "start time", task->start_time != 0);
}

void ends_coverage(const char *event, const char *way, const char *hook, bool seen)
{
	printf("coverage: %s | %s | %s | %s\n", event, way, hook, seen ? "seen" : "not seen");
}
