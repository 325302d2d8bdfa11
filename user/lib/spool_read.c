// SPDX-License-Identifier: Apache-2.0
// The spool's reader. Follows one lane from file to file; a block that is not whole yet is one
// that the writer is still writing.
#include "lib/spool_read.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/clean.h"
#include "lib/segment.h"

struct spool_lane {
	int dir;
	struct spool_lane_name name;
	uint64_t after;	     /* last number handed out or skipped */
	int fd;		     /* -1: none is open */
	bool begun;	     /* a file was opened, or found damaged */
	bool ended;	     /* it ended when a later file was already there */
	uint64_t file_first; /* of that file */
	uint32_t version;    /* its */
	off_t offset;
	uint8_t before[CHAIN_SIZE], chain[CHAIN_SIZE];
	struct chain *hash;
	uint8_t *data;
	uint64_t damaged;
};

typedef int (*segment_fn)(void *ctx, int dir, const struct segment_name *name);

static int segments_each(int dir, segment_fn fn, void *ctx)
{
	struct segment_name name;
	struct dirent *e;
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d)
		return -errno;
	while (r == 0 && (e = readdir(d)))
		if (segment_name_parse(e->d_name, &name))
			r = fn(ctx, dir, &name);
	closedir(d);
	return r;
}

/* ---- which lanes there are ---- */

struct lanes_walk {
	struct spool_lane_name *names;
	unsigned n, max;
};

static int header_read(int dir, const struct segment_name *name, struct segment_header *ret_header,
		       int *ret_fd)
{
	_cleanup_(closep) int fd = -1;
	char path[SEGMENT_NAME_MAX];
	struct segment_header h;

	segment_name_format(name, path);
	fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	if (read(fd, &h, sizeof(h)) != sizeof(h))
		return -EAGAIN;
	if (!segment_header_good(&h, name))
		return -EBADMSG;
	*ret_header = h;
	*ret_fd = take_fd(fd);
	return 0;
}

static int lanes_add(void *ctx, int dir, const struct segment_name *name)
{
	struct lanes_walk *w = ctx;
	struct spool_lane_name *l = w->names;
	struct segment_header h;
	int fd, r = header_read(dir, name, &h, &fd);

	/* The writer is at it, it is damaged (counted when it is read), it was trimmed. */
	if (r == -EAGAIN || r == -EBADMSG || r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	close(fd);
	while (l < w->names + w->n &&
	       (l->class != name->class || strcmp(l->boot_id, name->boot_id) != 0))
		l++;
	if (l == w->names + w->max)
		return 0;
	if (l == w->names + w->n) {
		memcpy(l->boot_id, name->boot_id, sizeof(l->boot_id));
		l->class = name->class;
		l->created = h.created;
		w->n++;
	}
	if (h.created < l->created)
		l->created = h.created;
	return 0;
}

static int by_boot(const void *x, const void *y)
{
	const struct spool_lane_name *a = x, *b = y;

	if (strcmp(a->boot_id, b->boot_id) == 0)
		return (int)a->class - (int)b->class;
	return a->created < b->created ? -1 : 1;
}

int spool_lanes(int directory, struct spool_lane_name *ret_names, unsigned max)
{
	struct lanes_walk w = {ret_names, 0, max};
	int r = segments_each(directory, lanes_add, &w);

	if (r < 0)
		return r;
	qsort(ret_names, w.n, sizeof(*ret_names), by_boot);
	return (int)w.n;
}

/* ---- one lane ---- */

int spool_lane_open(int directory, const struct spool_lane_name *name, uint64_t seq,
		    struct spool_lane **ret_lane)
{
	_cleanup_(spool_lane_freep) struct spool_lane *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	l->dir = directory;
	l->name = *name;
	l->after = seq;
	l->fd = -1;
	l->hash = chain_new();
	l->data = malloc(SEGMENT_BLOCK_MAX);
	if (!l->hash || !l->data)
		return -ENOMEM;
	*ret_lane = take_ptr(l);
	return 0;
}

struct spool_lane *spool_lane_free(struct spool_lane *l)
{
	if (!l)
		return NULL;
	closep(&l->fd);
	chain_free(l->hash);
	free(l->data);
	free(l);
	return NULL;
}

void spool_lane_freep(struct spool_lane **l)
{
	*l = spool_lane_free(*l);
}

/*
 * The file to read next. At the beginning, the last that begins at or before the wanted number, or
 * when there is none the first that begins after; then the one after the file that is open.
 */
struct file_choice {
	const struct spool_lane *lane;
	struct segment_name at, next;
	bool has_at, has_next;
};

static int file_consider(void *ctx, int dir, const struct segment_name *name)
{
	struct file_choice *c = ctx;
	const struct spool_lane *l = c->lane;

	(void)dir;
	if (name->class != l->name.class || strcmp(name->boot_id, l->name.boot_id) != 0)
		return 0;
	if (!l->begun && name->first_seq <= l->after + 1) {
		if (!c->has_at || name->first_seq > c->at.first_seq)
			c->at = *name;
		c->has_at = true;
	} else if (!l->begun || name->first_seq > l->file_first) {
		if (!c->has_next || name->first_seq < c->next.first_seq)
			c->next = *name;
		c->has_next = true;
	}
	return 0;
}

/* 0: *ret_name follows; -EAGAIN: nothing does. */
static int file_choose(const struct spool_lane *l, struct segment_name *ret_name)
{
	struct file_choice c = {.lane = l};
	int r = segments_each(l->dir, file_consider, &c);

	if (r < 0)
		return r;
	if (!c.has_at && !c.has_next)
		return -EAGAIN;
	*ret_name = c.has_at ? c.at : c.next;
	return 0;
}

static int file_open(struct spool_lane *l, const struct segment_name *name)
{
	struct segment_header h;
	int fd = -1, r = header_read(l->dir, name, &h, &fd);

	if (r < 0 && r != -EBADMSG)
		return r == -ENOENT ? -EAGAIN : r;
	closep(&l->fd);
	l->fd = fd;
	l->begun = true;
	l->ended = false;
	l->file_first = name->first_seq;
	l->offset = sizeof(h);
	if (r == -EBADMSG) {
		l->damaged++;
		return 0;
	}
	l->version = h.version;
	memcpy(l->chain, h.chain, CHAIN_SIZE);
	return 0;
}

/* 0: a block; -EAGAIN: the file ends here for now; -EBADMSG. */
static int block_next(struct spool_lane *l, struct segment_block *ret_block)
{
	size_t header = segment_block_header(l->version);
	struct segment_block b = {};

	if (pread(l->fd, &b, header, l->offset) != (ssize_t)header)
		return -EAGAIN;
	if (!segment_block_plausible(l->version, &b))
		return -EBADMSG;
	if (pread(l->fd, l->data, b.size, l->offset + (off_t)header) != (ssize_t)b.size)
		return -EAGAIN;
	if (!segment_block_good(l->version, &b, l->data))
		return -EBADMSG;
	memcpy(l->before, l->chain, CHAIN_SIZE);
	if (chain_next(l->hash, l->chain, l->name.class, b.seq, l->data, b.size) < 0)
		return -EIO;
	l->offset += (off_t)(header + b.size);
	*ret_block = b;
	return 0;
}

/*
 * The open file ends here. Its end is final only if it still ends here after a later file was
 * seen: the writer may have gone on in between. 0: try again, -EAGAIN: wait.
 */
static int lane_ended(struct spool_lane *l)
{
	struct segment_name next;
	int r = file_choose(l, &next);

	if (r < 0)
		return r;
	if (l->fd < 0 || l->ended)
		return file_open(l, &next);
	l->ended = true;
	return 0;
}

int spool_lane_next(struct spool_lane *l, struct spool_block *ret_block)
{
	struct segment_block b = {};
	uint64_t last;
	int r;

	do {
		r = l->fd < 0 ? -EAGAIN : block_next(l, &b);
		last = b.seq + b.count - 1;
		if (r == -EBADMSG) {
			/* What follows cannot be trusted to be where it seems: the next file is. */
			l->damaged++;
			closep(&l->fd);
			l->fd = -1;
			r = -EAGAIN;
		}
		if (r == -EAGAIN) {
			r = lane_ended(l);
			last = 0;
		}
		if (r < 0)
			return r;
	} while (last <= l->after);
	l->after = last;
	*ret_block = (struct spool_block){
		.seq = b.seq,
		.count = b.count,
		.whole = b.whole,
		.layout = l->version == 1 ? ROLLCALL__LAYOUT__events : ROLLCALL__LAYOUT__blocks,
		.data = l->data,
		.size = b.size,
		.before = l->before,
		.after = l->chain,
	};
	return 0;
}

uint64_t spool_lane_damaged(const struct spool_lane *l)
{
	return l->damaged;
}
