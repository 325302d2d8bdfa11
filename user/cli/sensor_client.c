// SPDX-License-Identifier: Apache-2.0
// The other end of the sensor's control socket: blocking, one question a connection.
#include "cli/sensor_client.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/arena.h"
#include "lib/clean.h"
#include "lib/log.h"

static int write_all(int fd, const uint8_t *data, size_t size)
{
	while (size) {
		ssize_t n = send(fd, data, size, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			data += n;
			size -= (size_t)n;
		}
	}
	return 0;
}

static int read_all(int fd, uint8_t *data, size_t size)
{
	while (size) {
		ssize_t n = read(fd, data, size);

		if (n == 0)
			return -ENODATA;
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			data += n;
			size -= (size_t)n;
		}
	}
	return 0;
}

static int request_send(int fd, const Rollcall__Request *request)
{
	_cleanup_(arena_freep) struct arena *a = arena_new(4096);
	uint8_t *bytes;
	size_t size;
	int r = a ? frame_pack(a, FRAME_REQUEST, &request->base, &bytes, &size) : -ENOMEM;

	return r < 0 ? r : write_all(fd, bytes, size);
}

int sensor_ask_again(int fd, Rollcall__Ask ask)
{
	Rollcall__Request request;

	rollcall__request__init(&request);
	request.ask = ask;
	return request_send(fd, &request);
}

static int sensor_connect(const char *path)
{
	_cleanup_(closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un un = {.sun_family = AF_UNIX};

	if (fd < 0)
		return -errno;
	if (strlen(path) >= sizeof(un.sun_path))
		return -ENAMETOOLONG;
	snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
	if (connect(fd, (const struct sockaddr *)&un, sizeof(un)) < 0)
		return -errno;
	return take_fd(fd);
}

bool sensor_is_there(const char *path)
{
	_cleanup_(closep) int fd = sensor_connect(path);

	return fd != -ENOENT && fd != -ECONNREFUSED;
}

int sensor_request(const char *path, const Rollcall__Request *request)
{
	_cleanup_(closep) int fd = sensor_connect(path);
	int r;

	if (fd == -EACCES)
		return log_error(fd, "'%s': run it as root", path);
	if (fd < 0)
		return log_error(fd,
				 "no sensor answers at '%s'; is rollcall-sensor running? "
				 "(--control names another socket)",
				 path);
	r = request_send(fd, request);
	return r < 0 ? log_error(r, "'%s'", path) : take_fd(fd);
}

int sensor_ask(const char *path, Rollcall__Ask ask)
{
	Rollcall__Request request;

	rollcall__request__init(&request);
	request.ask = ask;
	return sensor_request(path, &request);
}

int sensor_answer(int fd, struct arena *a, enum frame_type *ret_type,
		  ProtobufCMessage **ret_message)
{
	uint8_t header[FRAME_HEADER], *body;
	struct frame f;
	int r = read_all(fd, header, sizeof(header));

	if (r == 0)
		r = frame_header(header, &f.type, &f.size);
	if (r < 0)
		return r;
	body = arena_alloc(a, f.size + 1);
	if (!body)
		return -ENOMEM;
	r = read_all(fd, body, f.size);
	if (r < 0)
		return r;
	f.body = body;
	*ret_type = f.type;
	return frame_unpack(a, &f, ret_message);
}
