// SPDX-License-Identifier: Apache-2.0
// Orders: files.
#include "aggregator/orders.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "aggregator/ca.h"
#include "lib/arena.h"
#include "lib/clean.h"
#include "lib/digest.h"
#include "lib/log.h"

#define HEAD "rollcall-policy 1\n"

static void path_of(char path[4096], const char *dir, const char *host)
{
	if (host)
		snprintf(path, 4096, "%s/policy/%s.bundle", dir, host);
	else
		snprintf(path, 4096, "%s/policy.bundle", dir);
}

static int whole_read(int fd, size_t size, char *out)
{
	for (size_t n = 0; n < size;) {
		ssize_t got = read(fd, out + n, size - n);

		if (got <= 0)
			return got < 0 ? -errno : -EIO;
		n += (size_t)got;
	}
	return 0;
}

/* ---- putting ---- */

static int source_read(const char *path, char **ret_text, size_t *ret_size)
{
	_cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	_cleanup_(freep) char *text = NULL;
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return log_error(-errno, "cannot read '%s'", path);
	if (st.st_size > ORDERS_MAX)
		return log_error(0, "'%s': at most %d bytes can be sent", path, ORDERS_MAX), -EFBIG;
	text = malloc((size_t)st.st_size + 1);
	r = text ? whole_read(fd, (size_t)st.st_size, text) : -ENOMEM;
	if (r < 0)
		return log_error(r, "cannot read '%s'", path);
	if ((size_t)st.st_size < strlen(HEAD) || memcmp(text, HEAD, strlen(HEAD)) != 0)
		return log_error(0, "'%s' is no signed policy (rollcall policy sign makes one)",
				 path),
		       -EINVAL;
	*ret_text = take_ptr(text);
	*ret_size = (size_t)st.st_size;
	return 0;
}

static int target_write(const char *path, const char *text, size_t size)
{
	char temporary[4096 + 8];
	_cleanup_(closep) int fd = -1;
	int r = 0;

	snprintf(temporary, sizeof(temporary), "%s.new", path);
	fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	if (fd < 0)
		return -errno;
	for (size_t n = 0; n < size && r == 0;) {
		ssize_t written = write(fd, text + n, size - n);

		if (written < 0)
			r = -errno;
		else
			n += (size_t)written;
	}
	if (r == 0 && (fsync(fd) < 0 || rename(temporary, path) < 0))
		r = -errno;
	if (r < 0)
		unlink(temporary);
	return r;
}

int orders_put(const char *dir, const char *host, const char *path)
{
	_cleanup_(freep) char *text = NULL;
	char target[4096];
	size_t size = 0;
	int r;

	if (host && !ca_name_valid(host))
		return log_error(0, "'%s' is no name of a host", host), -EINVAL;
	r = source_read(path, &text, &size);
	if (r < 0)
		return r;
	snprintf(target, sizeof(target), "%s/policy", dir);
	if (host && mkdir(target, 0750) < 0 && errno != EEXIST)
		return log_error(-errno, "cannot make '%s'", target);
	path_of(target, dir, host);
	r = target_write(target, text, size);
	return r < 0 ? log_error(r, "cannot write '%s'", target) : 0;
}

/* ---- sending ---- */

/* A host's own comes before that of all. */
static int present_open(const char *dir, const char *host)
{
	char path[4096];
	int fd;

	path_of(path, dir, host);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT) {
		path_of(path, dir, NULL);
		fd = open(path, O_RDONLY | O_CLOEXEC);
	}
	return fd < 0 ? -errno : fd;
}

int orders_next(struct arena *a, const char *dir, const char *host, struct orders_mark *mark,
		Rollcall__Order *ret_order)
{
	_cleanup_(closep) int fd = present_open(dir, host);
	struct stat st;
	int64_t changed;
	char *text, *id;
	int r;

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	changed = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
	if (st.st_ino == mark->inode && changed == mark->changed)
		return 0;
	/* What cannot be sent is looked at, and told, once. */
	*mark = (struct orders_mark){st.st_ino, changed};
	if (!S_ISREG(st.st_mode) || st.st_size > ORDERS_MAX)
		return -EFBIG;
	text = arena_alloc(a, (size_t)st.st_size + 1);
	id = arena_alloc(a, DIGEST_HEX);
	if (!text || !id)
		return -ENOMEM;
	r = whole_read(fd, (size_t)st.st_size, text);
	if (r == 0)
		r = digest_hex(text, (size_t)st.st_size, id);
	if (r < 0)
		return r;
	rollcall__order__init(ret_order);
	ret_order->id = id;
	ret_order->body = (ProtobufCBinaryData){(size_t)st.st_size, (uint8_t *)text};
	return 1;
}
