// SPDX-License-Identifier: Apache-2.0
// What a host does all day, in small: starts programs, writes and removes files, connects.
// Arguments: a directory, seconds, microseconds between rounds. Prints how many rounds there were.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int listener(struct sockaddr_in *a)
{
	socklen_t len = sizeof(*a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memset(a, 0, sizeof(*a));
	a->sin_family = AF_INET;
	a->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (struct sockaddr *)a, sizeof(*a)) || listen(fd, 16) ||
	    getsockname(fd, (struct sockaddr *)a, &len))
		return -1;
	return fd;
}

static int run(void)
{
	static char *const argv[] = {"true", NULL};
	static char *const env[] = {NULL};
	int status = -1;
	pid_t pid;

	if (posix_spawn(&pid, "/bin/true", NULL, NULL, argv, env))
		return -1;
	waitpid(pid, &status, 0);
	return status;
}

static int write_file(const char *dir, unsigned long round)
{
	char path[512];
	int fd;

	/* Names come again: a table by name or inode must not keep each for good. */
	snprintf(path, sizeof(path), "%s/file%lu", dir, round % 1000);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, path, sizeof(path)) != sizeof(path) || close(fd))
		return -1;
	return unlink(path);
}

/* The connecting end closes first: the ports that stay in TIME_WAIT are its own. */
static int talk(int server, const struct sockaddr_in *a)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), peer;

	if (fd < 0 || connect(fd, (const struct sockaddr *)a, sizeof(*a)))
		return -1;
	peer = accept4(server, NULL, NULL, SOCK_CLOEXEC);
	close(fd);
	return peer < 0 ? -1 : close(peer);
}

int main(int argc, char **argv)
{
	struct sockaddr_in a;
	time_t end = time(NULL) + (argc > 2 ? atol(argv[2]) : 1);
	useconds_t pause = argc > 3 ? (useconds_t)atol(argv[3]) : 0;
	int server = listener(&a);
	unsigned long n = 0;

	if (server < 0 || argc < 2) {
		fprintf(stderr, "usage: churn DIRECTORY [SECONDS [PAUSE]]: %s\n", strerror(errno));
		return 2;
	}
	for (; time(NULL) < end; n++) {
		if (run() || write_file(argv[1], n) || talk(server, &a)) {
			perror("churn");
			return 1;
		}
		usleep(pause);
	}
	printf("%lu\n", n);
	return 0;
}
