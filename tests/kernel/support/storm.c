// SPDX-License-Identifier: Apache-2.0
// The makers: a process a core and part, in a network namespace of its own.
#include "kernel/support/storm.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "event.pb-c.h"

#define KIND(k) ROLLCALL__EVENT__KIND_##k
#define PROGRAM "/usr/bin/true"
#define CHANGES 16 /* of a file, between its open and its close */

static const struct {
	unsigned kind;
	bool crit, alone;
} kinds_made[] = {
	{KIND(FORK), true, false},	    {KIND(EXEC), true, false},
	{KIND(EXIT), true, false},	    {KIND(FILE_OPEN), false, true},
	{KIND(FILE_CHANGE), false, true},   {KIND(FILE_CLOSE), false, true},
	{KIND(TCP_CONNECT), false, false},  {KIND(TCP_ACCEPT), false, false},
	{KIND(TCP_LISTEN), false, false},   {KIND(TCP_CLOSE), false, false},
	{KIND(UNIX_CONNECT), false, false},
};

#define KINDS_MADE (sizeof(kinds_made) / sizeof(kinds_made[0]))

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* A child that shares this memory until it executes: nothing is copied. */
static pid_t execute(void)
{
	pid_t pid = vfork();

	if (!pid) {
		execl(PROGRAM, "true", NULL);
		_exit(127);
	}
	return pid;
}

static int storm_exec(const struct storm *s, struct storm_maker *m)
{
	(void)s;
	for (unsigned i = 0; i < m->acts; i++) {
		pid_t pid = execute();
		int status = -1;

		if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
			return -1;
		m->made[KIND(FORK)]++;
		m->made[KIND(EXEC)]++;
		m->made[KIND(EXIT)]++;
	}
	return 0;
}

static int storm_file(const struct storm *s, struct storm_maker *m)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/file%d", s->dir, getpid());
	for (unsigned i = 0; i < m->acts; i++) {
		int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

		if (fd < 0)
			return -1;
		m->made[KIND(FILE_OPEN)]++;
		for (unsigned k = 0; k < CHANGES; k++) {
			if (fchmod(fd, 0600 | (k & 1)))
				return -1;
			m->made[KIND(FILE_CHANGE)]++;
		}
		if (close(fd))
			return -1;
		m->made[KIND(FILE_CLOSE)]++;
	}
	return 0;
}

static int storm_unix(const struct storm *s, struct storm_maker *m)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int n = snprintf(a.sun_path + 1, sizeof(a.sun_path) - 1, "rollcall loss %d", getpid());
	socklen_t size = (socklen_t)(sizeof(a.sun_family) + 1 + (size_t)n);
	int listener = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)s;
	if (bind(listener, (struct sockaddr *)&a, size) || listen(listener, 8))
		return -1;
	for (unsigned i = 0; i < m->acts; i++) {
		int fd = socket(AF_UNIX, SOCK_STREAM, 0);

		if (connect(fd, (struct sockaddr *)&a, size))
			return -1;
		m->made[KIND(UNIX_CONNECT)]++;
		close(accept(listener, NULL, NULL));
		close(fd);
	}
	return 0;
}

/* Reset, so that no port waits. */
static int storm_tcp(const struct storm *s, struct storm_maker *m)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct linger reset = {.l_onoff = 1};
	socklen_t size = sizeof(a);
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	(void)s;
	if (bind(listener, (struct sockaddr *)&a, size) || listen(listener, 8) ||
	    getsockname(listener, (struct sockaddr *)&a, &size))
		return -1;
	m->made[KIND(TCP_LISTEN)]++;
	for (unsigned i = 0; i < m->acts; i++) {
		int fd = socket(AF_INET, SOCK_STREAM, 0), other;

		if (connect(fd, (struct sockaddr *)&a, size))
			return -1;
		m->made[KIND(TCP_CONNECT)]++;
		other = accept(listener, NULL, NULL);
		m->made[KIND(TCP_ACCEPT)] += other >= 0;
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		m->made[KIND(TCP_CLOSE)] += 2;
		if (close(fd) || close(other))
			return -1;
	}
	return 0;
}

/* No route from a namespace that has only itself: the cheapest event there is. */
static int storm_unsent(const struct storm *s, struct storm_maker *m)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(9)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	(void)s;
	a.sin_addr.s_addr = htonl(0xc6336401); /* 198.51.100.1, of nobody */
	for (unsigned i = 0; i < m->acts; i++) {
		if (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0 || errno != ENETUNREACH)
			return -1;
		m->made[KIND(TCP_CONNECT)]++;
	}
	return 0;
}

static const struct {
	const char *name;
	int (*go)(const struct storm *s, struct storm_maker *m);
} storms[] = {
	{"exec", storm_exec}, {"file", storm_file},	{"unix", storm_unix},
	{"tcp", storm_tcp},   {"unsent", storm_unsent},
};

static int loopback_up(void)
{
	struct ifreq ifr = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), r = ioctl(fd, SIOCSIFFLAGS, &ifr);

	close(fd);
	return r;
}

static int maker(const struct storm *s, struct storm_maker *m, int go)
{
	cpu_set_t cpus;
	char c;
	int r = -1;

	CPU_ZERO(&cpus);
	CPU_SET(m->cpu, &cpus);
	if (unshare(CLONE_NEWNET) || loopback_up() || sched_setaffinity(0, sizeof(cpus), &cpus) ||
	    setresuid(s->uid, s->uid, s->uid) || prctl(PR_SET_PDEATHSIG, SIGKILL) ||
	    read(go, &c, 1))
		return 1;
	m->begun = clock_ns(CLOCK_MONOTONIC);
	for (size_t i = 0; i < sizeof(storms) / sizeof(storms[0]); i++)
		if (strcmp(storms[i].name, m->name) == 0)
			r = storms[i].go(s, m);
	m->ended = clock_ns(CLOCK_MONOTONIC);
	m->used = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	m->made[KIND(EXIT)]++; /* its own */
	return r != 0;
}

int storm_begin(struct storm *s, const struct storm_part *parts)
{
	int go[2];

	if (pipe(go))
		return -errno;
	fflush(stdout);
	s->n = 0;
	for (; parts->name; parts++) {
		for (long cpu = 0; cpu < sysconf(_SC_NPROCESSORS_ONLN) && s->n < STORM_MAX; cpu++) {
			struct storm_maker *m = &s->makers[s->n];
			pid_t pid;

			*m = (struct storm_maker){
				.name = parts->name, .acts = parts->n, .cpu = (unsigned)cpu};
			pid = fork();
			if (!pid) {
				close(go[1]);
				_exit(maker(s, m, go[0]));
			}
			if (pid < 0)
				return -errno;
			m->pid = pid;
			s->n++;
		}
	}
	close(go[0]);
	s->go = go[1];
	return 0;
}

int storm_end(struct storm *s)
{
	int failed = 0, status;

	close(s->go);
	for (unsigned i = 0; i < s->n; i++)
		failed += waitpid(s->makers[i].pid, &status, 0) != s->makers[i].pid || status;
	return failed;
}

static size_t kind_index(unsigned kind)
{
	size_t i = 0;

	while (i < KINDS_MADE && kinds_made[i].kind != kind)
		i++;
	return i;
}

bool storm_knows(unsigned kind)
{
	return kind_index(kind) < KINDS_MADE;
}

bool storm_is_crit(unsigned kind)
{
	return kinds_made[kind_index(kind)].crit;
}

bool storm_is_alone(unsigned kind)
{
	return kinds_made[kind_index(kind)].alone;
}

uint64_t storm_made(const struct storm *s, unsigned kind)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < s->n; i++)
		n += s->makers[i].made[kind];
	return n;
}

double storm_rate(const struct storm *s, double *ret_alone)
{
	uint64_t begun = UINT64_MAX, ended = 0, used = 0, n = 0;

	for (unsigned i = 0; i < s->n; i++) {
		const struct storm_maker *m = &s->makers[i];
		uint64_t bulk = 0;

		for (size_t k = 0; k < KINDS_MADE; k++)
			bulk += kinds_made[k].crit ? 0 : m->made[kinds_made[k].kind];
		if (!bulk)
			continue;
		n += bulk;
		used += m->used;
		begun = m->begun < begun ? m->begun : begun;
		ended = m->ended > ended ? m->ended : ended;
	}
	*ret_alone =
		used ? (double)n * 1e9 / (double)used * (double)sysconf(_SC_NPROCESSORS_ONLN) : 0;
	return ended > begun ? (double)n * 1e9 / (double)(ended - begun) : 0;
}
