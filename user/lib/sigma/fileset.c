// SPDX-License-Identifier: Apache-2.0
// Reads the files of a policy.
#include "lib/sigma/fileset.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/arena.h"
#include "lib/clean.h"

#define DIR_DEPTH_MAX 8

struct fileset {
	struct arena *arena;
	struct fileset_file *first, **end;
	size_t bytes;
	const char *bad; /* could not be read */
};

struct fileset *fileset_new(void)
{
	struct fileset *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->end = &s->first;
	s->arena = arena_new(64 * 1024);
	return s->arena ? s : fileset_free(s);
}

struct fileset *fileset_free(struct fileset *s)
{
	if (s)
		arena_free(s->arena);
	free(s);
	return NULL;
}

void fileset_freep(struct fileset **s)
{
	*s = fileset_free(*s);
}

int fileset_add(struct fileset *s, const char *name, const char *path, const void *text,
		size_t size)
{
	struct fileset_file *f = arena_alloc(s->arena, sizeof(*f));

	if (size > FILESET_FILE_MAX || size > FILESET_BYTES_MAX - s->bytes)
		return -EFBIG;
	if (!f)
		return -ENOMEM;
	f->name = arena_strdup(s->arena, name);
	f->path = arena_strdup(s->arena, path);
	f->text = arena_strndup(s->arena, text, size);
	f->size = size;
	if (!f->name || !f->path || !f->text)
		return -ENOMEM;
	s->bytes += size;
	*s->end = f;
	s->end = &f->next;
	return 0;
}

static int file_read(struct fileset *s, const char *path, const char *name)
{
	_cleanup_(fclosep) FILE *f = fopen(path, "re");
	_cleanup_(freep) char *text = malloc(FILESET_FILE_MAX + 1);
	size_t n;

	if (!f)
		return -errno;
	if (!text)
		return -ENOMEM;
	n = fread(text, 1, FILESET_FILE_MAX + 1, f);
	return ferror(f) ? -EIO : fileset_add(s, name, path, text, n);
}

static bool is_yaml(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot && (strcmp(dot, ".yml") == 0 || strcmp(dot, ".yaml") == 0);
}

static int path_read(struct fileset *s, const char *path, const char *name, unsigned depth);

/* `name` of the directory: "" of the one that was asked for. */
static int dir_read(struct fileset *s, const char *path, const char *name, unsigned depth)
{
	struct dirent **entries;
	int n = scandir(path, &entries, NULL, alphasort), r = 0;

	if (n < 0)
		return -errno;
	for (int i = 0; i < n; i++) {
		const char *entry = entries[i]->d_name;
		char *sub = arena_printf(s->arena, "%s/%s", path, entry);
		char *below = arena_printf(s->arena, "%s%s%s", name, *name ? "/" : "", entry);

		if (r == 0 && entry[0] != '.')
			r = sub && below ? path_read(s, sub, below, depth + 1) : -ENOMEM;
		free(entries[i]);
	}
	free(entries);
	return r;
}

static int one_read(struct fileset *s, const char *path, const char *name, unsigned depth)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return depth < DIR_DEPTH_MAX ? dir_read(s, path, name, depth) : -ELOOP;
	if (*name)
		return S_ISREG(st.st_mode) && is_yaml(name) ? file_read(s, path, name) : 0;
	name = strrchr(path, '/');
	return S_ISREG(st.st_mode) ? file_read(s, path, name ? name + 1 : path) : -EINVAL;
}

static int path_read(struct fileset *s, const char *path, const char *name, unsigned depth)
{
	int r = one_read(s, path, name, depth);

	if (r < 0 && !s->bad)
		s->bad = arena_strdup(s->arena, path);
	return r;
}

int fileset_read(struct fileset *s, const char *path)
{
	return path_read(s, path, "", 0);
}

const char *fileset_bad(const struct fileset *s)
{
	return s->bad;
}

const struct fileset_file *fileset_files(const struct fileset *s)
{
	return s->first;
}

int fileset_digest(const struct fileset *s, char ret_hex[DIGEST_HEX])
{
	_cleanup_(freep) char *list = NULL;
	size_t size;
	FILE *f = open_memstream(&list, &size);
	char hex[DIGEST_HEX];
	int r = 0;

	if (!f)
		return -ENOMEM;
	for (const struct fileset_file *i = s->first; i && r == 0; i = i->next) {
		r = digest_hex(i->text, i->size, hex);
		fprintf(f, "%s  %s\n", hex, i->name);
	}
	if (fclose(f) == EOF)
		return -ENOMEM;
	return r < 0 ? r : digest_hex(list, size, ret_hex);
}
