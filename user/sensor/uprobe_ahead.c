// SPDX-License-Identifier: Apache-2.0
#include "sensor/uprobe_ahead.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/clean.h"
#include "lib/thread.h"
#include "sensor/discover.h"
#include "sensor/elf.h"
#include "sensor/uprobe.h"

#define EVENTS_MAX 128
#define EXES_MAX   64

struct event {
	dev_t dev;
	ino_t ino;
	int pid;
	uint64_t offset;
	bool at_return;
	int fd; /* negative: none */
};

struct uprobe_ahead {
	pthread_t thread;
	bool running;
	struct uprobe_functions functions;
	struct event events[EVENTS_MAX];
	unsigned n;
	struct {
		dev_t dev;
		ino_t ino;
	} exes[EXES_MAX];
	unsigned n_exes;
};

/* For the first time? Of five hundred backends one is. */
static bool is_new(struct uprobe_ahead *a, const struct stat *exe)
{
	for (unsigned i = 0; i < a->n_exes; i++)
		if (a->exes[i].dev == exe->st_dev && a->exes[i].ino == exe->st_ino)
			return false;
	if (a->n_exes == EXES_MAX)
		return false;
	a->exes[a->n_exes].dev = exe->st_dev;
	a->exes[a->n_exes++].ino = exe->st_ino;
	return true;
}

static void event_add(struct uprobe_ahead *a, const struct stat *exe, int pid, uint64_t offset,
		      bool at_return)
{
	if (a->n < EVENTS_MAX)
		a->events[a->n++] =
			(struct event){exe->st_dev, exe->st_ino, pid, offset, at_return, -1};
}

/* What fails here is tried again when it is wanted, and told then. */
static void server_look(void *ctx, enum probe_system system, int pid)
{
	struct uprobe_ahead *a = ctx;
	_cleanup_(elf_closep) struct elf *elf = NULL;
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	if (stat(path, &st) < 0 || !is_new(a, &st) || elf_open(path, &elf) < 0)
		return;
	for (unsigned i = 0; i < a->functions.n; i++) {
		uint64_t offset;

		if (a->functions.list[i].system == system &&
		    elf_symbol_offset(elf, a->functions.list[i].symbol, &offset) == 0)
			event_add(a, &st, pid, offset, a->functions.list[i].at_return);
	}
}

/* A process id that is another's by now has another executable: the kernel is given what is open.
 */
static void event_open(struct event *e)
{
	_cleanup_(closep) int exe = -1;
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/exe", e->pid);
	exe = open(path, O_RDONLY | O_CLOEXEC);
	if (exe < 0 || fstat(exe, &st) < 0 || st.st_dev != e->dev || st.st_ino != e->ino)
		return;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", exe);
	e->fd = uprobe_open(path, e->offset, e->at_return);
}

static void *events_open(void *ahead)
{
	struct uprobe_ahead *a = ahead;

	for (unsigned i = 0; i < a->n; i++)
		event_open(&a->events[i]);
	return NULL;
}

struct uprobe_ahead *uprobe_ahead_begin(const struct uprobe_functions *functions)
{
	struct uprobe_ahead *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->functions = *functions;
	/* Not by the thread: a server's symbols are megabytes, and so is what is read next. */
	discover_running(server_look, a);
	a->running = a->n && thread_start(&a->thread, events_open, a) == 0;
	return a;
}

void uprobe_ahead_wait(struct uprobe_ahead *a)
{
	if (a && a->running)
		pthread_join(a->thread, NULL);
	if (a)
		a->running = false;
}

int uprobe_ahead_take(struct uprobe_ahead *a, const struct stat *exe, uint64_t offset,
		      bool at_return)
{
	for (unsigned i = 0; a && i < a->n; i++) {
		struct event *e = &a->events[i];

		if (e->fd >= 0 && e->dev == exe->st_dev && e->ino == exe->st_ino &&
		    e->offset == offset && e->at_return == at_return)
			return take_fd(e->fd);
	}
	return -ENOENT;
}

struct uprobe_ahead *uprobe_ahead_end(struct uprobe_ahead *a)
{
	if (!a)
		return NULL;
	uprobe_ahead_wait(a);
	for (unsigned i = 0; i < a->n; i++)
		closep(&a->events[i].fd);
	free(a);
	return NULL;
}
