// links: tests/kernel/support/*.c user/sensor/{probe,probe_map,probe_pins,probe_report,probe_server,host,pins,uprobe,uprobe_ahead,discover,choice,guard,ladder,syscall,trial,kernel_types,verify,sandbox,elf,proctab,*_offsets}.c
// SPDX-License-Identifier: Apache-2.0
// Unix sockets of this process, connected to by a child in every way: where the socket is and who
// listens; nothing of datagrams, of pairs and of what failed.
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/support/check.h"
#include "kernel/support/ends.h"
#include "kernel/support/way.h"
#include "kernel/support/witness.h"

#define UNIX ROLLCALL__EVENT__KIND_UNIX_CONNECT

static struct {
	char dir[64]; /* also the working directory */
	char long_dir[256];
	uid_t uid; /* of a user who is not root */
} t;

struct un {
	struct sockaddr_un a;
	socklen_t n;
};

/* "@name" is abstract. */
static struct un un(const char *name)
{
	struct un u = {.a.sun_family = AF_UNIX};

	snprintf(u.a.sun_path, sizeof(u.a.sun_path), "%s", name);
	u.n = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
	if (*name == '@')
		u.a.sun_path[0] = '\0';
	else
		u.n++;
	return u;
}

static int listener(const char *name, int type)
{
	struct un u = un(name);
	int fd = socket(AF_UNIX, type, 0);

	check(name, "bind", bind(fd, (struct sockaddr *)&u.a, u.n) == 0);
	if (type != SOCK_DGRAM)
		check(name, "listen", listen(fd, 9) == 0);
	return fd;
}

/* ---- ways to connect; 0 or negative errno ---- */

static int to(int type, const char *name)
{
	struct un u = un(name);

	return connect(socket(AF_UNIX, type, 0), (struct sockaddr *)&u.a, u.n) ? -errno : 0;
}

static int connect_stream(void)
{
	return to(SOCK_STREAM, "stream");
}
static int connect_packets(void)
{
	return to(SOCK_SEQPACKET, "packets");
}
static int connect_absolute(void)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/stream", t.dir);
	return to(SOCK_STREAM, path);
}
static int connect_symlink(void)
{
	return to(SOCK_STREAM, "symlink");
}
static int connect_abstract(void)
{
	return to(SOCK_STREAM, "@rollcall test");
}
static int connect_renamed(void)
{
	return to(SOCK_STREAM, "renamed");
}
static int connect_long(void)
{
	return chdir(t.long_dir) || to(SOCK_STREAM, "deep");
}
static int connect_nonblocking(void)
{
	return to(SOCK_STREAM | SOCK_NONBLOCK, "stream");
}

static int connect_i386(void)
{
	struct un u = un("stream");
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	return (int)way_i386(362, (long[6]){fd, way_low(&u.a, u.n), u.n});
}

static int connect_socketcall(void)
{
	struct un u = un("stream");
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	return (int)way_socketcall(3, (long[6]){fd, way_low(&u.a, u.n), u.n});
}

static int connect_uring(void)
{
	struct un u = un("stream");

	return (int)way_uring(&(struct io_uring_sqe){
		.opcode = IORING_OP_CONNECT,
		.fd = socket(AF_UNIX, SOCK_STREAM, 0),
		.addr = (uint64_t)&u.a,
		.off = u.n,
	});
}

/* Not of interest. */

static int connect_datagram(void)
{
	return to(SOCK_DGRAM, "datagrams");
}
static int connect_nobody(void)
{
	return to(SOCK_STREAM, "nobody") != -ENOENT;
}
static int connect_pair(void)
{
	int fds[2];

	return socketpair(AF_UNIX, SOCK_STREAM, 0, fds);
}
static int connect_refused(void)
{
	return setuid(t.uid) || to(SOCK_STREAM, "closed") != -EACCES;
}

static bool always(void)
{
	return true;
}

static const struct test {
	const char *name;
	int (*connect)(void);
	bool (*possible)(void);
	const char *path; /* as the event has it, below the directory; NULL: no event */
	bool fallback_blind;
} tests[] = {
	{"stream", connect_stream, always, "stream", false},
	{"seqpacket", connect_packets, always, "packets", false},
	{"absolute path", connect_absolute, always, "stream", false},
	{"symbolic link", connect_symlink, always, "stream", false},
	{"abstract name", connect_abstract, always, "@rollcall test", false},
	{"renamed since bind(2)", connect_renamed, always, "renamed", false},
	{"path longer than its address", connect_long, always, "deep", false},
	{"non-blocking", connect_nonblocking, always, "stream", false},
	{"32-bit connect", connect_i386, way_has_i386, "stream", false},
	{"socketcall(2)", connect_socketcall, way_has_i386, "stream", false},
	{"io_uring", connect_uring, way_has_uring, "stream", true},
	{"datagrams", connect_datagram, always, NULL, false},
	{"nobody there", connect_nobody, always, NULL, false},
	{"pair", connect_pair, always, NULL, false},
	{"not allowed", connect_refused, always, NULL, false},
};

static void event_check(const struct test *test, const Rollcall__Event *ev, pid_t pid)
{
	const char *dir = test->connect == connect_long ? t.long_dir : t.dir;
	const Rollcall__UnixConnect *e;
	char path[512];

	check(test->name, "event", ev != NULL);
	if (!ev)
		return;
	e = ev->unix_connect;
	if (*test->path == '@')
		snprintf(path, sizeof(path), "%s", test->path);
	else
		snprintf(path, sizeof(path), "%s/%s", dir, test->path);
	ends_check_task(test->name, e->task, pid);
	check_string(test->name, "path", e->path, path);
	check_number(test->name, "peer", e->peer_tgid, (uint64_t)getpid());
	check_number(test->name, "peer's user", e->peer_uid, geteuid());
}

static void test_run(const struct test *test)
{
	bool blind = test->fallback_blind && strstr(witness_hook("unix_connect"), "sys_exit");
	bool seen = test->path && !blind;
	int status;
	pid_t pid = witness_run(test->connect, &status);

	check_number(test->name, "child", (uint64_t)status, 0);
	if (seen)
		event_check(test, witness_wait(UNIX, pid, 1), pid);
	check_number(test->name, "events", witness_count(UNIX, pid), seen);
	if (test->path)
		ends_coverage("unix_connect", test->name, witness_hook("unix_connect"), seen);
}

static int files_make(void)
{
	char *real;

	strcpy(t.dir, "/tmp/unix_connect.XXXXXX");
	if (!mkdtemp(t.dir) || chdir(t.dir))
		return -errno;
	real = realpath(".", NULL);
	snprintf(t.long_dir, sizeof(t.long_dir), "%s/%0120d", real ? real : "", 7);
	free(real);
	if (mkdir(t.long_dir, 0755) || chdir(t.long_dir))
		return -errno;
	listener("deep", SOCK_STREAM);
	if (chdir(t.dir))
		return -errno;
	listener("stream", SOCK_STREAM);
	listener("packets", SOCK_SEQPACKET);
	listener("datagrams", SOCK_DGRAM);
	listener("first", SOCK_STREAM);
	listener("closed", SOCK_STREAM);
	listener("@rollcall test", SOCK_STREAM);
	return chmod("closed", 0600) || chmod(t.dir, 0755) || rename("first", "renamed") ||
			       symlink("stream", "symlink")
		       ? -errno
		       : 0;
}

static void files_remove(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", t.dir);
	if (system(command))
		perror(t.dir);
}

int main(void)
{
	t.uid = 65534;
	if (files_make() < 0) {
		perror("unix_connect");
		return 1;
	}
	if (!witness_open("unix_connect"))
		return 1;
	for (size_t i = 0; i < sizeof(tests) / sizeof(*tests); i++)
		if (tests[i].possible())
			test_run(&tests[i]);
	files_remove();
	return witness_close();
}
