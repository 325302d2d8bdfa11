// SPDX-License-Identifier: Apache-2.0
// What commands print for people: colours on a terminal, plain text in a pipe, columns, and no
// control character that an attacker put into a name.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define OUT_COLUMNS 10

enum out_colour { OUT_PLAIN, OUT_BOLD, OUT_DIM, OUT_RED, OUT_YELLOW, OUT_GREEN, OUT_CYAN };

struct out {
	FILE *file;
	bool colour; /* a terminal, and NO_COLOR is not set */
};

void out_init(struct out *o, FILE *file);

/* Text from outside, with control characters shown as "?". */
void out_text(struct out *o, enum out_colour colour, const char *text);
/* Format and arguments are ours. */
void out_printf(struct out *o, enum out_colour colour, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* "2026-01-30 09:12:44.123" in UTC. */
const char *out_time(uint64_t ns, char *buf, size_t size);
/* "3 s", "5 min", "2 h", "4 d" */
const char *out_span(uint64_t ns, char *buf, size_t size);
/* "512 B", "1.2 MiB" */
const char *out_bytes(uint64_t n, char *buf, size_t size);
/* Red for high and critical, yellow for medium. */
enum out_colour out_level(const char *level);

/* A table whose columns are as wide as their widest cell; the last is not padded. */
struct out_table;

/* `heads` ends with NULL; at most OUT_COLUMNS. NULL: out of memory. */
struct out_table *out_table_new(const char *const *heads);
struct out_table *out_table_free(struct out_table *t); /* accepts NULL, returns NULL */
void out_table_freep(struct out_table **t);
/* The next cell; a row is full when each column has one. -ENOMEM. */
int out_table_cell(struct out_table *t, enum out_colour colour, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void out_table_print(const struct out_table *t, struct out *o);
