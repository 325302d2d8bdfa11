// SPDX-License-Identifier: Apache-2.0
// Installs rules.
#include "cli/policy_install.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/clean.h"
#include "lib/log.h"
#include "lib/sigma/fileset.h"

static int entry_remove(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

/* Whatever is there, or nothing. */
static int tree_remove(const char *path)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	return nftw(path, entry_remove, 16, FTW_DEPTH | FTW_PHYS) == 0 ? 0 : -errno;
}

static int path_join(char path[PATH_MAX], const char *a, const char *b)
{
	return snprintf(path, PATH_MAX, "%s%s", a, b) < PATH_MAX ? 0 : -ENAMETOOLONG;
}

static int file_write(const char *path, const struct fileset_file *f)
{
	_cleanup_(closep) int fd =
		open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	size_t done = 0;

	if (fd < 0)
		return -errno;
	while (done < f->size) {
		ssize_t n = write(fd, f->text + done, f->size - done);

		if (n < 0)
			return -errno;
		done += (size_t)n;
	}
	return fsync(fd) < 0 ? -errno : 0;
}

/* The directories on the way to a file. */
static int parents_make(char *path, size_t begin)
{
	for (char *p = path + begin; (p = strchr(p, '/')); p++) {
		*p = '\0';
		if (mkdir(path, 0755) < 0 && errno != EEXIST)
			return -errno;
		*p = '/';
	}
	return 0;
}

static int directory_write(const char *path, const struct fileset *files)
{
	char file[PATH_MAX];
	int r = mkdir(path, 0755) < 0 ? -errno : 0;

	for (const struct fileset_file *f = fileset_files(files); f && r == 0; f = f->next) {
		r = snprintf(file, sizeof(file), "%s/%s", path, f->name) < PATH_MAX ? 0
										    : -ENAMETOOLONG;
		if (r == 0)
			r = parents_make(file, strlen(path) + 1);
		if (r == 0)
			r = file_write(file, f);
	}
	return r;
}

/* The directory that the names are in. */
static int parent_open(const char *path)
{
	char dir[PATH_MAX], *slash;
	int fd;

	snprintf(dir, sizeof(dir), "%s", path);
	slash = strrchr(dir, '/');
	if (slash)
		slash[slash == dir] = '\0';
	fd = open(slash ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int places_swap(const struct policy_install *i)
{
	unsigned flags = i->fresh ? RENAME_NOREPLACE : RENAME_EXCHANGE;

	return renameat2(AT_FDCWD, i->staged, AT_FDCWD, i->target, flags) < 0 ? -errno : 0;
}

/* A change of names is on disk once their directory is. */
static int places_change(const struct policy_install *i)
{
	int r = places_swap(i);

	if (r == 0 && fsync(i->lock) < 0) {
		r = -errno;
		if (i->fresh)
			rename(i->target, i->staged);
		else
			places_swap(i);
	}
	return r;
}

static int stage(struct policy_install *i, const struct fileset *files, bool single)
{
	int r = tree_remove(i->staged);

	if (r == 0)
		r = single ? file_write(i->staged, fileset_files(files))
			   : directory_write(i->staged, files);
	if (r == 0)
		r = places_change(i);
	if (r < 0)
		tree_remove(i->staged);
	return r;
}

int policy_install(const struct fileset *files, const char *target, bool single,
		   struct policy_install *ret_install)
{
	struct policy_install *i = ret_install;
	struct stat st;
	int r = path_join(i->target, target, "");

	if (r == 0)
		r = path_join(i->staged, target, ".new");
	if (r < 0)
		return log_error(r, "'%s'", target);
	i->lock = parent_open(target);
	if (i->lock < 0)
		return log_error(i->lock, "cannot install the rules in '%s'", target);
	if (flock(i->lock, LOCK_EX | LOCK_NB) < 0)
		return log_error(-errno, "'%s': rules are being installed by another command",
				 target);
	i->fresh = stat(target, &st) < 0;
	if (i->fresh && errno != ENOENT)
		return log_error(-errno, "'%s'", target);
	if (!i->fresh && S_ISDIR(st.st_mode) == single)
		return log_error(single ? -EISDIR : -ENOTDIR,
				 "'%s' is replaced as a whole, by what is of its kind", target);
	r = stage(i, files, single);
	return r < 0 ? log_error(r, "cannot install the rules in '%s'", target) : 0;
}

int policy_install_undo(struct policy_install *i)
{
	int r = 0;

	if (i->fresh)
		r = rename(i->target, i->staged) < 0 ? -errno : 0;
	else
		r = places_change(i);
	if (r == 0)
		r = tree_remove(i->staged);
	return r < 0 ? log_error(
			       r,
			       "'%s' holds rules that were refused; the ones in force are in '%s'",
			       i->target, i->staged)
		     : 0;
}

int policy_install_keep(struct policy_install *i)
{
	char before[PATH_MAX];
	int r = path_join(before, i->target, ".before");

	if (i->fresh)
		return 0;
	if (r == 0)
		r = tree_remove(before);
	if (r == 0 && rename(i->staged, before) < 0)
		r = -errno;
	return r < 0 ? log_warn(r, "the rules of before stay in '%s'", i->staged) : 0;
}
