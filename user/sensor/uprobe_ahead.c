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

struct event {
	dev_t dev;
	ino_t ino;
	uint64_t offset;
	bool at_return;
	int fd;
};

struct uprobe_ahead {
	pthread_t thread;
	bool running;
	struct uprobe_functions functions;
	struct event events[EVENTS_MAX];
	unsigned n;
};

static bool is_known(const struct uprobe_ahead *a, const struct stat *exe)
{
	for (unsigned i = 0; i < a->n; i++)
		if (a->events[i].dev == exe->st_dev && a->events[i].ino == exe->st_ino)
			return true;
	return false;
}

static void event_open(struct uprobe_ahead *a, const struct stat *exe, const char *path,
		       uint64_t offset, bool at_return)
{
	int fd = a->n < EVENTS_MAX ? uprobe_open(path, offset, at_return) : -ENOSPC;

	if (fd >= 0)
		a->events[a->n++] = (struct event){exe->st_dev, exe->st_ino, offset, at_return, fd};
}

/* What fails here is tried again when it is wanted, and told then. */
static void server_open(void *ctx, enum probe_system system, int pid)
{
	struct uprobe_ahead *a = ctx;
	_cleanup_(elf_closep) struct elf *elf = NULL;
	_cleanup_(closep) int exe = -1;
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	exe = open(path, O_RDONLY | O_CLOEXEC);
	if (exe < 0 || fstat(exe, &st) < 0 || is_known(a, &st))
		return;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", exe);
	if (elf_open(path, &elf) < 0)
		return;
	for (unsigned i = 0; i < a->functions.n; i++) {
		uint64_t offset;

		if (a->functions.list[i].system == system &&
		    elf_symbol_offset(elf, a->functions.list[i].symbol, &offset) == 0)
			event_open(a, &st, path, offset, a->functions.list[i].at_return);
	}
}

static void *servers_open(void *ahead)
{
	discover_running(server_open, ahead);
	return NULL;
}

struct uprobe_ahead *uprobe_ahead_begin(const struct uprobe_functions *functions)
{
	struct uprobe_ahead *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->functions = *functions;
	a->running = thread_start(&a->thread, servers_open, a) == 0;
	return a;
}

static void servers_wait(struct uprobe_ahead *a)
{
	if (a->running)
		pthread_join(a->thread, NULL);
	a->running = false;
}

int uprobe_ahead_take(struct uprobe_ahead *a, const struct stat *exe, uint64_t offset,
		      bool at_return)
{
	if (!a)
		return -ENOENT;
	servers_wait(a);
	for (unsigned i = 0; i < a->n; i++) {
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
	servers_wait(a);
	for (unsigned i = 0; i < a->n; i++)
		closep(&a->events[i].fd);
	free(a);
	return NULL;
}
