// SPDX-License-Identifier: Apache-2.0
// The files of a policy, in memory: read from a file or a directory, or taken out of a signed
// bundle. What is checked, compared and signed is this, so that files may change meanwhile. Called
// by policy.c, by the sensor's reload and by `rollcall policy`.
#pragma once

#include <stddef.h>

#include "lib/digest.h"

#define FILESET_FILE_MAX  (4 << 20)
#define FILESET_BYTES_MAX (64 << 20)

struct fileset;

struct fileset_file {
	struct fileset_file *next;
	const char *name; /* below the directory that was read; of a single file its last part */
	const char *path; /* what mistakes are told of */
	const char *text;
	size_t size;
};

struct fileset *fileset_new(void);		 /* NULL: out of memory */
struct fileset *fileset_free(struct fileset *s); /* accepts NULL, returns NULL */
void fileset_freep(struct fileset **s);

/*
 * Adds a file, or every *.yml and *.yaml below a directory, in the order of their names. -EFBIG:
 * too large; other errors of opening and reading.
 */
int fileset_read(struct fileset *s, const char *path);
/* What could not be read; NULL: all could. */
const char *fileset_bad(const struct fileset *s);

/* Adds a text, which is copied. `path` is as in fileset_file. */
int fileset_add(struct fileset *s, const char *name, const char *path, const void *text,
		size_t size);

const struct fileset_file *fileset_files(const struct fileset *s);

/*
 * SHA-256 of the list "SHA256  NAME\n" of the files: in the directory it is
 * `sha256sum NAME... | sha256sum`. 0 or negative errno.
 */
int fileset_digest(const struct fileset *s, char ret_hex[DIGEST_HEX]);
