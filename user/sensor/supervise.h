// SPDX-License-Identifier: Apache-2.0
// Starts the sensor's processes and starts again the one that was killed. Holds root's rights but
// reads nothing: no event, no file, no socket.
#pragma once

#include <stdbool.h>

struct supervise_role {
	const char *name;      /* also the process's name in ps */
	int (*run)(void *ctx); /* in a process of its own; its result is the exit status */
	void *ctx;
	bool hup; /* is given the SIGHUP that the supervisor gets */
};

/*
 * Returns when SIGTERM or SIGINT came (0), or with the exit status of the first process that
 * ended by itself: such an end is a decision, only a signal is an accident. The others are ended.
 */
int supervise(const struct supervise_role *roles, unsigned n);
