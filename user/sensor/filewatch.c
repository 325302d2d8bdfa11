// SPDX-License-Identifier: Apache-2.0
// The watched files. Made in main; driven by the pipeline: resolve and server at start, sync
// after that, after DDL and each minute. The maps in the kernel hold exactly the entries whose
// `set` flag is up.
#include "sensor/filewatch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "lib/arena.h"
#include "lib/clean.h"
#include "lib/dbfile.h"
#include "lib/resolved.h"
#include "sensor/watch.h"

#define SERVERS_MAX 64

struct file {
	char *path;
	uint64_t mask;
	struct filewatch_key key;
	bool segmented; /* PostgreSQL: PATH.1, PATH.2 ... belong to it */
	bool set;	/* the key is in the kernel's map */
	bool gone;
};

struct server {
	char *datadir; /* MariaDB; NULL: none */
	struct filewatch_key exe;
	bool set;
};

struct filewatch {
	const struct watch *watch;
	struct file *files;
	size_t n;
	struct server servers[SERVERS_MAX];
	size_t n_servers;
	uint64_t lost; /* tables of which a file that setup found went since filewatch_lost() */
};

struct filewatch *filewatch_new(const struct watch *w)
{
	struct filewatch *f = calloc(1, sizeof(*f));

	if (f)
		f->watch = w;
	return f;
}

struct filewatch *filewatch_free(struct filewatch *f)
{
	if (!f)
		return NULL;
	for (size_t i = 0; i < f->n; i++)
		free(f->files[i].path);
	for (size_t i = 0; i < f->n_servers; i++)
		free(f->servers[i].datadir);
	free(f->files);
	free(f);
	return NULL;
}

void filewatch_freep(struct filewatch **f)
{
	*f = filewatch_free(*f);
}

/*
 * The device in the super block, which is what BPF reads. On btrfs stat() gives another number
 * for each subvolume; mountinfo has the true one, under the mount's id.
 */
static uint32_t mount_dev(const struct statx *st)
{
	_cleanup_(fclosep) FILE *in = fopen("/proc/self/mountinfo", "re");
	char line[PATH_MAX];
	unsigned long long id;
	unsigned maj, min;

	while (st->stx_mask & STATX_MNT_ID && in && fgets(line, sizeof(line), in))
		if (sscanf(line, "%llu %*u %u:%u", &id, &maj, &min) == 3 && id == st->stx_mnt_id)
			return maj << 20 | min;
	return st->stx_dev_major << 20 | st->stx_dev_minor;
}

int filewatch_key(const char *path, struct filewatch_key *ret)
{
	struct statx st;

	if (statx(AT_FDCWD, path, 0, STATX_INO | STATX_TYPE | STATX_MNT_ID, &st))
		return -errno;
	*ret = (struct filewatch_key){.ino = st.stx_ino, .dev = mount_dev(&st)};
	return 0;
}

static bool key_same(const struct filewatch_key *a, const struct filewatch_key *b)
{
	return a->ino == b->ino && a->dev == b->dev;
}

static struct file *file_find(struct filewatch *f, const char *path)
{
	for (size_t i = 0; i < f->n; i++)
		if (!strcmp(f->files[i].path, path))
			return &f->files[i];
	return NULL;
}

static int file_add(struct filewatch *f, const char *path, uint64_t mask, struct file **ret)
{
	struct file *file = file_find(f, path);

	if (!file) {
		struct file *grown;

		if (f->n == FILEWATCH_FILES_MAX)
			return -ENOSPC;
		grown = reallocarray(f->files, f->n + 1, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		f->files = grown;
		file = &grown[f->n];
		*file = (struct file){.path = strdup(path), .gone = true};
		if (!file->path)
			return -ENOMEM;
		f->n++;
	}
	file->mask |= mask;
	*ret = file;
	return 0;
}

/* ---- where files are known from ---- */

/* A name without a schema is good for one with it. */
static bool schema_same(const char *a, const char *b)
{
	return !*a || !*b || !strcmp(a, b);
}

static uint64_t table_mask(const struct watch *w, const struct watchname *name)
{
	uint64_t mask = 0;

	for (unsigned i = 0; i < watch_count(w); i++) {
		const struct watchname *t = watch_table(w, i);

		if (resolved_same_system(t->system, name->system) &&
		    !strcmp(t->database, name->database) && schema_same(t->schema, name->schema) &&
		    !strcmp(t->table, name->table))
			mask |= 1ull << i;
	}
	return mask;
}

static int table_resolve(struct filewatch *f, const struct resolved_table *t, uint64_t mask)
{
	bool pg = t->name.system == ROLLCALL__SYSTEM__postgresql;

	for (size_t i = 0; i < t->n_files; i++) {
		const char *base = strrchr(t->files[i].path, '/');
		struct file *file;
		int r = file_add(f, t->files[i].path, mask, &file);

		if (r)
			return r;
		file->segmented = pg && base && !strchr(base, '.');
		/* Until a sync, and for ever where the sensor may not look into the directory. */
		file->key = (struct filewatch_key){.ino = t->files[i].ino, .dev = t->files[i].dev};
		file->gone = false;
	}
	return 0;
}

static int server_add(struct filewatch *f, const struct filewatch_key *exe, const char *datadir)
{
	struct server *s;

	for (size_t i = 0; i < f->n_servers; i++) {
		const char *known = f->servers[i].datadir;

		if (key_same(&f->servers[i].exe, exe) &&
		    (known && datadir ? !strcmp(known, datadir) : known == datadir))
			return 0;
	}
	if (f->n_servers == SERVERS_MAX)
		return -ENOSPC;
	s = &f->servers[f->n_servers];
	*s = (struct server){.exe = *exe};
	if (datadir && !(s->datadir = strdup(datadir)))
		return -ENOMEM;
	f->n_servers++;
	return 0;
}

int filewatch_resolve(struct filewatch *f, const struct resolved *r)
{
	int e = 0;

	for (size_t i = 0; !e && i < r->n_servers; i++) {
		struct filewatch_key exe;

		/* By path: the number in the file may be another program's by now. */
		if (!filewatch_key(r->servers[i].exe, &exe))
			e = server_add(f, &exe, NULL);
	}
	for (size_t i = 0; !e && i < r->n_tables; i++) {
		uint64_t mask = table_mask(f->watch, &r->tables[i].name);

		if (mask)
			e = table_resolve(f, &r->tables[i], mask);
	}
	return e;
}

int filewatch_server(struct filewatch *f, Rollcall__System system, int pid)
{
	char path[64], datadir[PATH_MAX];
	struct filewatch_key exe;
	ssize_t n;
	int r;

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	r = filewatch_key(path, &exe);
	if (r)
		return r;
	if (system == ROLLCALL__SYSTEM__postgresql)
		return server_add(f, &exe, NULL);
	/* MariaDB works in its data directory, whatever its configuration says. */
	snprintf(path, sizeof(path), "/proc/%d/cwd", pid);
	n = readlink(path, datadir, sizeof(datadir) - 1);
	if (n < 0)
		return -errno;
	datadir[n] = '\0';
	return server_add(f, &exe, datadir);
}

/* ---- looking again ---- */

/* Files of one MariaDB table as the directory has them now. */
static int directory_scan(struct filewatch *f, const char *datadir, const struct watchname *t,
			  uint64_t mask)
{
	char database[DBFILE_ENCODED(WATCHNAME_PART_MAX)], table[sizeof(database)];
	char path[PATH_MAX + sizeof(database) + NAME_MAX + 3];
	struct dirent *e;
	size_t n;
	int r = 0;
	DIR *d;

	dbfile_encode(t->database, database);
	dbfile_encode(t->table, table);
	n = (size_t)snprintf(path, PATH_MAX + sizeof(database), "%s/%s", datadir, database);
	d = opendir(path);
	while (!r && d && (e = readdir(d))) {
		struct file *file;

		if (!dbfile_is_of(e->d_name, table))
			continue;
		snprintf(path + n, sizeof(path) - n, "/%s", e->d_name);
		r = file_add(f, path, mask, &file);
	}
	if (d)
		closedir(d);
	return r;
}

static int directories_scan(struct filewatch *f)
{
	for (size_t i = 0; i < f->n_servers; i++)
		for (unsigned k = 0; f->servers[i].datadir && k < watch_count(f->watch); k++) {
			const struct watchname *t = watch_table(f->watch, k);
			int r = t->system == ROLLCALL__SYSTEM__postgresql
					? 0
					: directory_scan(f, f->servers[i].datadir, t, 1ull << k);

			if (r)
				return r;
		}
	return 0;
}

/* A table grew past another gigabyte. */
static int segments_scan(struct filewatch *f)
{
	char path[PATH_MAX + 16];

	for (size_t i = 0; i < f->n; i++)
		for (unsigned k = 1; f->files[i].segmented; k++) {
			struct file *file;
			int r;

			snprintf(path, sizeof(path), "%s.%u", f->files[i].path, k);
			if (access(path, F_OK))
				break;
			r = file_add(f, path, f->files[i].mask, &file);
			if (r)
				return r;
		}
	return 0;
}

/* Takes a key out, unless another file holds it by now (a number is used again after unlink). */
static int key_clear(struct filewatch *f, struct file *file, filewatch_set_fn set, void *ctx)
{
	if (!file->set)
		return 0;
	file->set = false;
	for (size_t i = 0; i < f->n; i++)
		if (f->files[i].set && key_same(&f->files[i].key, &file->key))
			return 0;
	return set(ctx, "watched_inode", &file->key, NULL);
}

static int file_sync(struct filewatch *f, struct file *file, filewatch_set_fn set, void *ctx)
{
	struct filewatch_key now;
	int e = filewatch_key(file->path, &now), r = 0;

	if (e == -ENOENT || e == -ENOTDIR) {
		/* The new one has another name. MariaDB's have the old one, in a moment. */
		if (file->segmented && !file->gone)
			f->lost |= file->mask;
		file->gone = true;
		return key_clear(f, file, set, ctx);
	}
	/* Where the sensor may not look, what setup saw stands. */
	if (!e && !key_same(&now, &file->key)) {
		r = key_clear(f, file, set, ctx);
		file->key = now;
	}
	if (!file->key.ino)
		return r;
	file->gone = false;
	if (!r && !file->set) {
		uint64_t mask = filewatch_match(f, file->key.dev, file->key.ino);

		r = set(ctx, "watched_inode", &file->key, &mask);
		file->set = !r;
	}
	return r;
}

int filewatch_sync(struct filewatch *f, filewatch_set_fn set, void *ctx)
{
	int r = directories_scan(f);
	int e = segments_scan(f);

	r = r ? r : e;
	for (size_t i = 0; i < f->n_servers; i++) {
		struct server *s = &f->servers[i];
		uint32_t one = 1;

		if (s->set)
			continue;
		e = set(ctx, "server_exe", &s->exe, &one);
		s->set = !e;
		r = r ? r : e;
	}
	for (size_t i = 0; i < f->n; i++) {
		e = file_sync(f, &f->files[i], set, ctx);
		r = r ? r : e;
	}
	return r;
}

uint64_t filewatch_match(const struct filewatch *f, uint32_t dev, uint64_t ino)
{
	uint64_t mask = 0;

	for (size_t i = 0; i < f->n; i++)
		if (f->files[i].key.ino == ino && f->files[i].key.dev == dev && !f->files[i].gone)
			mask |= f->files[i].mask;
	return mask;
}

char *filewatch_tables(const struct filewatch *f, struct arena *a, const Rollcall__Inode *inode)
{
	uint64_t mask = inode ? filewatch_match(f, inode->dev, inode->ino) : 0;
	char *tables = arena_strdup(a, "");

	for (unsigned i = 0; i < watch_count(f->watch) && tables; i++)
		if (mask & 1ull << i)
			tables = arena_printf(a, "%s%s%s", tables, *tables ? " " : "",
					      watch_table_name(f->watch, i));
	return tables;
}

uint64_t filewatch_blind(const struct filewatch *f)
{
	unsigned n = watch_count(f->watch);
	uint64_t seen = 0;

	for (size_t i = 0; i < f->n; i++)
		if (!f->files[i].gone)
			seen |= f->files[i].mask;
	return (n == 64 ? ~0ull : (1ull << n) - 1) & ~seen;
}

uint64_t filewatch_lost(struct filewatch *f)
{
	uint64_t lost = f->lost;

	f->lost = 0;
	return lost;
}
