// SPDX-License-Identifier: Apache-2.0
// The spool's writer. A lane is one class of this boot: a current file that grows, a buffer of
// blocks before it, the next number and the hash chain. The inventory lists every file of every
// boot.
#include "lib/spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/arena.h"
#include "lib/block.h"
#include "lib/chain.h"
#include "lib/clean.h"
#include "lib/cursor.h"
#include "lib/segment.h"
#include "lib/segment_scan.h"

#define BLOCK_BYTES (32 * 1024) /* most of a block that has more than one event */

struct lane {
	int fd; /* -1: the next flush begins a file */
	uint64_t next_seq;
	uint64_t file_bytes;
	uint8_t chain[CHAIN_SIZE];  /* after the last closed block */
	uint8_t before[CHAIN_SIZE]; /* before the first buffered */
	uint64_t buffered_seq;	    /* of the first buffered */
	size_t used;		    /* by closed blocks */
	uint8_t *buffer;
	struct block block; /* the open one, behind them */
	uint64_t block_seq; /* of its first event */
	size_t whole;	    /* bytes of its events with their processes */
	uint64_t trimmed, acked;
};

/* A file of the spool, of any boot. */
struct file {
	struct segment_name name;
	uint64_t created, bytes, last_seq;
	bool current; /* being written */
};

struct spool {
	int dir, lock;
	char boot_id[37];
	uint64_t max_bytes, file_max, bytes, errors;
	struct chain *chain;
	struct lane lanes[SEGMENT_CLASSES];
	struct file *files;
	size_t n_files, files_room;
};

static uint64_t realtime(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* ---- inventory ---- */

static struct file *inventory_add(struct spool *s, const struct file *f)
{
	if (s->n_files == s->files_room) {
		size_t room = s->files_room ? 2 * s->files_room : 64;
		struct file *more = reallocarray(s->files, room, sizeof(*more));

		if (!more)
			return NULL;
		s->files = more;
		s->files_room = room;
	}
	s->files[s->n_files] = *f;
	s->bytes += f->bytes;
	return &s->files[s->n_files++];
}

static struct file *inventory_current(struct spool *s, uint32_t class)
{
	for (size_t i = 0; i < s->n_files; i++)
		if (s->files[i].current && s->files[i].name.class == class)
			return &s->files[i];
	return NULL;
}

static int by_age(const void *x, const void *y)
{
	const struct file *a = x, *b = y;

	if (a->created != b->created)
		return a->created < b->created ? -1 : 1;
	return a->name.first_seq < b->name.first_seq ? -1 : a->name.first_seq > b->name.first_seq;
}

static int inventory_file(struct spool *s, const struct segment_name *name)
{
	struct segment_scan scan;
	struct file f = {.name = *name};
	char path[SEGMENT_NAME_MAX];
	int r;

	segment_name_format(name, path);
	r = segment_scan(s->dir, name, s->chain, &scan);
	/* A header that was never finished has no records behind it. */
	if (r == -ENODATA)
		return unlinkat(s->dir, path, 0) < 0 ? -errno : 0;
	if (r < 0 && r != -EBADMSG)
		return r;
	f.created = scan.header.created;
	f.bytes = scan.file_bytes;
	f.last_seq = scan.last_seq;
	return inventory_add(s, &f) ? 0 : -ENOMEM;
}

static int inventory_read(struct spool *s)
{
	struct segment_name name;
	struct dirent *e;
	int fd = openat(s->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d)
		return -errno;
	while (r == 0 && (e = readdir(d)))
		if (segment_name_parse(e->d_name, &name))
			r = inventory_file(s, &name);
	closedir(d);
	if (r == 0 && s->n_files)
		qsort(s->files, s->n_files, sizeof(*s->files), by_age);
	return r;
}

/* ---- a lane's file ---- */

/*
 * Goes on in this boot's newest file, after its last whole block. A damaged one stays as it is;
 * a new file then begins at a number that cannot have been used. So does one of an older version,
 * but for its numbers, which are known.
 */
static int lane_resume(struct spool *s, uint32_t class, uint64_t fresh)
{
	struct lane *l = &s->lanes[class];
	struct segment_scan scan;
	struct file *newest = NULL;
	char path[SEGMENT_NAME_MAX];
	int r;

	l->next_seq = fresh;
	for (size_t i = 0; i < s->n_files; i++) {
		struct file *f = &s->files[i];

		if (f->name.class == class && strcmp(f->name.boot_id, s->boot_id) == 0 &&
		    (!newest || f->name.first_seq > newest->name.first_seq))
			newest = f;
	}
	if (!newest)
		return 0;
	r = segment_scan(s->dir, &newest->name, s->chain, &scan);
	if (r == -EBADMSG) {
		if (l->next_seq <= scan.last_seq)
			l->next_seq = scan.last_seq + 1;
		return 0;
	}
	if (r < 0)
		return r;
	l->next_seq = scan.last_seq + 1;
	memcpy(l->chain, scan.chain, CHAIN_SIZE);
	if (scan.header.version != SEGMENT_VERSION)
		return 0;
	segment_name_format(&newest->name, path);
	l->fd = openat(s->dir, path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW);
	if (l->fd < 0)
		return -errno;
	/* What a crash cut in the middle of a block was never shown to a reader. */
	if (ftruncate(l->fd, (off_t)scan.good_bytes) < 0)
		return -errno;
	s->bytes -= newest->bytes - scan.good_bytes;
	newest->bytes = l->file_bytes = scan.good_bytes;
	newest->current = true;
	return 0;
}

static void lane_close(struct spool *s, uint32_t class)
{
	struct file *f = inventory_current(s, class);

	if (f)
		f->current = false;
	if (s->lanes[class].fd >= 0)
		close(s->lanes[class].fd);
	s->lanes[class].fd = -1;
}

static int write_all(int fd, const void *data, size_t size)
{
	const char *p = data;

	while (size) {
		ssize_t n = write(fd, p, size);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			p += n;
			size -= (size_t)n;
		}
	}
	return 0;
}

static int lane_begin(struct spool *s, uint32_t class)
{
	struct lane *l = &s->lanes[class];
	struct segment_header h = {.class = class, .first_seq = l->buffered_seq};
	struct file f = {.name = {.class = class, .first_seq = l->buffered_seq},
			 .bytes = sizeof(h),
			 .last_seq = l->buffered_seq - 1,
			 .current = true};
	char path[SEGMENT_NAME_MAX];
	int r;

	f.created = h.created = realtime();
	memcpy(f.name.boot_id, s->boot_id, sizeof(f.name.boot_id));
	memcpy(h.boot_id, s->boot_id, sizeof(h.boot_id));
	memcpy(h.chain, l->before, CHAIN_SIZE);
	segment_header_seal(&h);
	segment_name_format(&f.name, path);
	l->fd = openat(s->dir, path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0640);
	if (l->fd < 0)
		return -errno;
	r = write_all(l->fd, &h, sizeof(h));
	if (r == 0 && !inventory_add(s, &f))
		r = -ENOMEM;
	if (r < 0) {
		unlinkat(s->dir, path, 0);
		lane_close(s, class);
	}
	l->file_bytes = sizeof(h);
	return r;
}

/* ---- blocks ---- */

static void block_begin(struct lane *l)
{
	if (!l->used) {
		l->buffered_seq = l->next_seq;
		memcpy(l->before, l->chain, CHAIN_SIZE);
	}
	l->block = (struct block){.data = l->buffer + l->used + sizeof(struct segment_block)};
	l->block_seq = l->next_seq;
	l->whole = 0;
}

static void block_close(struct spool *s, uint32_t class)
{
	struct lane *l = &s->lanes[class];
	struct block *b = &l->block;
	struct segment_block h = {.size = (uint32_t)b->size,
				  .seq = l->block_seq,
				  .count = b->events,
				  .whole = (uint32_t)l->whole};

	if (!b->events)
		return;
	segment_block_seal(&h, b->data);
	memcpy(l->buffer + l->used, &h, sizeof(h));
	l->used += sizeof(h) + b->size;
	chain_next(s->chain, l->chain, class, h.seq, b->data, b->size);
	*b = (struct block){};
}

static bool block_full(const struct lane *l, size_t more)
{
	const struct block *b = &l->block;

	return b->events == SEGMENT_BLOCK_EVENTS ||
	       (b->events &&
		(b->size + more > BLOCK_BYTES || l->whole + more > SEGMENT_BLOCK_WHOLE));
}

/* A file whose end failed is cut back to whole blocks and left: the next flush begins another. */
static int lane_flush(struct spool *s, uint32_t class)
{
	struct lane *l = &s->lanes[class];
	struct file *f;
	int r = 0;

	block_close(s, class);
	if (!l->used)
		return 0;
	if (l->fd >= 0 && l->file_bytes + l->used > s->file_max)
		lane_close(s, class);
	if (l->fd < 0)
		r = lane_begin(s, class);
	if (r < 0)
		return r;
	r = write_all(l->fd, l->buffer, l->used);
	if (r < 0) {
		if (ftruncate(l->fd, (off_t)l->file_bytes) < 0)
			s->errors++;
		lane_close(s, class);
		return r;
	}
	f = inventory_current(s, class);
	l->file_bytes += l->used;
	s->bytes += l->used;
	if (f) {
		f->bytes = l->file_bytes;
		f->last_seq = l->next_seq - 1;
	}
	l->used = 0;
	return 0;
}

/* ---- the whole ---- */

int spool_prepare(const char *directory, gid_t group)
{
	_cleanup_(closep) int fd = -1;
	char parent[4096];
	char *slash;

	snprintf(parent, sizeof(parent), "%s", directory);
	slash = strrchr(parent, '/');
	if (slash && slash != parent) {
		*slash = '\0';
		if (mkdir(parent, 0755) < 0 && errno != EEXIST)
			return -errno;
	}
	if (mkdir(directory, 0750) < 0 && errno != EEXIST)
		return -errno;
	fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || fchown(fd, (uid_t)-1, group) < 0 || fchmod(fd, 02750) < 0)
		return -errno;
	return 0;
}

static int directory_open(struct spool *s, const struct spool_opts *opts)
{
	s->dir = open(opts->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->dir < 0)
		return -errno;
	s->lock = openat(s->dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (s->lock < 0)
		return -errno;
	return flock(s->lock, LOCK_EX | LOCK_NB) < 0 ? -errno : 0;
}

int spool_open(const struct spool_opts *opts, struct spool **ret_spool)
{
	_cleanup_(spool_freep) struct spool *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->dir = s->lock = -1;
	for (uint32_t c = 1; c < SEGMENT_CLASSES; c++)
		s->lanes[c].fd = -1;
	s->max_bytes = opts->max_bytes;
	s->file_max = opts->max_bytes / 32;
	if (s->file_max > 8 << 20)
		s->file_max = 8 << 20;
	snprintf(s->boot_id, sizeof(s->boot_id), "%s", opts->boot_id);
	s->chain = chain_new();
	r = s->chain ? directory_open(s, opts) : -ENOMEM;
	if (r == 0)
		r = inventory_read(s);
	for (uint32_t c = 1; c < SEGMENT_CLASSES && r == 0; c++) {
		s->lanes[c].buffer = malloc(SPOOL_EVENT_MAX);
		/* Above any number of a spool of this boot that someone removed. */
		r = s->lanes[c].buffer ? lane_resume(s, c, opts->boottime / 1000 + 1) : -ENOMEM;
	}
	if (r < 0)
		return r;
	*ret_spool = take_ptr(s);
	return 0;
}

struct spool *spool_free(struct spool *s)
{
	if (!s)
		return NULL;
	for (uint32_t c = 1; c < SEGMENT_CLASSES; c++) {
		if (s->dir >= 0)
			lane_flush(s, c);
		closep(&s->lanes[c].fd);
		free(s->lanes[c].buffer);
	}
	chain_free(s->chain);
	free(s->files);
	closep(&s->lock);
	closep(&s->dir);
	free(s);
	return NULL;
}

void spool_freep(struct spool **s)
{
	*s = spool_free(*s);
}

uint64_t spool_next(const struct spool *s, uint32_t class)
{
	return s->lanes[class].next_seq;
}

/* What cannot be written is lost, and its numbers are missing: the aggregator sees a gap. */
static void lane_lose(struct spool *s, struct lane *l)
{
	s->errors += l->next_seq - l->buffered_seq;
	l->used = 0;
}

int spool_process_pack(struct arena *a, const Rollcall__Process *process,
		       struct spool_process *ret_process)
{
	uint8_t *data = arena_alloc(a, rollcall__process__get_packed_size(process));

	if (!data)
		return -ENOMEM;
	*ret_process = (struct spool_process){.data = data,
					      .size = rollcall__process__pack(process, data)};
	return 0;
}

/* Its number in the open block. */
static uint32_t process_put(struct lane *l, uint32_t class, struct spool_process *p)
{
	if (p->at[class].block != l->block_seq) {
		p->at[class].block = l->block_seq;
		p->at[class].number = block_process(&l->block, p->data, p->size);
	}
	return p->at[class].number;
}

int spool_claim(struct spool *s, uint32_t class, size_t size, struct spool_process *process,
		uint8_t **ret_room)
{
	size_t cost = block_cost(size, process ? process->size : 0);
	struct lane *l = &s->lanes[class];
	int r = 0;

	if (cost > SPOOL_EVENT_MAX - sizeof(struct segment_block))
		return -EMSGSIZE;
	if (block_full(l, cost))
		block_close(s, class);
	if (l->used + sizeof(struct segment_block) + l->block.size + cost > SPOOL_EVENT_MAX) {
		r = lane_flush(s, class);
		if (r < 0)
			lane_lose(s, l);
	}
	if (!l->block.events)
		block_begin(l);
	*ret_room = block_event(&l->block, size, process ? process_put(l, class, process) : 0);
	l->whole += size + (process ? process->size : 0);
	l->next_seq++;
	return r;
}

int spool_flush(struct spool *s)
{
	int result = 0;

	for (uint32_t c = 1; c < SEGMENT_CLASSES; c++) {
		int r = lane_flush(s, c);

		result = r < 0 ? r : result;
	}
	return result;
}

int spool_sync(struct spool *s)
{
	int result = spool_flush(s);

	for (uint32_t c = 1; c < SEGMENT_CLASSES; c++)
		if (s->lanes[c].fd >= 0 && fdatasync(s->lanes[c].fd) < 0)
			result = -errno;
	return result;
}

/* ---- bounds ---- */

static int file_remove(struct spool *s, size_t i)
{
	char path[SEGMENT_NAME_MAX];

	segment_name_format(&s->files[i].name, path);
	if (unlinkat(s->dir, path, 0) < 0 && errno != ENOENT)
		return -errno;
	s->bytes -= s->files[i].bytes;
	memmove(&s->files[i], &s->files[i + 1], (--s->n_files - i) * sizeof(*s->files));
	return 0;
}

static bool file_delivered(const struct file *f, const struct cursor *c)
{
	return !f->current && cursor_get(c, f->name.boot_id, f->name.class) >= f->last_seq;
}

/* The oldest file of the least important class that is not being written; SIZE_MAX: none. */
static size_t file_expendable(const struct spool *s)
{
	for (uint32_t class = SEGMENT_CLASSES - 1; class >= 1; class --)
		for (size_t i = 0; i < s->n_files; i++)
			if (s->files[i].name.class == class && !s->files[i].current)
				return i;
	return SIZE_MAX;
}

static int cap_keep(struct spool *s, const struct cursor *cursor, spool_trimmed_fn fn, void *ctx)
{
	while (s->bytes > s->max_bytes) {
		size_t i = file_expendable(s);
		struct spool_trimmed t;
		uint64_t acked;
		int r;

		if (i == SIZE_MAX)
			return 0;
		acked = cursor_get(cursor, s->files[i].name.boot_id, s->files[i].name.class);
		t.class = s->files[i].name.class;
		t.first_seq =
			s->files[i].name.first_seq > acked ? s->files[i].name.first_seq : acked + 1;
		t.last_seq = s->files[i].last_seq;
		r = file_remove(s, i);
		if (r < 0)
			return r;
		if (t.last_seq < t.first_seq)
			continue;
		s->lanes[t.class].trimmed += t.last_seq - t.first_seq + 1;
		if (fn)
			fn(ctx, &t);
	}
	return 0;
}

int spool_trim(struct spool *s, spool_trimmed_fn fn, void *ctx)
{
	struct cursor cursor = {};
	int stream = openat(s->dir, "stream", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int r;

	if (stream >= 0) {
		/* A cursor that cannot be read frees nothing; the stream writes it anew. */
		if (cursor_read(stream, &cursor) < 0)
			cursor.n = 0;
		close(stream);
	}
	for (size_t i = s->n_files; i > 0; i--) {
		if (!file_delivered(&s->files[i - 1], &cursor))
			continue;
		r = file_remove(s, i - 1);
		if (r < 0)
			return r;
	}
	for (uint32_t c = 1; c < SEGMENT_CLASSES; c++)
		s->lanes[c].acked = cursor_get(&cursor, s->boot_id, c);
	return cap_keep(s, &cursor, fn, ctx);
}

void spool_status(const struct spool *s, struct spool_status *ret_status)
{
	*ret_status = (struct spool_status){
		.bytes = s->bytes, .max_bytes = s->max_bytes, .errors = s->errors};
	for (uint32_t c = 1; c < SEGMENT_CLASSES; c++)
		ret_status->lanes[c] = (struct spool_lane_status){
			.last_seq = s->lanes[c].next_seq - 1,
			.acked_seq = s->lanes[c].acked,
			.trimmed = s->lanes[c].trimmed,
		};
}
