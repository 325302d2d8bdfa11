// links: tests/kernel/support/way.c
// SPDX-License-Identifier: Apache-2.0
// A PostgreSQL client without a library that sends and receives by io_uring only: no sendto(2), no
// recvfrom(2), no write(2) on its socket. Prints the DataRow messages it got.
// Usage: uring_client SOCKET USER DATABASE NAME STATEMENT (NAME: application_name).
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "kernel/support/way.h"

#define BUFFER 65536

static long transfer(uint8_t opcode, int fd, void *data, size_t size)
{
	return way_uring(&(struct io_uring_sqe){
		.opcode = opcode, .fd = fd, .addr = (uintptr_t)data, .len = (uint32_t)size});
}

static int send_all(int fd, char *data, size_t size)
{
	for (size_t at = 0; at < size;) {
		long n = transfer(IORING_OP_SEND, fd, data + at, size - at);

		if (n <= 0)
			return -1;
		at += (size_t)n;
	}
	return 0;
}

/* What is buffered of the answer: each call sets up a ring, so that few are made. */
struct answer {
	int fd;
	char data[BUFFER];
	size_t at, len;
};

static int take(struct answer *r, void *ret, size_t size)
{
	char *out = ret;

	for (size_t i = 0; i < size; i++) {
		if (r->at == r->len) {
			long n = transfer(IORING_OP_RECV, r->fd, r->data, sizeof(r->data));

			if (n <= 0)
				return -1;
			r->at = 0;
			r->len = (size_t)n;
		}
		if (out)
			out[i] = r->data[r->at];
		r->at++;
	}
	return 0;
}

static size_t put(char *at, const char *text)
{
	memcpy(at, text, strlen(text) + 1);
	return strlen(text) + 1;
}

static int startup(int fd, char **argv)
{
	const char *pairs[] = {"user", argv[2], "database", argv[3], "application_name", argv[4]};
	uint32_t version = htonl(196608), size;
	char m[512];
	size_t n = 8;

	for (unsigned i = 0; i < 6; i++)
		n += put(m + n, pairs[i]);
	m[n++] = '\0';
	size = htonl((uint32_t)n);
	memcpy(m, &size, 4);
	memcpy(m + 4, &version, 4);
	return send_all(fd, m, n);
}

static int query(int fd, const char *text)
{
	uint32_t size = htonl((uint32_t)strlen(text) + 5);
	char m[1024] = "Q";

	if (strlen(text) > sizeof(m) - 6)
		return -1;
	memcpy(m + 1, &size, 4);
	put(m + 5, text);
	return send_all(fd, m, strlen(text) + 6);
}

/* Up to ReadyForQuery. */
static long rows(struct answer *r)
{
	char kind = 0;
	uint32_t size;
	long n = 0;

	while (kind != 'Z') {
		if (take(r, &kind, 1) < 0 || take(r, &size, 4) < 0 ||
		    take(r, NULL, ntohl(size) - 4) < 0)
			return -1;
		n += kind == 'D';
	}
	return n;
}

int main(int argc, char **argv)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	static struct answer answer;

	if (argc != 6 || fd < 0 || !way_has_uring())
		return 2;
	answer.fd = fd;
	snprintf(to.sun_path, sizeof(to.sun_path), "%s", argv[1]);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 || startup(fd, argv) < 0 ||
	    rows(&answer) < 0 || query(fd, argv[5]) < 0)
		return 1;
	printf("%ld\n", rows(&answer));
	return 0;
}
