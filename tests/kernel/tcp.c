// links: tests/kernel/support/*.c user/sensor/{probe,probe_map,probe_pins,probe_report,probe_server,host,pins,uprobe,uprobe_ahead,discover,choice,guard,ladder,syscall,trial,kernel_types,verify,sandbox,elf,proctab,*_offsets}.c
// SPDX-License-Identifier: Apache-2.0
// TCP connections made, accepted and ended in every way there is, between a child (the client) and
// this process (the server): each field of the events against what the sockets themselves say.
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kernel/support/check.h"
#include "kernel/support/ends.h"
#include "kernel/support/way.h"
#include "kernel/support/witness.h"

#define CONNECT	 ROLLCALL__EVENT__KIND_TCP_CONNECT
#define ACCEPT	 ROLLCALL__EVENT__KIND_TCP_ACCEPT
#define LISTEN	 ROLLCALL__EVENT__KIND_TCP_LISTEN
#define CLOSE	 ROLLCALL__EVENT__KIND_TCP_CLOSE
#define UPWARDS	 3001 /* bytes from client to server */
#define DOWNWARD 70007

enum ending { BY_CLIENT, BY_SERVER, BY_RESET, BY_KILL, BY_SHUTDOWN };

struct test {
	const char *name;
	const char *server, *client; /* addresses: to listen on, to connect to */
	int (*connect)(int fd, const union address *to, socklen_t n);
	int (*accept)(int fd);
	enum ending ending;
	const char *connect_way, *accept_way; /* lines of the coverage table */
	bool (*possible)(void);
	bool fallback_blind; /* accept is not seen at the exit of system calls */
};

/* Shared with the child. */
static struct run {
	const struct test *test;
	union address target, local, remote;
	socklen_t n;
	int go[2];
	int error;
	uint64_t took;
} * run;

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* ---- ways to connect; 0 or negative errno ---- */

static int connect_plain(int fd, const union address *to, socklen_t n)
{
	return connect(fd, &to->any, n) ? -errno : 0;
}

static int connect_nonblocking(int fd, const union address *to, socklen_t n)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	socklen_t size = sizeof(int);
	int e = 0;

	fcntl(fd, F_SETFL, O_NONBLOCK);
	if (connect(fd, &to->any, n) == 0 || errno != EINPROGRESS)
		return -EPROTO;
	poll(&p, 1, -1);
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &size);
	fcntl(fd, F_SETFL, 0);
	return -e;
}

static int connect_i386(int fd, const union address *to, socklen_t n)
{
	return (int)way_i386(362, (long[6]){fd, way_low(to, n), n});
}

static int connect_socketcall(int fd, const union address *to, socklen_t n)
{
	return (int)way_socketcall(3, (long[6]){fd, way_low(to, n), n});
}

static int connect_uring(int fd, const union address *to, socklen_t n)
{
	return (int)way_uring(&(struct io_uring_sqe){
		.opcode = IORING_OP_CONNECT,
		.fd = fd,
		.addr = (uint64_t)to,
		.off = n,
	});
}

/* ---- ways to accept ---- */

static int accept_plain(int fd)
{
	return accept(fd, NULL, NULL);
}

static int accept_4(int fd)
{
	return accept4(fd, NULL, NULL, SOCK_CLOEXEC);
}

static int accept_i386(int fd)
{
	return (int)way_i386(364, (long[6]){fd});
}

static int accept_socketcall(int fd)
{
	return (int)way_socketcall(5, (long[6]){fd});
}

static int accept_socketcall4(int fd)
{
	return (int)way_socketcall(18, (long[6]){fd});
}

static int accept_uring(int fd)
{
	return (int)way_uring(&(struct io_uring_sqe){.opcode = IORING_OP_ACCEPT, .fd = fd});
}

static bool always(void)
{
	return true;
}

static const struct test tests[] = {
	{"IPv4", "127.0.0.1", "127.0.0.1", connect_plain, accept_plain, BY_CLIENT,
	 "connect(2), IPv4", "accept(2), IPv4", always, false},
	{"IPv6", "::1", "::1", connect_plain, accept_4, BY_SERVER, "connect(2), IPv6",
	 "accept4(2), IPv6", always, false},
	{"v4-mapped", "::", "::ffff:127.0.0.1", connect_plain, accept_plain, BY_CLIENT,
	 "connect(2), v4-mapped", "accept(2), v4-mapped", always, false},
	{"IPv4 to a dual-stack server", "::", "127.0.0.1", connect_plain, accept_4, BY_SHUTDOWN,
	 NULL, NULL, always, false},
	{"non-blocking", "127.0.0.1", "127.0.0.1", connect_nonblocking, accept_plain, BY_SERVER,
	 "connect(2), non-blocking", NULL, always, false},
	{"reset", "127.0.0.1", "127.0.0.1", connect_plain, accept_plain, BY_RESET, NULL, NULL,
	 always, false},
	{"killed", "127.0.0.1", "127.0.0.1", connect_plain, accept_plain, BY_KILL, NULL, NULL,
	 always, false},
	{"32-bit calls", "127.0.0.1", "127.0.0.1", connect_i386, accept_i386, BY_CLIENT,
	 "connect, 32-bit", "accept4, 32-bit", way_has_i386, false},
	{"socketcall", "::1", "::1", connect_socketcall, accept_socketcall, BY_CLIENT,
	 "connect, socketcall(2)", "accept, socketcall(2)", way_has_i386, false},
	{"socketcall accept4", "127.0.0.1", "127.0.0.1", connect_socketcall, accept_socketcall4,
	 BY_SERVER, NULL, "accept4, socketcall(2)", way_has_i386, false},
	{"io_uring", "127.0.0.1", "127.0.0.1", connect_uring, accept_uring, BY_SERVER,
	 "connect, io_uring", "accept, io_uring", way_has_uring, true},
};

/* ---- both sides ---- */

static void read_all(int fd, size_t n)
{
	static char buf[1 << 17];

	while (n) {
		ssize_t got = read(fd, buf, n < sizeof(buf) ? n : sizeof(buf));

		if (got <= 0)
			break;
		n -= (size_t)got;
	}
}

static void write_all(int fd, size_t n)
{
	static char buf[1 << 17];
	int left = 1;

	if (write(fd, buf, n) != (ssize_t)n)
		check("write", "short", false);
	/* Until the other end has acknowledged it. */
	while (ioctl(fd, SIOCOUTQ, &left) == 0 && left)
		usleep(100);
}

static int client(void)
{
	const struct test *t = run->test;
	int fd = socket(run->target.any.sa_family, SOCK_STREAM, 0);
	uint64_t begin = now();
	char byte;

	run->error = t->connect(fd, &run->target, run->n);
	run->took = now() - begin;
	if (run->error < 0)
		return 1;
	run->local = ends_local(fd);
	run->remote = ends_peer(fd);
	write_all(fd, UPWARDS);
	read_all(fd, DOWNWARD);
	if (read(run->go[0], &byte, 1) != 1)
		return 1;
	if (t->ending == BY_KILL)
		pause();
	if (t->ending == BY_SERVER)
		read_all(fd, 1);
	if (t->ending == BY_RESET)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0},
			   sizeof(struct linger));
	if (t->ending == BY_SHUTDOWN) {
		shutdown(fd, SHUT_WR);
		read_all(fd, 1);
	}
	close(fd);
	return 0;
}

static int listener(const char *address, uint16_t *ret_port)
{
	union address a;
	socklen_t n = ends_address(&a, address, 0);
	int fd = socket(a.any.sa_family, SOCK_STREAM, 0);

	if (bind(fd, &a.any, n) || listen(fd, 5))
		check("listener", strerror(errno), false);
	a = ends_local(fd);
	*ret_port = ntohs(a.any.sa_family == AF_INET ? a.v4.sin_port : a.v6.sin6_port);
	return fd;
}

static void serve(const struct test *t, int fd, pid_t pid)
{
	read_all(fd, UPWARDS);
	write_all(fd, DOWNWARD);
	if (write(run->go[1], "", 1) != 1)
		check(t->name, "pipe", false);
	if (t->ending == BY_KILL)
		kill(pid, SIGKILL);
	if (t->ending != BY_SERVER)
		read_all(fd, 1);
	close(fd);
}

/* ---- checks ---- */

static void connect_check(const struct test *t, pid_t pid)
{
	const Rollcall__Event *ev = witness_wait(CONNECT, pid, 1);
	const Rollcall__TcpConnect *e;

	check(t->name, "connect event", ev != NULL);
	if (!ev)
		return;
	e = ev->tcp_connect;
	ends_check_task(t->name, e->task, pid);
	ends_check(t->name, "connect local", e->local, &run->local);
	ends_check(t->name, "connect remote", e->remote, &run->remote);
	check_number(t->name, "result", e->result, ROLLCALL__CONNECT_RESULT__established);
	check_number(t->name, "error", e->error, 0);
	check_number(t->name, "in progress", e->in_progress, t->connect == connect_nonblocking);
	check(t->name, "duration", e->duration && e->duration <= run->took);
	check_number(t->name, "connect events", witness_count(CONNECT, pid), 1);
}

static void accept_check(const struct test *t, pid_t pid, uint64_t took, bool seen)
{
	const Rollcall__Event *ev = seen ? witness_wait(ACCEPT, getpid(), 1) : NULL;
	const Rollcall__TcpAccept *e;

	check_number(t->name, "accept events", witness_count(ACCEPT, getpid()), seen);
	if (!ev)
		return;
	e = ev->tcp_accept;
	ends_check_task(t->name, e->task, getpid());
	ends_check(t->name, "accept local", e->local, &run->remote);
	ends_check(t->name, "accept remote", e->remote, &run->local);
	check_number(t->name, "peer", e->peer_tgid, (uint64_t)pid);
	check(t->name, "waited", e->waited && e->waited <= took);
}

static void close_check(const struct test *t, pid_t pid, bool server, uint64_t took)
{
	const Rollcall__Event *ev = witness_wait(CLOSE, pid, 1);
	const char *name = server ? "server's close" : "client's close";
	const Rollcall__TcpClose *e;

	check(t->name, name, ev != NULL);
	if (!ev)
		return;
	e = ev->tcp_close;
	ends_check_task(t->name, e->task, pid);
	ends_check(t->name, name, e->local, server ? &run->remote : &run->local);
	ends_check(t->name, name, e->remote, server ? &run->local : &run->remote);
	check_number(t->name, "bytes sent", e->bytes_sent, server ? DOWNWARD : UPWARDS);
	check_number(t->name, "bytes received", e->bytes_received, server ? UPWARDS : DOWNWARD);
	check(t->name, "close duration", e->duration && e->duration <= took);
	check_number(t->name, "close error", e->error,
		     server && t->ending == BY_RESET ? ECONNRESET : 0);
	check_number(t->name, "incoming", e->incoming, server);
	check_number(t->name, "adopted", e->adopted, 0);
	check_number(t->name, "close events", witness_count(CLOSE, pid), 1);
}

static void coverage(const struct test *t, bool seen)
{
	if (t->connect_way)
		ends_coverage("tcp_connect", t->connect_way, witness_hook("tcp_state"), true);
	if (t->connect_way)
		ends_coverage("tcp_close", t->connect_way, witness_hook("tcp_state"), true);
	if (t->accept_way)
		ends_coverage("tcp_accept", t->accept_way, witness_hook("tcp_accept"), seen);
}

static void connection_check(const struct test *t)
{
	bool seen = !t->fallback_blind || !strstr(witness_hook("tcp_accept"), "sys_exit");
	uint16_t port;
	int fd = listener(t->server, &port), s, status;
	uint64_t begin = now(), took;
	pid_t pid;

	witness_settle();
	witness_reset();
	run->test = t;
	run->n = ends_address(&run->target, t->client, port);
	pid = witness_fork(client);
	s = t->accept(fd);
	check(t->name, "accepted", s >= 0);
	if (s >= 0)
		serve(t, s, pid);
	waitpid(pid, &status, 0);
	check_number(t->name, "client", (uint64_t)status, t->ending == BY_KILL ? SIGKILL : 0);
	took = now() - begin;
	connect_check(t, pid);
	close_check(t, pid, false, took);
	close_check(t, getpid(), true, took);
	accept_check(t, pid, took, seen);
	coverage(t, seen);
	close(fd);
}

/* ---- ended before it is accepted ---- */

static int client_early(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (connect(fd, &run->target.any, run->n))
		return 1;
	run->local = ends_local(fd);
	run->remote = ends_peer(fd);
	write_all(fd, UPWARDS);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
	close(fd);
	return 0;
}

static void early_check(void)
{
	const char *name = "ended before accept(2)";
	const Rollcall__TcpClose *e;
	const Rollcall__Event *ev;
	int status, fd, s;
	uint16_t port;
	pid_t pid;

	fd = listener("127.0.0.1", &port);
	run->n = ends_address(&run->target, "127.0.0.1", port);
	pid = witness_run(client_early, &status);
	check_number(name, "child", (uint64_t)status, 0);
	s = accept(fd, NULL, NULL);
	check(name, "accept event", witness_wait(ACCEPT, getpid(), 1) != NULL);
	ev = witness_wait(CLOSE, getpid(), 1);
	check(name, "close event", ev != NULL);
	close(s);
	close(fd);
	if (!ev)
		return;
	e = ev->tcp_close;
	ends_check_task(name, e->task, getpid());
	ends_check(name, "local", e->local, &run->remote);
	ends_check(name, "remote", e->remote, &run->local);
	check_number(name, "bytes received", e->bytes_received, UPWARDS);
	check_number(name, "bytes sent", e->bytes_sent, 0);
	check_number(name, "error", e->error, ECONNRESET);
	check_number(name, "incoming", e->incoming, 1);
	check(name, "duration", e->duration != 0);
	witness_settle();
	check_number(name, "close events", witness_count(CLOSE, getpid()), 1);
	check_number(name, "client's close events", witness_count(CLOSE, pid), 1);
	ends_coverage("tcp_close", name, witness_hook("tcp_accept"), true);
}

/* ---- listen ---- */

static int listen_plain(void)
{
	int fd = socket(run->target.any.sa_family, SOCK_STREAM, 0);

	if (bind(fd, &run->target.any, run->n) || listen(fd, 17))
		return 1;
	run->local = ends_local(fd);
	return 0;
}

static int listen_socketcall(void)
{
	int fd = socket(run->target.any.sa_family, SOCK_STREAM, 0);

	if (bind(fd, &run->target.any, run->n) || way_socketcall(4, (long[6]){fd, 17}))
		return 1;
	run->local = ends_local(fd);
	return 0;
}

/* The port is chosen behind the tracepoint. */
static int listen_unbound(void)
{
	int fd = socket(run->target.any.sa_family, SOCK_STREAM, 0);

	run->local = run->target;
	return listen(fd, 17) != 0;
}

static const struct {
	const char *name, *address;
	int (*go)(void);
	bool (*possible)(void);
} listens[] = {
	{"listen(2), IPv4", "127.0.0.1", listen_plain, always},
	{"listen(2), IPv6", "::1", listen_plain, always},
	{"listen(2), any address", "::", listen_plain, always},
	{"listen, socketcall(2)", "127.0.0.1", listen_socketcall, way_has_i386},
	{"listen(2) without bind(2)", "0.0.0.0", listen_unbound, always},
};

static void listen_check(size_t i)
{
	const char *name = listens[i].name;
	const Rollcall__TcpListen *e;
	const Rollcall__Event *ev;
	int status;
	pid_t pid;

	run->n = ends_address(&run->target, listens[i].address, 0);
	pid = witness_run(listens[i].go, &status);
	check_number(name, "child", (uint64_t)status, 0);
	ev = witness_wait(LISTEN, pid, 1);
	check(name, "listen event", ev != NULL);
	if (!ev)
		return;
	e = ev->tcp_listen;
	ends_check_task(name, e->task, pid);
	ends_check(name, "local", e->local, &run->local);
	check_number(name, "backlog", e->backlog, 17);
	check_number(name, "listen events", witness_count(LISTEN, pid), 1);
	check_number(name, "close events", witness_count(CLOSE, pid), 0);
	ends_coverage("tcp_listen", name, witness_hook("tcp_state"), true);
}

/* ---- what was open before the sensor ---- */

static struct {
	int client, server;
	union address local, remote;
} old;

static void old_open(void)
{
	union address a;
	uint16_t port;
	int fd = listener("127.0.0.1", &port);
	socklen_t n = ends_address(&a, "127.0.0.1", port);

	old.client = socket(AF_INET, SOCK_STREAM, 0);
	check("adopted", "connect", connect(old.client, &a.any, n) == 0);
	old.server = accept(fd, NULL, NULL);
	old.local = ends_local(old.client);
	old.remote = ends_peer(old.client);
	close(fd);
}

static void old_check(void)
{
	const Rollcall__Event *ev;

	witness_reset();
	write_all(old.client, UPWARDS);
	read_all(old.server, UPWARDS);
	close(old.client);
	close(old.server);
	for (unsigned i = 0; i < 2; i++) {
		ev = witness_wait(CLOSE, getpid(), i + 1);
		check("adopted", "close event", ev != NULL);
		if (!ev)
			return;
		ends_check_task("adopted", ev->tcp_close->task, getpid());
		check_number("adopted", "adopted", ev->tcp_close->adopted, 1);
		check_number("adopted", "duration", ev->tcp_close->duration, 0);
		check_number("adopted", "incoming", ev->tcp_close->incoming, 0);
	}
	/* The one that closed first is told first. Who connected is not known: its SYN counts. */
	ev = witness_event(CLOSE, getpid(), 0);
	ends_check("adopted", "local", ev->tcp_close->local, &old.local);
	ends_check("adopted", "remote", ev->tcp_close->remote, &old.remote);
	check_number("adopted", "bytes sent", ev->tcp_close->bytes_sent, UPWARDS + 1);
	ev = witness_event(CLOSE, getpid(), 1);
	check_number("adopted", "bytes received", ev->tcp_close->bytes_received, UPWARDS);
	check_number("adopted", "bytes sent", ev->tcp_close->bytes_sent, 0);
	ends_coverage("tcp_close", "opened before the sensor", witness_hook("tcp_state"), true);
}

int main(void)
{
	run = mmap(NULL, sizeof(*run), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (run == MAP_FAILED || pipe(run->go))
		return 1;
	signal(SIGPIPE, SIG_IGN);
	old_open();
	if (!witness_open("tcp"))
		return 1;
	old_check();
	for (size_t i = 0; i < sizeof(tests) / sizeof(*tests); i++)
		if (tests[i].possible())
			connection_check(&tests[i]);
	early_check();
	for (size_t i = 0; i < sizeof(listens) / sizeof(*listens); i++)
		if (listens[i].possible())
			listen_check(i);
	return witness_close();
}
