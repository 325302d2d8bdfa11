// SPDX-License-Identifier: Apache-2.0
// Files of the BPF file system. A set is filled under another name and renamed when it is whole: a
// sensor that is killed meanwhile leaves nothing that looks like one.
#include "sensor/pins.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "lib/clean.h"

#define ROOT "/sys/fs/bpf"

struct pins {
	char directory[PATH_MAX - 2 * NAME_MAX - 4];
	char set[NAME_MAX + 1]; /* "": none */
	int dir;		/* locked */
};

static void closedirp(DIR **d)
{
	if (*d)
		closedir(*d);
}

/* systemd mounts it; a container's init may not. Where that is not permitted, making fails. */
static void root_mount(void)
{
	struct statfs fs;

	if (statfs(ROOT, &fs) == 0 && fs.f_type != BPF_FS_MAGIC)
		mount("bpf", ROOT, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700");
}

/* One that somebody else may write to could be exchanged for another. */
static int directory_make(const char *path)
{
	struct stat st;

	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return -errno;
	if (lstat(path, &st) < 0)
		return -errno;
	return S_ISDIR(st.st_mode) && st.st_uid == 0 && !(st.st_mode & (S_IWGRP | S_IWOTH))
		       ? 0
		       : -EPERM;
}

/* And every directory below the root that is missing on the way. */
static int directories_make(const char *directory)
{
	char path[PATH_MAX];
	char *slash = path + sizeof(ROOT) - 1;
	int r = 0;

	snprintf(path, sizeof(path), "%s", directory);
	while (r == 0 && (slash = strchr(slash + 1, '/'))) {
		*slash = '\0';
		r = directory_make(path);
		*slash = '/';
	}
	return r < 0 ? r : directory_make(path);
}

/* Who may write there could have put anything there. */
static int directory_check(int dir)
{
	struct statfs fs;
	struct stat st;

	if (dir < 0 || fstatfs(dir, &fs) < 0 || fstat(dir, &st) < 0)
		return -errno;
	if (fs.f_type != BPF_FS_MAGIC)
		return -EOPNOTSUPP;
	if (st.st_uid != 0 || st.st_mode & (S_IRWXG | S_IRWXO))
		return -EPERM;
	return flock(dir, LOCK_EX | LOCK_NB) < 0 ? -errno : 0;
}

int pins_open(const char *directory, struct pins **ret)
{
	_cleanup_(pins_freep) struct pins *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return -ENOMEM;
	p->dir = -1;
	if (strncmp(directory, ROOT "/", sizeof(ROOT)) != 0 ||
	    strlen(directory) >= sizeof(p->directory))
		return -EINVAL;
	strcpy(p->directory, directory);
	root_mount();
	r = directories_make(directory);
	if (r < 0)
		return r;
	p->dir = open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	r = directory_check(p->dir);
	if (r < 0)
		return r;
	*ret = take_ptr(p);
	return 0;
}

struct pins *pins_free(struct pins *p)
{
	if (p)
		closep(&p->dir);
	free(p);
	return NULL;
}

void pins_freep(struct pins **p)
{
	*p = pins_free(*p);
}

static void path_of(const struct pins *p, const char *name, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/%s/%s", p->directory, p->set, name);
}

bool pins_use(struct pins *p, const char *name)
{
	struct stat st;

	*p->set = '\0';
	if (fstatat(p->dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode) ||
	    st.st_uid != 0)
		return false;
	snprintf(p->set, sizeof(p->set), "%s", name);
	return true;
}

int pins_begin(struct pins *p)
{
	/* One that a killed sensor began may be there, with files that are not its own. */
	snprintf(p->set, sizeof(p->set), "new-%d", (int)getpid());
	return mkdirat(p->dir, p->set, 0700) < 0 ? -errno : 0;
}

int pins_commit(struct pins *p, const char *name)
{
	if (renameat(p->dir, p->set, p->dir, name) < 0)
		return -errno;
	snprintf(p->set, sizeof(p->set), "%s", name);
	return 0;
}

int pins_get(const struct pins *p, const char *name)
{
	char path[PATH_MAX];
	int fd;

	path_of(p, name, path);
	fd = bpf_obj_get(path);
	return fd < 0 ? -errno : fd;
}

int pins_put(const struct pins *p, const char *name, int fd)
{
	char path[PATH_MAX];

	path_of(p, name, path);
	return bpf_obj_pin(fd, path) < 0 ? -errno : 0;
}

static int directory_each(int dir, const char *name, int (*fn)(void *ctx, const char *name),
			  void *ctx)
{
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), r = 0;
	_cleanup_(closedirp) DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!d)
		return -errno;
	while (r == 0 && (e = readdir(d)))
		if (*e->d_name != '.')
			r = fn(ctx, e->d_name);
	return r;
}

int pins_each(const struct pins *p, int (*fn)(void *ctx, const char *name), void *ctx)
{
	return directory_each(p->dir, p->set, fn, ctx);
}

struct removal {
	const struct pins *pins;
	pins_mine_fn mine;
	void *ctx;
};

static int file_remove(void *ctx, const char *name)
{
	const struct removal *r = ctx;
	_cleanup_(closep) int fd = pins_get(r->pins, name);
	char path[PATH_MAX];

	path_of(r->pins, name, path);
	if (fd >= 0 && r->mine(r->ctx, fd, name))
		unlink(path);
	return 0;
}

int pins_remove(struct pins *p, pins_mine_fn mine, void *ctx)
{
	int r = *p->set ? pins_each(p, file_remove, &(struct removal){p, mine, ctx}) : -ENOENT;

	if (r == -ENOENT)
		r = 0;
	else if (r == 0 && unlinkat(p->dir, p->set, AT_REMOVEDIR) < 0)
		r = -errno;
	*p->set = '\0';
	return r;
}

void pins_close(struct pins *p)
{
	rmdir(p->directory);
}

#define SETS_MAX 32

struct sets {
	const struct pins *pins;
	char names[SETS_MAX][NAME_MAX + 1];
	unsigned n;
};

static int set_note(void *ctx, const char *name)
{
	struct sets *s = ctx;

	if (s->n < SETS_MAX && strcmp(name, s->pins->set) != 0)
		snprintf(s->names[s->n++], NAME_MAX + 1, "%s", name);
	return 0;
}

void pins_others(struct pins *p, void (*fn)(void *ctx), void *ctx)
{
	struct sets sets = {.pins = p};
	char own[NAME_MAX + 1];

	snprintf(own, sizeof(own), "%s", p->set);
	directory_each(p->dir, ".", set_note, &sets);
	for (unsigned i = 0; i < sets.n; i++)
		if (pins_use(p, sets.names[i]))
			fn(ctx);
	snprintf(p->set, sizeof(p->set), "%s", own);
}
