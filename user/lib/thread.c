// SPDX-License-Identifier: Apache-2.0
#include "lib/thread.h"

#include <signal.h>

int thread_start(pthread_t *ret, void *(*fn)(void *), void *ctx)
{
	sigset_t all, old;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old); /* a thread begins with its maker's */
	r = pthread_create(ret, NULL, fn, ctx);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -r;
}
