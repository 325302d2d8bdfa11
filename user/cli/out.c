// SPDX-License-Identifier: Apache-2.0
// Text for people.
#include "cli/out.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/clean.h"

/* SGR parameters, ECMA-48. */
static const char *const codes[] = {
	[OUT_BOLD] = "1",    [OUT_DIM] = "2",	 [OUT_RED] = "1;31",
	[OUT_YELLOW] = "33", [OUT_GREEN] = "32", [OUT_CYAN] = "36",
};

void out_init(struct out *o, FILE *file)
{
	const char *no = getenv("NO_COLOR");

	o->file = file;
	o->colour = isatty(fileno(file)) && !(no && *no);
}

static void colour_begin(struct out *o, enum out_colour colour)
{
	if (o->colour && colour != OUT_PLAIN)
		fprintf(o->file, "\033[%sm", codes[colour]);
}

static void colour_end(struct out *o, enum out_colour colour)
{
	if (o->colour && colour != OUT_PLAIN)
		fputs("\033[0m", o->file);
}

/*
 * Bytes of a character that makes the text look like another: C0 and DEL, and C1 in its UTF-8 form
 * (C2 80..9F), can move the cursor or worse; U+202A..202E and U+2066..2069 turn what follows round.
 */
static size_t deceives(const unsigned char *p)
{
	if (*p < 0x20 || *p == 0x7f)
		return 1;
	if (*p == 0xc2)
		return p[1] >= 0x80 && p[1] <= 0x9f ? 2 : 0;
	if (*p != 0xe2)
		return 0;
	return (p[1] == 0x80 && p[2] >= 0xaa && p[2] <= 0xae) ||
			       (p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9)
		       ? 3
		       : 0;
}

void out_text(struct out *o, enum out_colour colour, const char *text)
{
	const unsigned char *p = (const unsigned char *)text;

	colour_begin(o, colour);
	while (*p) {
		size_t n = deceives(p);

		fputc(n ? '?' : *p, o->file);
		p += n ? n : 1;
	}
	colour_end(o, colour);
}

void out_printf(struct out *o, enum out_colour colour, const char *fmt, ...)
{
	va_list ap;

	colour_begin(o, colour);
	va_start(ap, fmt);
	vfprintf(o->file, fmt, ap);
	va_end(ap);
	colour_end(o, colour);
}

const char *out_time(uint64_t ns, char *buf, size_t size)
{
	time_t s = (time_t)(ns / 1000000000);
	struct tm tm;
	size_t n;

	gmtime_r(&s, &tm);
	n = strftime(buf, size, "%Y-%m-%d %H:%M:%S", &tm);
	snprintf(buf + n, size - n, ".%03u", (unsigned)(ns / 1000000 % 1000));
	return buf;
}

const char *out_span(uint64_t ns, char *buf, size_t size)
{
	static const struct {
		uint64_t s;
		const char *unit;
	} units[] = {{2 * 86400, "d"}, {2 * 3600, "h"}, {120, "min"}, {1, "s"}};
	static const uint64_t seconds[] = {86400, 3600, 60, 1};
	uint64_t s = ns / 1000000000;

	for (unsigned i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (s < units[i].s)
			continue;
		snprintf(buf, size, "%" PRIu64 " %s", s / seconds[i], units[i].unit);
		return buf;
	}
	snprintf(buf, size, "%" PRIu64 " ms", ns / 1000000);
	return buf;
}

const char *out_bytes(uint64_t n, char *buf, size_t size)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	double d = (double)n;
	unsigned i = 0;

	while (d >= 1024 && i < 4) {
		d /= 1024;
		i++;
	}
	snprintf(buf, size, i ? "%.1f %s" : "%.0f %s", d, units[i]);
	return buf;
}

enum out_colour out_level(const char *level)
{
	if (strcmp(level, "high") == 0 || strcmp(level, "critical") == 0)
		return OUT_RED;
	return strcmp(level, "medium") == 0 ? OUT_YELLOW : OUT_PLAIN;
}

/* ---- tables ---- */

struct cell {
	char *text;
	enum out_colour colour;
};

struct out_table {
	unsigned columns;
	struct cell *cells; /* row by row, the heads first */
	size_t n, room;
};

static int cell_add(struct out_table *t, enum out_colour colour, char *text)
{
	if (text && t->n == t->room) {
		size_t room = t->room ? 2 * t->room : 64;
		struct cell *more = reallocarray(t->cells, room, sizeof(*more));

		if (more) {
			t->cells = more;
			t->room = room;
		}
	}
	if (!text || t->n == t->room) {
		free(text);
		return -ENOMEM;
	}
	t->cells[t->n++] = (struct cell){text, colour};
	return 0;
}

struct out_table *out_table_new(const char *const *heads)
{
	_cleanup_(out_table_freep) struct out_table *t = calloc(1, sizeof(*t));

	for (; t && heads[t->columns]; t->columns++)
		if (cell_add(t, OUT_DIM, strdup(heads[t->columns])) < 0)
			return NULL;
	return take_ptr(t);
}

struct out_table *out_table_free(struct out_table *t)
{
	for (size_t i = 0; t && i < t->n; i++)
		free(t->cells[i].text);
	if (t)
		free(t->cells);
	free(t);
	return NULL;
}

void out_table_freep(struct out_table **t)
{
	*t = out_table_free(*t);
}

int out_table_cell(struct out_table *t, enum out_colour colour, const char *fmt, ...)
{
	char *text;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	return cell_add(t, colour, text);
}

/* Characters, not bytes: names are UTF-8. */
static int width(const char *text)
{
	int n = 0;

	for (; *text; text++)
		n += (*text & 0xc0) != 0x80;
	return n;
}

void out_table_print(const struct out_table *t, struct out *o)
{
	int widths[OUT_COLUMNS] = {};

	for (size_t i = 0; i < t->n; i++) {
		int w = width(t->cells[i].text);

		if (w > widths[i % t->columns])
			widths[i % t->columns] = w;
	}
	for (size_t i = 0; i < t->n; i++) {
		unsigned column = (unsigned)(i % t->columns);

		out_text(o, t->cells[i].colour, t->cells[i].text);
		if (column == t->columns - 1)
			fputc('\n', o->file);
		else
			fprintf(o->file, "%*s", widths[column] - width(t->cells[i].text) + 2, "");
	}
}
