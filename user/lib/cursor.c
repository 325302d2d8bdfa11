// SPDX-License-Identifier: Apache-2.0
// The acknowledged positions, one line each: "BOOT-ID CLASS SEQ".
#include "lib/cursor.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/clean.h"
#include "lib/segment.h"

uint64_t cursor_get(const struct cursor *c, const char *boot_id, uint32_t class)
{
	for (unsigned i = 0; i < c->n; i++)
		if (c->entries[i].class == class && strcmp(c->entries[i].boot_id, boot_id) == 0)
			return c->entries[i].seq;
	return 0;
}

void cursor_set(struct cursor *c, const char *boot_id, uint32_t class, uint64_t seq)
{
	struct cursor_entry *e = c->entries;

	while (e < c->entries + c->n && (e->class != class || strcmp(e->boot_id, boot_id) != 0))
		e++;
	if (e == c->entries + CURSOR_MAX) {
		memmove(c->entries, c->entries + 1, (CURSOR_MAX - 1) * sizeof(*e));
		e--;
	} else if (e == c->entries + c->n) {
		c->n++;
	}
	snprintf(e->boot_id, sizeof(e->boot_id), "%s", boot_id);
	e->class = class;
	e->seq = seq;
}

static bool line_parse(const char *line, struct cursor *c)
{
	char boot[37], class[8];
	uint64_t seq;
	int end = 0;

	if (sscanf(line, "%36[0-9a-f-] %7[a-z] %" SCNu64 "%n", boot, class, &seq, &end) != 3 ||
	    strlen(boot) != 36 || strcmp(line + end, "\n") != 0)
		return false;
	for (uint32_t k = 1; k < SEGMENT_CLASSES; k++) {
		if (strcmp(class, segment_class(k)) == 0) {
			cursor_set(c, boot, k, seq);
			return true;
		}
	}
	return false;
}

int cursor_read(int dir, struct cursor *ret_cursor)
{
	_cleanup_(fclosep) FILE *f = NULL;
	struct cursor c = {};
	char line[128];
	struct stat st;
	/* The other process owns this directory: no links, no devices, no waiting. */
	int fd = openat(dir, "cursor", O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0)
		return -errno;
	f = fdopen(fd, "r");
	if (!f) {
		close(fd);
		return -ENOMEM;
	}
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > 64 * CURSOR_MAX * 2)
		return -EBADMSG;
	while (fgets(line, sizeof(line), f))
		if (!line_parse(line, &c))
			return -EBADMSG;
	*ret_cursor = c;
	return 0;
}

int cursor_write(int dir, const struct cursor *c)
{
	_cleanup_(fclosep) FILE *f = NULL;
	int fd = openat(dir, "cursor.new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
			0640);

	if (fd < 0)
		return -errno;
	f = fdopen(fd, "w");
	if (!f) {
		close(fd);
		return -ENOMEM;
	}
	for (unsigned i = 0; i < c->n; i++)
		fprintf(f, "%s %s %" PRIu64 "\n", c->entries[i].boot_id,
			segment_class(c->entries[i].class), c->entries[i].seq);
	if (fflush(f) == EOF || ferror(f))
		return -EIO;
	return renameat(dir, "cursor.new", dir, "cursor") < 0 ? -errno : 0;
}
