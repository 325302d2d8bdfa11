// links: tests/kernel/support/check.c user/sensor/{probe,probe_map,probe_pins,probe_report,probe_server,host,pins,uprobe,uprobe_ahead,discover,choice,guard,ladder,syscall,trial,kernel_types,verify,sandbox,elf,*_offsets}.c
// SPDX-License-Identifier: Apache-2.0
// A configuration that watches no files and no programs: what tells of nothing else is not even
// loaded, and what is told without it still is: reads of a table's file, settings of the kernel.
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/support/check.h"
#include "lib/arena.h"
#include "lib/event.h"
#include "lib/log.h"
#include "lib/record.h"
#include "sensor/filewatch.h"
#include "sensor/probe.h"

#define KINDS 128

static const char *const idle[] = {"file_close", "file_unlink", "file_mode", "fd_dup"};
static const char *const busy[] = {"exec", "exit", "file_read", "file_write", "mount"};

static struct {
	pid_t child;
	struct arena *arena;
	unsigned n[KINDS]; /* records of the child, by kind */
} t;

static void on_record(void *ctx, const void *record, size_t size)
{
	const Rollcall__Task *task;
	Rollcall__Event *ev;
	unsigned truncated;

	(void)ctx;
	arena_reset(t.arena);
	if (record_decode(t.arena, record, size, &ev, &truncated) < 0) {
		check("decode", "malformed record", false);
		return;
	}
	task = event_task(ev);
	if (task && (pid_t)task->tgid == t.child)
		t.n[ev->kind_case % KINDS]++;
}

static const char *hook_of(const Rollcall__Coverage *c, const char *event)
{
	for (size_t i = 0; i < c->n_probes; i++)
		if (strcmp(c->probes[i]->event, event) == 0)
			return c->probes[i]->hook;
	return NULL;
}

static void coverage_check(struct probe *p)
{
	Rollcall__Coverage *c;

	if (probe_coverage(p, t.arena, &c) < 0) {
		check("coverage", "readable", false);
		return;
	}
	check_string("coverage", "state", c->state, "healthy");
	for (size_t i = 0; i < sizeof(idle) / sizeof(idle[0]); i++)
		check(idle[i], "left out", !hook_of(c, idle[i]));
	for (size_t i = 0; i < sizeof(busy) / sizeof(busy[0]); i++)
		check(busy[i], "attached", hook_of(c, busy[i]) && *hook_of(c, busy[i]));
}

static int child(const char *table)
{
	int fd = open(table, O_RDONLY | O_CLOEXEC), host;

	if (fd < 0 || unshare(CLONE_NEWUTS))
		return 1;
	host = open("/proc/sys/kernel/hostname", O_WRONLY | O_CLOEXEC);
	if (host < 0 || write(host, "elsewhere\n", 10) != 10 || close(host) || close(fd))
		return 1;
	return 0;
}

static void events_check(struct probe *p, const char *table)
{
	int status = -1;

	probe_consume(p);
	t.child = fork();
	if (!t.child)
		_exit(child(table));
	check("child", "ran", waitpid(t.child, &status, 0) == t.child && status == 0);
	while (probe_consume(p) > 0)
		;
	check_number("file_read", "records", t.n[ROLLCALL__EVENT__KIND_FILE_READ], 1);
	check_number("sysctl", "records", t.n[ROLLCALL__EVENT__KIND_SYSCTL], 1);
	check_number("fork", "records", t.n[ROLLCALL__EVENT__KIND_FORK], 1);
	check_number("exit", "records", t.n[ROLLCALL__EVENT__KIND_EXIT], 1);
	check_number("file_open", "records", t.n[ROLLCALL__EVENT__KIND_FILE_OPEN], 0);
}

int main(void)
{
	struct probe_opts opts = {.record = on_record, .unwatched = true};
	char table[] = "/tmp/rollcall_unwatched.XXXXXX";
	struct filewatch_key key = {};
	struct probe *p = NULL;
	uint64_t mask = 1;
	struct stat st;
	int fd = mkstemp(table);

	log_open("unwatched", LOG_LEVEL_WARN);
	t.arena = arena_new(64 * 1024);
	if (fd < 0 || fstat(fd, &st) || close(fd) || probe_new(&opts, &p) < 0) {
		fprintf(stderr, "unwatched: cannot start\n");
		return 1;
	}
	key.ino = st.st_ino;
	key.dev = major(st.st_dev) << 20 | minor(st.st_dev);
	check("table", "map", probe_map_watch(p, "watched_inode", &key, &mask) == 0);
	coverage_check(p);
	events_check(p, table);
	unlink(table);
	probe_freep(&p);
	arena_freep(&t.arena);
	return check_close();
}
