// SPDX-License-Identifier: Apache-2.0
// Configuration from a table of keys: YAML files, command line values, defaults and the dump all
// come from it. Logs nothing: mistakes go to the caller.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define CONF_FILE_MAX (1 << 20)
#define CONF_WHY      128

struct conf;
struct conf_key;

/* Text to field. On failure `why` (CONF_WHY bytes) says what would be right. */
typedef int (*conf_parse_fn)(const struct conf_key *key, void *field, const char *text, char *why);

struct conf_key {
	const char *name; /* "thresholds.result_rows": one level of sections */
	conf_parse_fn parse;
	size_t offset;	   /* of the field in the target */
	const char *value; /* default; NULL: none */
	const char *help;
	bool list;	   /* each item is parsed by itself; later ones add */
	uint64_t min, max; /* of numbers; max 0: no limit */
};

/* Field types (conf_field.c): bool; uint32_t; uint64_t; uint64_t; double 0..1; const char * (valid
 * as the conf).
 */
int conf_bool(const struct conf_key *key, void *field, const char *text, char *why);
int conf_u32(const struct conf_key *key, void *field, const char *text, char *why);
int conf_u64(const struct conf_key *key, void *field, const char *text, char *why);
int conf_size(const struct conf_key *key, void *field, const char *text, char *why); /* 64KiB */
int conf_fraction(const struct conf_key *key, void *field, const char *text, char *why);
int conf_text(const struct conf_key *key, void *field, const char *text, char *why);

/* One mistake; line and column count from 1. */
typedef void (*conf_mistake_fn)(void *ctx, unsigned line, unsigned column, const char *text);

/* `keys` ends with a NULL name; defaults are put into `target` at once. NULL: out of memory. */
struct conf *conf_new(const struct conf_key *keys, void *target);
struct conf *conf_free(struct conf *c); /* accepts NULL, returns NULL */
void conf_freep(struct conf **c);

/* Number of mistakes told (0: all was taken), or -ENOMEM. Text need not end with NUL. */
int conf_load(struct conf *c, const char *text, size_t size, conf_mistake_fn fn, void *ctx);
/* -EFBIG above CONF_FILE_MAX, other errors of opening and reading. */
int conf_load_file(struct conf *c, const char *path, conf_mistake_fn fn, void *ctx);

/* A single value, as from a command line. -ENOENT: no such key. */
int conf_set(struct conf *c, const char *name, const char *text, char *why);

/* Everything in effect, as YAML with the help as comments; reading it gives the same. */
int conf_dump(const struct conf *c, FILE *out);
