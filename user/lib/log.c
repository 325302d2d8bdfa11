// SPDX-License-Identifier: Apache-2.0
// Messages for people. One line is one write(2), so lines of two processes do not mix.
#include "lib/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The severity prefixes of sd-daemon(3): journald reads them, a terminal user sees words. */
static const char *const prefixes[] = {
	[LOG_LEVEL_ERROR] = "error: ",
	[LOG_LEVEL_WARN] = "warning: ",
	[LOG_LEVEL_INFO] = "",
	[LOG_LEVEL_DEBUG] = "debug: ",
};

static const char *log_program = "rollcall";
static enum log_level log_max = LOG_LEVEL_INFO;

void log_open(const char *program, enum log_level level)
{
	log_program = program;
	log_max = level;
}

static void log_write(enum log_level level, int r, const char *fmt, va_list ap)
{
	char line[2048];
	size_t n;
	int k;

	if (level > log_max)
		return;
	k = snprintf(line, sizeof(line), "%s: %s", log_program, prefixes[level]);
	n = k > 0 ? (size_t)k : 0;
	k = vsnprintf(line + n, sizeof(line) - n, fmt, ap);
	n += k > 0 ? (size_t)k : 0;
	if (n < sizeof(line) && r < 0) {
		k = snprintf(line + n, sizeof(line) - n, ": %s", strerror(-r));
		n += k > 0 ? (size_t)k : 0;
	}
	if (n > sizeof(line) - 2)
		n = sizeof(line) - 2;
	/* Names that others chose are in it: a line stays one line, and no terminal obeys it. */
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '?';
	line[n++] = '\n';
	if (write(STDERR_FILENO, line, n) < 0)
		return; /* nobody left to tell */
}

int log_error(int r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_write(LOG_LEVEL_ERROR, r, fmt, ap);
	va_end(ap);
	return r;
}

int log_warn(int r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_write(LOG_LEVEL_WARN, r, fmt, ap);
	va_end(ap);
	return r;
}

void log_info(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_write(LOG_LEVEL_INFO, 0, fmt, ap);
	va_end(ap);
}

void log_debug(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_write(LOG_LEVEL_DEBUG, 0, fmt, ap);
	va_end(ap);
}
