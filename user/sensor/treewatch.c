// SPDX-License-Identifier: Apache-2.0
// Paths of interest and their inodes. A path that is replaced has another inode: the old one is
// taken out when no other path holds it.
#include "sensor/treewatch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/clean.h"

/* As event.proto tells the marks of FileOpen. */
static const struct {
	const char *name, *map;
	uint32_t mark;
} lists[] = {
	{"files.web_roots", "watched_tree", 1}, {"files.secrets", "watched_tree", 2},
	{"files.logs", "watched_tree", 4},	{"files.config", "watched_tree", 8},
	{"processes.watch", "watched_exe", 1},
};
#define LISTS (sizeof(lists) / sizeof(lists[0]))

struct path {
	char *path;
	char *real; /* of a program: without symbolic links, as the kernel names it */
	const char *map;
	uint32_t mark;
	struct filewatch_key key;
	bool here;  /* key is its inode */
	bool named; /* its text is in the map "watched_name" */
};

/* As struct tree_name in bpf/interest.h. */
struct tree_name {
	uint32_t bits;
	char bytes[248];
};

/* One entry of a map, as the kernel has it. */
struct entry {
	const char *map;
	struct filewatch_key key;
	uint32_t marks;
};

struct treewatch {
	struct path paths[TREEWATCH_PATHS_MAX];
	struct entry set[TREEWATCH_PATHS_MAX];
	unsigned n, n_set;
};

struct treewatch *treewatch_new(void)
{
	return calloc(1, sizeof(struct treewatch));
}

struct treewatch *treewatch_free(struct treewatch *t)
{
	for (unsigned i = 0; t && i < t->n; i++) {
		free(t->paths[i].path);
		free(t->paths[i].real);
	}
	free(t);
	return NULL;
}

int treewatch_add(struct treewatch *t, const char *list, const char *path)
{
	struct path *p = &t->paths[t->n];

	if (*path != '/')
		return -EINVAL;
	if (t->n == TREEWATCH_PATHS_MAX)
		return -ENOSPC;
	for (unsigned i = 0; i < LISTS; i++) {
		if (strcmp(lists[i].name, list) != 0)
			continue;
		*p = (struct path){.map = lists[i].map, .mark = lists[i].mark};
		p->path = strdup(path);
		if (!p->path)
			return -ENOMEM;
		t->n++;
		return 0;
	}
	return -ENOENT;
}

static void path_real(struct path *p)
{
	if (strcmp(p->map, "watched_exe") != 0)
		return;
	free(p->real);
	p->real = realpath(p->path, NULL);
}

/* Where the sensor may not look for the moment, what it saw last stands. */
static void paths_look(struct treewatch *t)
{
	for (unsigned i = 0; i < t->n; i++) {
		struct path *p = &t->paths[i];
		struct filewatch_key before = p->key;
		int r = filewatch_key(p->path, &p->key);

		if (r == 0 && (!p->here || memcmp(&before, &p->key, sizeof(before)) != 0))
			path_real(p);
		if (r == 0)
			p->here = true;
		else if (r == -ENOENT || r == -ENOTDIR)
			p->here = false;
	}
}

/* Marks that a map should have under a key; 0: none. */
static uint32_t marks_wanted(const struct treewatch *t, const char *map,
			     const struct filewatch_key *key)
{
	uint32_t marks = 0;

	for (unsigned i = 0; i < t->n; i++) {
		const struct path *p = &t->paths[i];

		if (p->here && strcmp(p->map, map) == 0 && p->key.ino == key->ino &&
		    p->key.dev == key->dev)
			marks |= p->mark;
	}
	return marks;
}

static struct entry *entry_find(struct treewatch *t, const char *map,
				const struct filewatch_key *key)
{
	for (unsigned i = 0; i < t->n_set; i++)
		if (strcmp(t->set[i].map, map) == 0 && t->set[i].key.ino == key->ino &&
		    t->set[i].key.dev == key->dev)
			return &t->set[i];
	return NULL;
}

/* First, so that there is room for what comes. */
static int entries_drop(struct treewatch *t, filewatch_set_fn set, void *ctx)
{
	int r = 0;

	for (unsigned i = 0; i < t->n_set;) {
		struct entry *e = &t->set[i];
		int s = marks_wanted(t, e->map, &e->key) ? 1 : set(ctx, e->map, &e->key, NULL);

		if (s < 0)
			r = r ? r : s;
		if (s == 0)
			*e = t->set[--t->n_set];
		else
			i++;
	}
	return r;
}

int treewatch_adopt(struct treewatch *t, const char *map, const struct filewatch_key *key,
		    uint32_t marks)
{
	if (t->n_set == TREEWATCH_PATHS_MAX)
		return -ENOSPC;
	for (unsigned i = 0; i < LISTS; i++)
		if (strcmp(lists[i].map, map) == 0) {
			t->set[t->n_set++] = (struct entry){lists[i].map, *key, marks};
			return 0;
		}
	return -ENOENT;
}

int treewatch_print(const struct treewatch *t, FILE *f)
{
	for (unsigned i = 0; i < t->n; i++)
		fprintf(f, "%s %u %s\n", t->paths[i].map, t->paths[i].mark, t->paths[i].path);
	return ferror(f) ? -EIO : 0;
}

static int path_put(struct treewatch *t, const struct path *p, filewatch_set_fn set, void *ctx,
		    bool *exes)
{
	uint32_t marks = marks_wanted(t, p->map, &p->key);
	struct entry *e = entry_find(t, p->map, &p->key);
	int r;

	if (e && e->marks == marks)
		return 0;
	if (!e && t->n_set == TREEWATCH_PATHS_MAX)
		return -ENOSPC;
	r = set(ctx, p->map, &p->key, &marks);
	if (r < 0)
		return r;
	if (!e)
		e = &t->set[t->n_set++];
	*e = (struct entry){p->map, p->key, marks};
	*exes |= strcmp(p->map, "watched_exe") == 0;
	return 0;
}

/* Marks of a tree by its text, in whatever lists that is. */
static uint32_t marks_of_text(const struct treewatch *t, const char *path)
{
	uint32_t marks = 0;

	for (unsigned i = 0; i < t->n; i++)
		if (strcmp(t->paths[i].map, "watched_tree") == 0 &&
		    strcmp(t->paths[i].path, path) == 0)
			marks |= t->paths[i].mark;
	return marks;
}

/* A text that is too long is known by inode only. */
static int text_put(const char *path, bool directory, uint32_t marks, filewatch_set_fn set,
		    void *ctx)
{
	struct tree_name name = {};
	size_t n = strlen(path);

	if (n + 1 >= sizeof(name.bytes))
		return 0;
	memcpy(name.bytes, path, n);
	if (directory && name.bytes[n - 1] != '/')
		name.bytes[n++] = '/';
	else if (!directory)
		n++; /* its NUL */
	name.bits = (uint32_t)(8 * n);
	return set(ctx, "watched_name", &name, &marks);
}

/*
 * By its text, for names that the kernel is only given: as the configuration has it and without
 * symbolic links. It stays when the directory goes.
 */
static int name_put(struct treewatch *t, struct path *p, filewatch_set_fn set, void *ctx)
{
	_cleanup_(freep) char *real = NULL;
	uint32_t marks = marks_of_text(t, p->path);
	struct stat st;
	int r, e;

	if (p->named || strcmp(p->map, "watched_tree") != 0 || stat(p->path, &st) < 0)
		return 0;
	r = text_put(p->path, S_ISDIR(st.st_mode), marks, set, ctx);
	real = realpath(p->path, NULL);
	e = real ? text_put(real, S_ISDIR(st.st_mode), marks, set, ctx) : -errno;
	p->named = r == 0;
	return r ? r : e;
}

int treewatch_sync(struct treewatch *t, filewatch_set_fn set, void *ctx, bool *ret_exes)
{
	bool exes = false;
	int r;

	paths_look(t);
	r = entries_drop(t, set, ctx);
	for (unsigned i = 0; i < t->n; i++) {
		struct path *p = &t->paths[i];
		int e = p->here ? path_put(t, p, set, ctx, &exes) : 0;

		r = r ? r : e;
		e = p->here ? name_put(t, p, set, ctx) : 0;
		r = r ? r : e;
	}
	*ret_exes = exes;
	return r;
}

bool treewatch_exe(const struct treewatch *t, const char *path)
{
	for (unsigned i = 0; i < t->n; i++)
		if (t->paths[i].real && strcmp(t->paths[i].real, path) == 0)
			return true;
	return false;
}

bool treewatch_empty(const struct treewatch *t)
{
	return !t->n;
}

unsigned treewatch_missing(const struct treewatch *t)
{
	unsigned n = 0;

	for (unsigned i = 0; i < t->n; i++)
		n += !t->paths[i].here;
	return n;
}
