// links: tests/kernel/support/check.c user/sensor/{probe,probe_map,probe_pins,probe_report,probe_server,host,pins,uprobe,uprobe_ahead,discover,choice,guard,ladder,syscall,trial,kernel_types,verify,sandbox,elf,*_offsets}.c
// SPDX-License-Identifier: Apache-2.0
// Whom a record wakes: nobody while the sensor says that it looks by itself, else whoever waits for
// its ring, and that he was is noted. For an urgent record and for one that is not.
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/support/check.h"
#include "lib/arena.h"
#include "lib/log.h"
#include "lib/record.h"
#include "sensor/host.h"
#include "sensor/probe.h"

#define HOUR	3600000000000ull
#define WAIT_MS 200
#define TRIES	50 /* others' records may be told, and wake, just before ours */

/* As bpf/emit.h has it. */
struct looks {
	uint64_t any, urgent;
};

static struct {
	struct arena *arena;
	struct probe *probe;
	volatile struct looks *looks; /* mapped */
	pid_t child;
	unsigned forks, connects; /* of ours, as they were read */
} t;

static void on_record(void *ctx, const void *record, size_t size)
{
	Rollcall__Event *ev;
	unsigned truncated;

	(void)ctx;
	if (record_decode(t.arena, record, size, &ev, &truncated) < 0)
		check("decode", "malformed record", false);
	else if (ev->kind_case == ROLLCALL__EVENT__KIND_FORK)
		t.forks += (pid_t)ev->fork->task->tgid == t.child;
	else if (ev->kind_case == ROLLCALL__EVENT__KIND_TCP_CONNECT)
		t.connects += (pid_t)ev->tcp_connect->task->tgid == getpid();
	arena_reset(t.arena);
}

/* Urgent. */
static void fork_once(void)
{
	t.child = fork();
	if (t.child == 0)
		_exit(0);
	waitpid(t.child, NULL, 0);
}

/* Not urgent: nobody listens there. */
static void connect_once(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(to);
	int bound = socket(AF_INET, SOCK_STREAM, 0), fd = socket(AF_INET, SOCK_STREAM, 0);

	bind(bound, (struct sockaddr *)&to, n);
	getsockname(bound, (struct sockaddr *)&to, &n);
	connect(fd, (struct sockaddr *)&to, n);
	close(bound);
	close(fd);
}

/* To ask for the map by a call would be told, and wake. */
static void looks_set(uint64_t time)
{
	*t.looks = (struct looks){time, time};
}

static bool is_woken(int epoll, int ms)
{
	struct epoll_event e;

	return epoll_wait(epoll, &e, 1, ms) == 1;
}

static void lane_check(const char *name, enum lane lane, void (*once)(void), const unsigned *read)
{
	struct epoll_event edge = {.events = EPOLLIN | EPOLLET};
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	unsigned before, tries = 0;
	bool woken = false;

	while (probe_consume(t.probe) > 0)
		;
	check(name, "epoll", epoll_ctl(epoll, EPOLL_CTL_ADD, probe_fd(t.probe, lane), &edge) == 0);
	is_woken(epoll, 0); /* what was there before */
	before = *read;
	looks_set(host_boottime() + HOUR);
	once();
	check(name, "nobody is woken who looks by himself", !is_woken(epoll, WAIT_MS));
	probe_consume(t.probe);
	check_number(name, "it was told", *read, before + 1);
	for (; tries < TRIES && !woken; tries++) {
		looks_set(0);
		once();
		woken = is_woken(epoll, WAIT_MS);
	}
	check(name, "who sleeps is woken", woken);
	check(name, "that somebody was woken is noted", t.looks->any != 0);
	if (lane == LANE_CRIT)
		check(name, "and that it was urgent", t.looks->urgent != 0);
	looks_set(0);
	probe_consume(t.probe);
	check_number(name, "and it was told", *read, before + 1 + tries);
	check(name, "that something was found is noted", t.looks->any != 0);
	if (lane == LANE_CRIT)
		check(name, "and that it was urgent, too", t.looks->urgent != 0);
	check(name, "how long ago", probe_quiet(t.probe) < HOUR / 1000000);
	close(epoll);
}

int main(void)
{
	struct probe_opts opts = {.record = on_record};

	log_open("wake", LOG_LEVEL_WARN);
	t.arena = arena_new(64 * 1024);
	if (probe_new(&opts, &t.probe) < 0)
		return 1;
	t.looks = mmap(NULL, sizeof(*t.looks), PROT_READ | PROT_WRITE, MAP_SHARED,
		       probe_map_fd(t.probe, "ring_looks"), 0);
	if (t.looks == MAP_FAILED)
		return 1;
	lane_check("urgent", LANE_CRIT, fork_once, &t.forks);
	lane_check("not urgent", LANE_BULK, connect_once, &t.connects);
	munmap((void *)(uintptr_t)t.looks, sizeof(*t.looks));
	probe_freep(&t.probe);
	arena_freep(&t.arena);
	return check_close();
}
