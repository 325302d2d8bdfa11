// links: tests/kernel/support/*.c user/sensor/{probe,probe_map,probe_pins,probe_report,probe_server,host,pins,uprobe,uprobe_ahead,discover,choice,guard,ladder,syscall,trial,kernel_types,verify,sandbox,elf,proctab,*_offsets}.c
// SPDX-License-Identifier: Apache-2.0
// What an Exec event tells of descriptors 0, 1 and 2: every kind there is, and the addresses of a
// socket, which is how a reverse shell is known.
#include <arpa/inet.h>
#include <fcntl.h>
#include <pty.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel/support/check.h"
#include "kernel/support/execute.h"
#include "kernel/support/witness.h"

#define PROGRAM "/usr/bin/true"

static int stdio[3]; /* what the child gets; -1: closed */

static int go_stdio(void)
{
	for (int i = 0; i < 3; i++)
		if (stdio[i] < 0 ? close(i) : dup2(stdio[i], i) < 0)
			return 1;
	return execl(PROGRAM, "true", NULL);
}

static void stdio_check(const char *name, const Rollcall__Stdio *got, int fd, Rollcall__FdKind kind)
{
	struct stat st = {};

	check(name, "told", got != NULL);
	if (!got)
		return;
	if (fd >= 0)
		fstat(fd, &st);
	check_number(name, "kind", got->kind, kind);
	check_number(name, "ino", got->ino, st.st_ino);
	if (kind != ROLLCALL__FD_KIND__fd_socket)
		check_number(name, "family", got->socket ? got->socket->family : 0, 0);
}

static void kinds_check(void)
{
	int pipes[2], tty, master, null = open("/dev/null", O_RDWR);
	int zero = open("/dev/zero", O_RDWR), file = open(PROGRAM, O_RDONLY);
	int folder = open("/", O_RDONLY);
	const Rollcall__Exec *e;

	check("kinds", "made", pipe(pipes) == 0 && openpty(&master, &tty, NULL, NULL, NULL) == 0);
	memcpy(stdio, (int[]){pipes[0], tty, -1}, sizeof(stdio));
	e = execute_run("pipe, terminal, closed", go_stdio);
	stdio_check("pipe", e ? e->input : NULL, pipes[0], ROLLCALL__FD_KIND__fd_pipe);
	stdio_check("terminal", e ? e->output : NULL, tty, ROLLCALL__FD_KIND__fd_tty);
	stdio_check("closed", e ? e->errors : NULL, -1, ROLLCALL__FD_KIND__FD_KIND_UNSPECIFIED);
	memcpy(stdio, (int[]){null, zero, file}, sizeof(stdio));
	e = execute_run("null, device, file", go_stdio);
	stdio_check("null", e ? e->input : NULL, null, ROLLCALL__FD_KIND__fd_null);
	stdio_check("device", e ? e->output : NULL, zero, ROLLCALL__FD_KIND__fd_other);
	stdio_check("file", e ? e->errors : NULL, file, ROLLCALL__FD_KIND__fd_file);
	memcpy(stdio, (int[]){folder, pipes[1], pipes[1]}, sizeof(stdio));
	e = execute_run("directory", go_stdio);
	stdio_check("directory", e ? e->input : NULL, folder, ROLLCALL__FD_KIND__fd_other);
	for (int fd = pipes[0]; fd <= folder || fd <= tty; fd++)
		close(fd);
}

/* A connection to this process's own listener; its two ends. */
static bool connection(int family, int type, int ends[2])
{
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr *a = family == AF_INET ? (void *)&v4 : (void *)&v6;
	socklen_t n = family == AF_INET ? sizeof(v4) : sizeof(v6);
	int listener = socket(family, type, 0);

	ends[0] = socket(family, type, 0);
	if (bind(listener, a, n) || getsockname(listener, a, &n) ||
	    (type == SOCK_STREAM && listen(listener, 1)) || connect(ends[0], a, n))
		return false;
	ends[1] = type == SOCK_STREAM ? accept(listener, NULL, NULL) : dup(listener);
	close(listener);
	return ends[1] >= 0;
}

static void address_check(const char *name, const Rollcall__Socket *s, int fd)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} peer = {}, own = {};
	socklen_t n = sizeof(peer);
	uint64_t addr[2] = {};

	check(name, "socket", s != NULL);
	if (!s)
		return;
	check(name, "getpeername", getpeername(fd, &peer.any, &n) == 0);
	n = sizeof(own);
	check(name, "getsockname", getsockname(fd, &own.any, &n) == 0);
	if (peer.any.sa_family == AF_INET6) {
		memcpy(addr, &peer.v6.sin6_addr, 16);
	} else {
		memset((char *)addr + 10, 0xff, 2);
		memcpy((char *)addr + 12, &peer.v4.sin_addr, 4);
	}
	check_number(name, "family", s->family, peer.any.sa_family);
	check_number(name, "remote address, first half", s->addr_hi, addr[0]);
	check_number(name, "remote address, second half", s->addr_lo, addr[1]);
	check_number(name, "remote port", s->remote_port, ntohs(peer.v4.sin_port));
	check_number(name, "local port", s->local_port, ntohs(own.v4.sin_port));
	check(name, "cookie", s->cookie != 0);
}

/* As a reverse shell and as a bind shell have it. */
static void sockets_check(void)
{
	static const struct {
		const char *name;
		int family, type;
	} ways[] = {
		{"TCP, IPv4", AF_INET, SOCK_STREAM},
		{"TCP, IPv6", AF_INET6, SOCK_STREAM},
		{"UDP", AF_INET, SOCK_DGRAM},
	};
	int ends[2];
	const Rollcall__Exec *e;

	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		const char *name = ways[i].name;

		check(name, "connected", connection(ways[i].family, ways[i].type, ends));
		memcpy(stdio, (int[]){ends[0], ends[0], ends[0]}, sizeof(stdio));
		e = execute_run(name, go_stdio);
		stdio_check(name, e ? e->input : NULL, ends[0], ROLLCALL__FD_KIND__fd_socket);
		stdio_check(name, e ? e->errors : NULL, ends[0], ROLLCALL__FD_KIND__fd_socket);
		address_check(name, e ? e->input->socket : NULL, ends[0]);
		address_check(name, e ? e->output->socket : NULL, ends[0]);
		if (ways[i].type == SOCK_STREAM) {
			memcpy(stdio, (int[]){ends[1], ends[1], ends[1]}, sizeof(stdio));
			e = execute_run("TCP, accepted", go_stdio);
			address_check("accepted", e ? e->errors->socket : NULL, ends[1]);
		}
		close(ends[0]);
		close(ends[1]);
	}
	check("unix", "pair", socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
	memcpy(stdio, (int[]){ends[0], ends[0], ends[1]}, sizeof(stdio));
	e = execute_run("unix socket", go_stdio);
	stdio_check("unix", e ? e->input : NULL, ends[0], ROLLCALL__FD_KIND__fd_socket);
	check_number("unix", "family", e ? e->input->socket->family : 0, AF_UNIX);
	check_number("unix", "peer", e ? e->input->socket->peer_tgid : 0, (uint64_t)getpid());
	check_number("unix", "peer's user", e ? e->input->socket->peer_uid : ~0u, getuid());
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
	if (!witness_open("exec_stdio"))
		return 1;
	kinds_check();
	sockets_check();
	return witness_close();
}
