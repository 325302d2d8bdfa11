// links: tests/kernel/support/check.c user/sensor/{probe,probe_map,probe_pins,probe_report,probe_server,host,pins,uprobe,uprobe_ahead,discover,choice,guard,ladder,syscall,trial,kernel_types,verify,sandbox,elf,*_offsets}.c
// SPDX-License-Identifier: Apache-2.0
// Two rings, one order: what a process does is never read before that it was made, even when the
// one is written while the other is being read. That urgent records were read is told to the
// kernel.
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/support/check.h"
#include "lib/arena.h"
#include "lib/log.h"
#include "lib/record.h"
#include "sensor/probe.h"

#define ROUNDS 20

static struct {
	struct arena *arena;
	struct probe *probe;
	pid_t pids[ROUNDS + 1]; /* children, the first made by main */
	bool forked[ROUNDS + 1], connected[ROUNDS + 1];
	unsigned n;
	uint64_t fork_time; /* of the last fork that was read */
} t;

/* A child that leaves a record in each ring: its fork, and a connection that nobody takes. */
static void child_make(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(to);
	pid_t pid = fork();
	int fd;

	if (pid == 0) {
		fd = socket(AF_INET, SOCK_STREAM, 0);
		bind(fd, (struct sockaddr *)&to, n);
		getsockname(fd, (struct sockaddr *)&to, &n);
		connect(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&to, n);
		_exit(0);
	}
	t.pids[t.n++] = pid;
	waitpid(pid, NULL, 0);
}

static unsigned child_of(const Rollcall__Task *task)
{
	unsigned i = 0;

	while (i < t.n && t.pids[i] != (pid_t)task->tgid)
		i++;
	return i;
}

static void on_record(void *ctx, const void *record, size_t size)
{
	Rollcall__Event *ev;
	unsigned truncated, i;

	(void)ctx;
	if (record_decode(t.arena, record, size, &ev, &truncated) < 0) {
		check("decode", "malformed record", false);
		return;
	}
	if (ev->kind_case == ROLLCALL__EVENT__KIND_FORK) {
		t.fork_time = ev->time;
		i = child_of(ev->fork->task);
		if (i < t.n)
			t.forked[i] = true;
	}
	if (ev->kind_case != ROLLCALL__EVENT__KIND_TCP_CONNECT)
		return;
	i = child_of(ev->tcp_connect->task);
	if (i == t.n)
		return;
	check("order", "connected before it was forked", t.forked[i]);
	t.connected[i] = true;
	/* While this ring is being read, the next child writes to both. */
	if (t.n <= ROUNDS)
		child_make();
}

/* The kernel itself notes when a record woke us, which is that record's time. */
static void looked_check(void)
{
	uint64_t looks[2] = {}; /* any, urgent: bpf/emit.h */
	uint32_t zero = 0;

	check("looked", "a fork was read", t.fork_time);
	check("looked", "the map is there",
	      probe_map_lookup(t.probe, "ring_looks", &zero, looks) == 0);
	check("looked", "told after the last record", looks[0] > t.fork_time);
	check("looked", "told after the last urgent record", looks[1] > t.fork_time);
}

int main(void)
{
	struct probe_opts opts = {.record = on_record};

	log_open("order", LOG_LEVEL_WARN);
	t.arena = arena_new(64 * 1024);
	if (probe_new(&opts, &t.probe) < 0)
		return 1;
	child_make();
	for (int i = 0; i < 10000 && !t.connected[ROUNDS]; i++) {
		probe_consume(t.probe);
		usleep(1000);
	}
	for (unsigned i = 0; i <= ROUNDS; i++)
		check("order", "no connect event", t.connected[i]);
	looked_check();
	probe_freep(&t.probe);
	arena_freep(&t.arena);
	return check_close();
}
