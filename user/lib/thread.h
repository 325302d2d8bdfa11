// SPDX-License-Identifier: Apache-2.0
// Threads beside the one that has the loop.
#pragma once

#include <pthread.h>

/* Starts one that gets no signals: those are for who has the loop. 0 or negative errno. */
int thread_start(pthread_t *ret, void *(*fn)(void *), void *ctx);
