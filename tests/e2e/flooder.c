// SPDX-License-Identifier: Apache-2.0
// Floods a watched tree with file events from every CPU, below the priority of nobody, and counts
// them itself. Arguments: a directory. Ends with SIGTERM and prints the events, their rate, and
// what it would have been had the flooders had every CPU to themselves.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FLOODERS_MAX 64
#define CHANGES	     16 /* of a file, between its open and its close */

static volatile sig_atomic_t ended;

static void on_term(int signo)
{
	(void)signo;
	ended = 1;
}

static int flood(const char *dir, uint64_t *events)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/flood%d", dir, getpid());
	while (!ended) {
		int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

		if (fd < 0)
			return 1;
		for (unsigned i = 0; i < CHANGES; i++)
			if (fchmod(fd, i & 1 ? 0600 : 0640))
				return 2;
		if (close(fd))
			return 3;
		*events += CHANGES + 2;
	}
	return unlink(path) ? 4 : 0;
}

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* CPU time of the flooders that have ended. */
static double used(void)
{
	struct rusage u;

	getrusage(RUSAGE_CHILDREN, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

int main(int argc, char **argv)
{
	unsigned n = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
	uint64_t *events = mmap(NULL, FLOODERS_MAX * sizeof(*events), PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0),
		 sum = 0;
	double began = seconds();
	int failed = 0, status, signo;
	sigset_t term;

	if (argc < 2 || events == MAP_FAILED) {
		fprintf(stderr, "usage: flooder DIRECTORY: %s\n", strerror(errno));
		return 2;
	}
	signal(SIGTERM, on_term);
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, NULL);
	n = n > FLOODERS_MAX ? FLOODERS_MAX : n;
	for (unsigned i = 0; i < n; i++) {
		if (fork())
			continue;
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		sigprocmask(SIG_UNBLOCK, &term, NULL);
		_exit(flood(argv[1], &events[i]));
	}
	sigwait(&term, &signo);
	kill(0, SIGTERM);
	while (wait(&status) > 0)
		failed |= status;
	for (unsigned i = 0; i < n; i++)
		sum += events[i];
	printf("%llu %.0f %.0f\n", (unsigned long long)sum, (double)sum / (seconds() - began),
	       (double)sum * n / used());
	return failed ? 1 : 0;
}
