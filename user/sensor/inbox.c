// SPDX-License-Identifier: Apache-2.0
// The inbox directory and the bundle that was taken last.
#include "sensor/inbox.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/clean.h"
#include "lib/ed25519.h"
#include "lib/log.h"
#include "lib/sigma/fileset.h"

#define SUFFIX ".bundle"

struct inbox {
	struct inbox_opts opts;
	struct ed25519 *key;
	uint64_t serial; /* of what was taken last */
	bool stuck;	 /* what was looked at cannot be removed */
};

/* A regular file whole: no links, no waiting. */
static int file_read(const char *path, char **ret_text, size_t *ret_size)
{
	_cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	_cleanup_(freep) char *text = NULL;
	struct stat st;
	size_t n = 0;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if (st.st_size > BUNDLE_MAX)
		return -EFBIG;
	text = malloc((size_t)st.st_size + 1);
	if (!text)
		return -ENOMEM;
	while (n < (size_t)st.st_size) {
		ssize_t got = read(fd, text + n, (size_t)st.st_size - n);

		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		n += (size_t)got;
	}
	*ret_text = take_ptr(text);
	*ret_size = n;
	return 0;
}

static int bundle_take(struct inbox *i, const char *path, bool kept, inbox_fn fn, void *ctx)
{
	struct inbox_bundle b = {.path = path, .kept = kept};
	_cleanup_(fileset_freep) struct fileset *files = fileset_new();
	_cleanup_(freep) char *text = NULL;

	b.files = files;
	b.error = files ? file_read(path, &text, &b.size) : -ENOMEM;
	b.text = text;
	if (b.error < 0)
		snprintf(b.why, sizeof(b.why), "cannot be read: %s", strerror(-b.error));
	else
		b.error = bundle_read(path, text, b.size, i->key, files, &b.serial, b.why);
	if (b.error == 0 && kept)
		i->serial = b.serial;
	else if (b.error == 0 && b.serial <= i->serial) {
		b.error = -ESTALE;
		snprintf(b.why, sizeof(b.why),
			 "its serial number %" PRIu64 " is not above %" PRIu64
			 ", which was taken before",
			 b.serial, i->serial);
	}
	return fn(ctx, &b);
}

void inbox_begin(struct inbox *i, inbox_fn fn, void *ctx)
{
	if (access(i->opts.accepted, F_OK) == 0)
		bundle_take(i, i->opts.accepted, true, fn, ctx);
}

static int is_bundle(const struct dirent *e)
{
	size_t len = strlen(e->d_name), suffix = strlen(SUFFIX);

	return e->d_name[0] != '.' && len > suffix && strcmp(e->d_name + len - suffix, SUFFIX) == 0;
}

void inbox_look(struct inbox *i, inbox_fn fn, void *ctx)
{
	struct dirent **entries;
	int n = i->stuck ? 0 : scandir(i->opts.directory, &entries, is_bundle, alphasort);
	char path[4096];

	if (n <= 0)
		return;
	snprintf(path, sizeof(path), "%s/%s", i->opts.directory, entries[0]->d_name);
	while (n > 0)
		free(entries[--n]);
	free(entries);
	bundle_take(i, path, false, fn, ctx);
	if (unlink(path) < 0) {
		i->stuck = true;
		log_error(-errno, "'%s' cannot be removed: no further bundle is looked at", path);
	}
}

static int write_all(int fd, const char *text, size_t size)
{
	while (size) {
		ssize_t n = write(fd, text, size);

		if (n < 0)
			return -errno;
		text += n;
		size -= (size_t)n;
	}
	return fsync(fd) < 0 ? -errno : 0;
}

/* The name is on disk once its directory is. */
static int directory_sync(const char *path)
{
	char dir[4096], *slash;
	_cleanup_(closep) int fd = -1;

	snprintf(dir, sizeof(dir), "%s", path);
	slash = strrchr(dir, '/');
	slash[slash == dir] = '\0';
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

int inbox_keep(struct inbox *i, const struct inbox_bundle *b)
{
	char path[4096];
	_cleanup_(closep) int fd = -1;
	int r;

	snprintf(path, sizeof(path), "%s.new", i->opts.accepted);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	r = write_all(fd, b->text, b->size);
	if (r == 0 && rename(path, i->opts.accepted) < 0)
		r = -errno;
	if (r == 0)
		r = directory_sync(i->opts.accepted);
	if (r < 0) {
		unlink(path);
		return r;
	}
	i->serial = b->serial;
	return 0;
}

int inbox_new(const struct inbox_opts *opts, struct inbox **ret_inbox)
{
	struct inbox *i = calloc(1, sizeof(*i));
	int r;

	if (!i)
		return log_error(-ENOMEM, "cannot start");
	i->opts = *opts;
	r = ed25519_public(opts->key, &i->key);
	if (r == -EINVAL)
		log_error(0, "policy.key '%s': not an Ed25519 public key in PEM", opts->key);
	else if (r < 0)
		log_error(r, "policy.key '%s'", opts->key);
	else if (mkdir(opts->directory, 0700) < 0 && errno != EEXIST)
		r = log_error(-errno, "policy.inbox '%s'", opts->directory);
	if (r < 0) {
		inbox_free(i);
		return r;
	}
	*ret_inbox = i;
	return 0;
}

struct inbox *inbox_free(struct inbox *i)
{
	if (i)
		ed25519_free(i->key);
	free(i);
	return NULL;
}
