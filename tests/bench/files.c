// SPDX-License-Identifier: Apache-2.0
// Opens a file of a watched tree to write to it and closes it, from every CPU, and counts: two
// events each time. For tests/bench/run. Each line of the standard input asks once: "SECONDS RATE
// NICE", RATE of pairs in a second, 0: as fast as can be. The answer: pairs made, seconds.
// Usage: files DIRECTORY
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAKERS_MAX 64
#define UNIT	   1000000 /* ns that a maker works towards, then it rests */
#define SECOND	   1000000000ull

struct maker {
	const char *directory;
	uint64_t end, rate; /* rate: pairs in a second; 0: no rest */
	uint64_t *made;
};

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

static void rest_until(uint64_t time)
{
	const struct timespec t = {(time_t)(time / SECOND), (long)(time % SECOND)};

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

static int pair(const char *path)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd < 0 || close(fd);
}

/* A maker that comes late makes what it is behind. */
static int make(const struct maker *m)
{
	uint64_t begun = now(), t = begun;
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/file%d", m->directory, getpid());
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || close(fd))
		return 1;
	*m->made = 1;
	for (; t < m->end; t = now()) {
		uint64_t due = m->rate ? (t - begun) * m->rate / SECOND : *m->made + 100;

		for (; *m->made < due; ++*m->made)
			if (pair(path))
				return 2;
		if (m->rate)
			rest_until(t + UNIT);
	}
	return unlink(path) ? 3 : 0;
}

struct ask {
	double seconds;
	uint64_t rate;
	int nice;
};

/* Returns how many pairs were made. */
static uint64_t make_all(const char *directory, const struct ask *ask, uint64_t *made)
{
	unsigned n = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
	uint64_t sum = 0, end = now() + (uint64_t)(ask->seconds * SECOND);
	int status;

	n = n > MAKERS_MAX ? MAKERS_MAX : n;
	for (unsigned i = 0; i < n; i++) {
		struct maker m = {directory, end, ask->rate / n, &made[i]};

		if (fork())
			continue;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(setpriority(PRIO_PROCESS, 0, ask->nice) < 0 ? 4 : make(&m));
	}
	while (wait(&status) > 0)
		if (status)
			die("a maker failed");
	for (unsigned i = 0; i < n; i++)
		sum += made[i];
	return sum;
}

int main(int argc, char **argv)
{
	uint64_t *made = mmap(NULL, MAKERS_MAX * sizeof(*made), PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct ask ask;

	if (argc != 2 || made == MAP_FAILED)
		return 2;
	while (scanf("%lf %" SCNu64 " %d", &ask.seconds, &ask.rate, &ask.nice) == 3) {
		uint64_t begun = now(), pairs = make_all(argv[1], &ask, made);

		printf("%" PRIu64 " %.6f\n", pairs, (double)(now() - begun) / SECOND);
		fflush(stdout);
	}
	return 0;
}
