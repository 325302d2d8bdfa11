// SPDX-License-Identifier: Apache-2.0
// Messages for people, on standard error (journald adds the time). Whoever decides what happens
// next logs, once: `return log_error(r, "spool: cannot open '%s'", path);` returns r.
#pragma once

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

void log_open(const char *program, enum log_level level);

/* r: negative errno (its text is appended) or 0 (no text). Returns r. */
int log_error(int r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int log_warn(int r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
