// SPDX-License-Identifier: Apache-2.0
// Starts the sensor's processes and starts again the one that was killed.
#include "sensor/supervise.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/log.h"

#define ROLES_MAX   4
#define WAIT_MIN_MS 100
#define WAIT_MAX_MS 10000

struct child {
	const struct supervise_role *role;
	pid_t pid;
	unsigned wait_ms;
};

static void role_begin(const struct supervise_role *role, pid_t parent, const sigset_t *old)
{
	int r;

	/* Nobody is left behind when the supervisor is killed. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	prctl(PR_SET_NAME, role->name);
	if (getppid() != parent)
		_exit(1);
	sigprocmask(SIG_SETMASK, old, NULL);
	r = role->run(role->ctx);
	_exit(r < 0 ? 1 : r);
}

static int child_start(struct child *c, const sigset_t *old)
{
	pid_t self = getpid();

	c->pid = fork();
	if (c->pid < 0)
		return log_error(-errno, "cannot start the %s process", c->role->name);
	if (c->pid == 0)
		role_begin(c->role, self, old);
	return 0;
}

static void sleep_ms(unsigned ms)
{
	struct timespec ts = {ms / 1000, (long)(ms % 1000) * 1000000};

	nanosleep(&ts, NULL);
}

/* -1: still to be supervised; else the status to end with. */
static int child_ended(struct child *c, int status, const sigset_t *old)
{
	c->pid = 0;
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	log_error(0, "the %s process was killed by signal %d (%s); starting it again",
		  c->role->name, WTERMSIG(status), strsignal(WTERMSIG(status)));
	sleep_ms(c->wait_ms);
	c->wait_ms = c->wait_ms * 2 > WAIT_MAX_MS ? WAIT_MAX_MS : c->wait_ms * 2;
	return child_start(c, old) < 0 ? 1 : -1;
}

static int children_reap(struct child *children, unsigned n, const sigset_t *old)
{
	int status, result = -1;
	pid_t pid;

	while (result < 0 && (pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (unsigned i = 0; i < n; i++)
			if (children[i].pid == pid)
				result = child_ended(&children[i], status, old);
	return result;
}

static void children_stop(struct child *children, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (children[i].pid > 0)
			kill(children[i].pid, SIGTERM);
	for (unsigned i = 0; i < n; i++)
		while (children[i].pid > 0 && waitpid(children[i].pid, NULL, 0) < 0 &&
		       errno == EINTR)
			;
}

/* SIGHUP is for who reads what may have changed. */
static void children_hup(const struct child *children, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (children[i].pid > 0 && children[i].role->hup)
			kill(children[i].pid, SIGHUP);
}

int supervise(const struct supervise_role *roles, unsigned n)
{
	struct child children[ROLES_MAX] = {};
	sigset_t set, old;
	int result = -1, signo;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, &old);
	for (unsigned i = 0; i < n && i < ROLES_MAX && result < 0; i++) {
		children[i] = (struct child){&roles[i], 0, WAIT_MIN_MS};
		result = child_start(&children[i], &old) < 0 ? 1 : -1;
	}
	while (result < 0) {
		signo = sigwaitinfo(&set, NULL);
		if (signo == SIGTERM || signo == SIGINT)
			result = 0;
		else if (signo == SIGCHLD)
			result = children_reap(children, n, &old);
		else if (signo == SIGHUP)
			children_hup(children, n);
	}
	children_stop(children, n);
	return result;
}
