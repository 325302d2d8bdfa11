// links: tests/kernel/support/*.c user/sensor/{probe,probe_map,probe_pins,probe_report,probe_server,host,pins,uprobe,uprobe_ahead,discover,choice,guard,ladder,syscall,trial,kernel_types,verify,sandbox,elf,proctab,*_offsets}.c
// SPDX-License-Identifier: Apache-2.0
// A socket becomes descriptor 0, 1 or 2 of a watched lineage, in every way: what fd_dup tells of it
// is what the system says of the socket. Silent: files, other descriptors, other processes.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "kernel/support/check.h"
#include "kernel/support/ends.h"
#include "kernel/support/way.h"
#include "kernel/support/witness.h"

#define DUP ROLLCALL__EVENT__KIND_FD_DUP

static int sockets[2];
static char *way_arg; /* of the child: which way */

/* ---- ways, in the watched program; 0 when it worked ---- */

static int by_dup2(int fd)
{
	return dup2(fd, 0) != 0;
}
static int by_dup3(int fd)
{
	return dup3(fd, 1, O_CLOEXEC) != 1;
}
static int by_dup(int fd)
{
	return close(0) || dup(fd) != 0;
}
static int by_fcntl(int fd)
{
	return close(2) || fcntl(fd, F_DUPFD, 0) != 2;
}
static int by_i386(int fd)
{
	return way_i386(63, (long[6]){fd, 0}) != 0;
}
static int by_socket(int fd)
{
	(void)fd;
	return close(0) || socket(AF_INET, SOCK_STREAM, 0) != 0;
}

/* Of no interest. */
static int to_five(int fd)
{
	return dup2(fd, 5) != 5;
}
static int of_file(int fd)
{
	(void)fd;
	return dup2(open("/dev/null", O_RDWR), 0) != 0;
}
static int itself(int fd)
{
	return dup2(fd, 0) != 0 || dup2(0, 0) != 0 || fcntl(0, F_GETFD) != 0;
}

static bool always(void)
{
	return true;
}

static const struct way {
	const char *name;
	int (*go)(int fd);
	bool (*possible)(void);
	unsigned events;
	uint32_t fd;
	int family, type;
	bool last_rung_blind;
} ways[] = {
	{"dup2", by_dup2, always, 1, 0, AF_INET, SOCK_STREAM, false},
	{"dup2, IPv6", by_dup2, always, 1, 0, AF_INET6, SOCK_STREAM, false},
	{"dup2, UDP", by_dup2, always, 1, 0, AF_INET, SOCK_DGRAM, false},
	{"dup2, unix socket", by_dup2, always, 1, 0, AF_UNIX, SOCK_STREAM, false},
	{"dup3", by_dup3, always, 1, 1, AF_INET, SOCK_STREAM, false},
	{"dup after close", by_dup, always, 1, 0, AF_INET, SOCK_STREAM, false},
	{"fcntl", by_fcntl, always, 1, 2, AF_INET, SOCK_STREAM, false},
	{"dup2, 32-bit", by_i386, way_has_i386, 1, 0, AF_INET, SOCK_STREAM, false},
	{"socket after close", by_socket, always, 1, 0, AF_INET, SOCK_STREAM, true},
	{"dup2 to 5", to_five, always, 0, 0, AF_INET, SOCK_STREAM, false},
	{"dup2 of a file", of_file, always, 0, 0, AF_INET, SOCK_STREAM, false},
	{"dup2 of itself", itself, always, 1, 0, AF_INET, SOCK_STREAM, false},
};
#define WAYS (sizeof(ways) / sizeof(*ways))

/* A connection to this process's own listener. */
static bool connection(int family, int type)
{
	union address a;
	socklen_t n = ends_address(&a, family == AF_INET ? "127.0.0.1" : "::1", 0);
	int listener;

	if (family == AF_UNIX)
		return socketpair(family, type, 0, sockets) == 0;
	listener = socket(family, type, 0);
	sockets[0] = socket(family, type, 0);
	if (bind(listener, &a.any, n) || getsockname(listener, &a.any, &n) ||
	    (type == SOCK_STREAM && listen(listener, 1)) || connect(sockets[0], &a.any, n))
		return false;
	sockets[1] = listener;
	return true;
}

static int go_watched(void)
{
	char fd[12];

	snprintf(fd, sizeof(fd), "%d", sockets[0]);
	return execl("/proc/self/exe", "fd_dup", way_arg, fd, NULL);
}

static int go_unwatched(void)
{
	return by_dup2(sockets[0]);
}

static void event_check(const struct way *w, const Rollcall__FdDup *d, pid_t pid)
{
	union address local, peer;
	struct stat st = {};

	ends_check_task(w->name, d->task, pid);
	check_number(w->name, "descriptor", d->fd, w->fd);
	check_number(w->name, "family", d->family, (uint64_t)w->family);
	check_number(w->name, "lineage", d->lineage, 3);
	if (w->go == by_socket)
		return;
	check_number(w->name, "fstat", (uint64_t)fstat(sockets[0], &st), 0);
	check_number(w->name, "inode", d->ino, st.st_ino);
	if (w->family == AF_UNIX) {
		check_number(w->name, "peer", d->peer_tgid, (uint64_t)getpid());
		check_string(w->name, "no address", d->remote ? d->remote->address : "", "");
		return;
	}
	local = ends_local(sockets[0]);
	peer = ends_peer(sockets[0]);
	ends_check(w->name, "local", d->local, &local);
	ends_check(w->name, "remote", d->remote, &peer);
}

static void way_check(const struct way *w)
{
	bool blind = w->last_rung_blind && strstr(witness_hook("fd_dup"), "sys_exit");
	unsigned wanted = blind ? 0 : w->events;
	const Rollcall__Event *ev;
	int status;
	pid_t pid;

	check(w->name, "connected", connection(w->family, w->type));
	way_arg = (char *)(uintptr_t)w->name;
	pid = witness_run(go_watched, &status);
	check_number(w->name, "child", (uint64_t)status, 0);
	ev = wanted ? witness_wait(DUP, pid, wanted) : NULL;
	check(w->name, "event", !wanted || ev);
	if (ev)
		event_check(w, ev->fd_dup, pid);
	witness_settle();
	check_number(w->name, "events", witness_count(DUP, pid), wanted);
	if (w->events)
		ends_coverage("fd_dup", w->name, witness_hook("fd_dup"), ev);
	close(sockets[0]);
	close(sockets[1]);
}

static void unwatched_check(void)
{
	int status;
	pid_t pid;

	check("unwatched", "connected", connection(AF_INET, SOCK_STREAM));
	pid = witness_run(go_unwatched, &status);
	check_number("unwatched", "child", (uint64_t)status, 0);
	check_number("unwatched", "events", witness_count(DUP, pid), 0);
}

/* This program is what is watched, when it is executed again. */
static void watch(void)
{
	struct {
		uint64_t ino;
		uint32_t dev, pad;
	} key = {};
	struct stat st = {};
	uint32_t marks = 1;

	check("watch", "stat", stat("/proc/self/exe", &st) == 0);
	key.ino = st.st_ino;
	key.dev = major(st.st_dev) << 20 | minor(st.st_dev);
	check("watch", "watched", witness_watch("watched_exe", &key, &marks) == 0);
}

int main(int argc, char **argv)
{
	for (size_t i = 0; argc == 3 && i < WAYS; i++)
		if (strcmp(ways[i].name, argv[1]) == 0)
			return ways[i].go(atoi(argv[2]));
	if (!witness_open("fd_dup"))
		return 1;
	watch();
	for (size_t i = 0; i < WAYS; i++)
		if (ways[i].possible())
			way_check(&ways[i]);
	unwatched_check();
	return witness_close();
}
