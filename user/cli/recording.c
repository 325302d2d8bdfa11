// SPDX-License-Identifier: Apache-2.0
// Lines in and out, by zlib, which reads plain files as they are.
#include "cli/recording.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "lib/arena.h"
#include "lib/clean.h"
#include "lib/event.h"
#include "lib/event_read.h"
#include "lib/log.h"

#define LINE_MAX_BYTES (16u << 20)
#define BUILT_IN       "rollcall-" /* so begin the findings that no rule makes */
#define BUFFER	       (128u << 10)

struct recording {
	char *path;
	gzFile file;
	struct arena *arena;
	char *line;
	size_t room;
	uint64_t number;
};

struct recording_writer {
	char *path;
	gzFile file;
	bool plain;
	char *text; /* of one event */
	size_t size;
	FILE *out;
	uint64_t bytes;
};

/* ---- reading ---- */

int recording_open(const char *path, struct recording **ret_recording)
{
	_cleanup_(recording_closep) struct recording *r = calloc(1, sizeof(*r));
	_cleanup_(closep) int fd = strcmp(path, "-") == 0 ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
							  : open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return log_error(-errno, "cannot read '%s'", path);
	if (r) {
		r->path = strdup(path);
		r->arena = arena_new(64 * 1024);
		r->line = malloc(BUFFER);
		r->room = BUFFER;
		r->file = gzdopen(fd, "rb");
	}
	if (!r || !r->path || !r->arena || !r->line || !r->file)
		return log_error(-ENOMEM, "cannot read '%s'", path);
	take_fd(fd);
	gzbuffer(r->file, BUFFER);
	*ret_recording = take_ptr(r);
	return 0;
}

struct recording *recording_close(struct recording *r)
{
	if (!r)
		return NULL;
	if (r->file)
		gzclose(r->file);
	arena_free(r->arena);
	free(r->line);
	free(r->path);
	free(r);
	return NULL;
}

void recording_closep(struct recording **r)
{
	*r = recording_close(*r);
}

static int line_more(struct recording *r)
{
	char *more = r->room < LINE_MAX_BYTES ? realloc(r->line, 2 * r->room) : NULL;

	if (!more)
		return log_error(-EMSGSIZE, "%s:%" PRIu64, r->path, r->number + 1);
	r->line = more;
	r->room *= 2;
	return 0;
}

/* Whoever wrote it was killed: the rest is good. */
static int cut(const struct recording *r)
{
	return log_warn(0, "'%s' is cut at its end: what was read is taken", r->path);
}

/* 1: a whole line, or the last one without its end; 0: there is none. */
static int line_read(struct recording *r, size_t *ret_len)
{
	size_t len = 0;
	int error = Z_OK, e;

	while (gzgets(r->file, r->line + len, (int)(r->room - len))) {
		len += strlen(r->line + len);
		if (len && r->line[len - 1] == '\n')
			break;
		e = len + 1 >= r->room ? line_more(r) : 0;
		if (e < 0)
			return e;
	}
	if (!len && gzerror(r->file, &error) && error == Z_BUF_ERROR)
		return cut(r);
	if (!len && error != Z_OK && error != Z_STREAM_END)
		return log_error(error == Z_ERRNO ? -errno : -EBADMSG, "cannot read '%s'", r->path);
	r->number += len > 0;
	*ret_len = len;
	return len > 0;
}

int recording_next(struct recording *r, Rollcall__Event **ret_ev)
{
	size_t len = 0;
	char why[200];
	int e = line_read(r, &len);

	if (e <= 0)
		return e;
	arena_reset(r->arena);
	e = event_read(r->arena, r->line, len, ret_ev, why, sizeof(why));
	if (e == -EBADMSG && r->line[len - 1] != '\n')
		return cut(r);
	if (e < 0)
		return log_error(e == -EBADMSG ? 0 : e, "%s:%" PRIu64 ": %s", r->path, r->number,
				 e == -EBADMSG ? why : "cannot be read"),
		       e;
	return 1;
}

uint64_t recording_line(const struct recording *r)
{
	return r->number;
}

bool recording_judged(const Rollcall__Event *ev)
{
	const Rollcall__Rule *rule =
		ev->kind_case == ROLLCALL__EVENT__KIND_FINDING ? ev->finding->rule : NULL;

	return ev->kind_case < ROLLCALL__EVENT__KIND_FINDING ||
	       ev->kind_case == ROLLCALL__EVENT__KIND_GAP ||
	       (rule && strncmp(rule->id, BUILT_IN, strlen(BUILT_IN)) == 0);
}

/* A finding's own id stands for it. */
static bool event_is(const Rollcall__Event *ev, const char *what, uint64_t line)
{
	char *end;

	if (strcmp(ev->id, what) == 0 ||
	    (ev->kind_case == ROLLCALL__EVENT__KIND_FINDING && strcmp(ev->finding->id, what) == 0))
		return true;
	return strtoull(what, &end, 10) == line && !*end && end != what;
}

/* Where it was read from is used again for the next event. */
static int event_copy(struct arena *a, const Rollcall__Event *ev, Rollcall__Event **ret_ev)
{
	size_t size = rollcall__event__get_packed_size(ev);
	uint8_t *packed = arena_alloc(a, size + 1);

	if (!packed)
		return log_error(-ENOMEM, "cannot start");
	rollcall__event__pack(ev, packed);
	*ret_ev = rollcall__event__unpack(arena_protobuf(a), size, packed);
	return *ret_ev ? 0 : log_error(-ENOMEM, "cannot start");
}

int recording_find(struct arena *a, const char *path, const char *what, Rollcall__Event **ret_ev)
{
	_cleanup_(recording_closep) struct recording *r = NULL;
	Rollcall__Event *ev, *found = NULL;
	int e = recording_open(path ? path : what, &r);

	while (e >= 0 && (e = recording_next(r, &ev)) > 0) {
		if (path && !event_is(ev, what, r->number))
			continue;
		e = event_copy(a, ev, &found);
		/* A finding is told again as it grows: its last word has most of its events. */
		if (ev->kind_case != ROLLCALL__EVENT__KIND_FINDING)
			break;
	}
	if (e >= 0 && !found)
		return log_error(0,
				 path ? "'%s': no event of '%s' has that id, and no line that "
					"number"
				      : "'%s' has no event",
				 what, path),
		       -ENOENT;
	if (e >= 0)
		*ret_ev = found;
	return e < 0 ? e : 0;
}

/* ---- writing ---- */

static struct recording_writer *writer_free(struct recording_writer *w)
{
	if (!w)
		return NULL;
	if (w->file)
		gzclose(w->file);
	if (w->out)
		fclose(w->out);
	free(w->text);
	free(w->path);
	free(w);
	return NULL;
}

static void writer_freep(struct recording_writer **w)
{
	*w = writer_free(*w);
}

/* "T": as it is. Compression is light: the sensor does not wait for a slow reader. */
int recording_create(const char *path, struct recording_writer **ret_writer)
{
	_cleanup_(writer_freep) struct recording_writer *w = calloc(1, sizeof(*w));
	const char *dot = strrchr(path, '.');
	_cleanup_(closep) int fd =
		strcmp(path, "-") == 0
			? fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0)
			: open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return log_error(-errno, "cannot make '%s'%s", path,
				 errno == EEXIST ? " (--out names another)" : "");
	if (w) {
		w->plain = !dot || strcmp(dot, ".gz") != 0;
		w->path = strdup(path);
		w->out = open_memstream(&w->text, &w->size);
		w->file = gzdopen(fd, w->plain ? "wbT" : "wb1");
	}
	if (!w || !w->path || !w->out || !w->file)
		return log_error(-ENOMEM, "cannot make '%s'", path);
	take_fd(fd);
	gzbuffer(w->file, BUFFER);
	*ret_writer = take_ptr(w);
	return 0;
}

static int write_error(const struct recording_writer *w)
{
	return log_error(errno ? -errno : -EIO, "cannot write '%s'", w->path);
}

int recording_write(struct recording_writer *w, const Rollcall__Event *ev, uint64_t max)
{
	rewind(w->out);
	if (event_json(w->out, ev) < 0 || fputc('\n', w->out) == EOF || fflush(w->out) == EOF)
		return write_error(w);
	if (w->bytes + w->size > max)
		return -ENOSPC;
	if (gzwrite(w->file, w->text, (unsigned)w->size) != (int)w->size)
		return write_error(w);
	w->bytes += w->size;
	return 0;
}

int recording_flush(struct recording_writer *w)
{
	return !w->plain || gzflush(w->file, Z_SYNC_FLUSH) == Z_OK ? 0 : write_error(w);
}

uint64_t recording_bytes(const struct recording_writer *w)
{
	return w->bytes;
}

int recording_finish(struct recording_writer *w)
{
	int r = gzclose(take_ptr(w->file)) == Z_OK ? 0 : write_error(w);

	writer_free(w);
	return r;
}
