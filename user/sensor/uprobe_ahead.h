// SPDX-License-Identifier: Apache-2.0
// Breakpoints of the database servers that run already, put before there is a program for them: for
// the first, the kernel waits until every processor was idle or in user space once (the lock that
// fork and breakpoints share), and that is ten milliseconds and more in which a start does nothing.
// A thread waits while the kernel verifies. Called by probe_server.c.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "sensor/probe.h"

#define UPROBE_AHEAD_FUNCTIONS 32

struct uprobe_ahead;

/* Functions of the servers of each system. */
struct uprobe_functions {
	struct {
		enum probe_system system;
		char symbol[64];
		bool at_return;
	} list[UPROBE_AHEAD_FUNCTIONS];
	unsigned n;
};

/* NULL: nothing is done ahead. */
struct uprobe_ahead *uprobe_ahead_begin(const struct uprobe_functions *functions);

/* Until all are there. Accepts NULL. */
void uprobe_ahead_wait(struct uprobe_ahead *a);

/* The event of a function, which is the caller's from now on, or -ENOENT. */
int uprobe_ahead_take(struct uprobe_ahead *a, const struct stat *exe, uint64_t offset,
		      bool at_return);

/* Those that nobody took go. Accepts NULL, returns NULL. */
struct uprobe_ahead *uprobe_ahead_end(struct uprobe_ahead *a);
