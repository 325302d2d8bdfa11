// SPDX-License-Identifier: Apache-2.0
// Reading, replacing and locking the baseline's file. Any bytes in it are safe input.
#include "lib/baseline_file.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/arena.h"
#include "lib/clean.h"
#include "lib/segment.h"

#define VERSION	       1
#define SIZE_MAX_BYTES (256u << 20)

static const char magic[8] = "rollbase";

/* Little-endian. */
struct header {
	char magic[8];
	uint32_t version;
	uint32_t crc; /* of version and body */
	uint64_t size;
};

static int bytes_read(int fd, void *data, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = read(fd, (char *)data + done, size - done);

		if (n < 0)
			return -errno;
		if (n == 0)
			return -EBADMSG;
		done += (size_t)n;
	}
	return 0;
}

static int bytes_write(int fd, const void *data, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = write(fd, (const char *)data + done, size - done);

		if (n < 0)
			return -errno;
		done += (size_t)n;
	}
	return 0;
}

static uint32_t body_crc(const void *body, size_t size)
{
	const uint64_t version = VERSION;

	return segment_crc(&version, sizeof(version), body, size);
}

static int open_read(int fd, struct arena *a, Rollcall__Baseline **ret_baseline)
{
	_cleanup_(freep) uint8_t *body = NULL;
	Rollcall__Baseline *m;
	struct header h;
	uint64_t size;
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return -errno;
	r = bytes_read(fd, &h, sizeof(h));
	if (r < 0)
		return r;
	size = le64toh(h.size);
	if (memcmp(h.magic, magic, sizeof(magic)) != 0 || le32toh(h.version) != VERSION ||
	    size > SIZE_MAX_BYTES || (uint64_t)st.st_size != sizeof(h) + size)
		return -EBADMSG;
	body = malloc(size + 1);
	r = body ? bytes_read(fd, body, size) : -ENOMEM;
	if (r < 0)
		return r;
	if (body_crc(body, size) != le32toh(h.crc))
		return -EBADMSG;
	m = rollcall__baseline__unpack(arena_protobuf(a), size, body);
	if (!m)
		return -EBADMSG;
	*ret_baseline = m;
	return 0;
}

int baseline_file_read(const char *path, struct arena *a, Rollcall__Baseline **ret_baseline)
{
	_cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	return fd < 0 ? -errno : open_read(fd, a, ret_baseline);
}

static int replace(const char *new, const char *path, const struct header *h, const void *body,
		   size_t size)
{
	_cleanup_(closep) int fd =
		open(new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	int r = fd < 0 ? -errno : bytes_write(fd, h, sizeof(*h));

	if (r == 0)
		r = bytes_write(fd, body, size);
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	if (r == 0 && rename(new, path) < 0)
		r = -errno;
	return r;
}

int baseline_file_write(const char *path, const Rollcall__Baseline *m)
{
	size_t size = rollcall__baseline__get_packed_size(m);
	_cleanup_(freep) uint8_t *body = malloc(size + 1);
	struct header h = {.version = htole32(VERSION), .size = htole64(size)};
	char new[PATH_MAX];
	int r;

	if (!body)
		return -ENOMEM;
	if (size > SIZE_MAX_BYTES ||
	    (size_t)snprintf(new, sizeof(new), "%s.new", path) >= sizeof(new))
		return -EFBIG;
	rollcall__baseline__pack(m, body);
	memcpy(h.magic, magic, sizeof(magic));
	h.crc = htole32(body_crc(body, size));
	r = replace(new, path, &h, body, size);
	if (r < 0)
		unlink(new);
	return r;
}

int baseline_file_lock(const char *path)
{
	char lock[PATH_MAX];
	_cleanup_(closep) int fd = -1;

	if ((size_t)snprintf(lock, sizeof(lock), "%s.lock", path) >= sizeof(lock))
		return -ENAMETOOLONG;
	fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
		return -errno;
	return take_fd(fd);
}
