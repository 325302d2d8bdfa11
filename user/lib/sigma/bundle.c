// SPDX-License-Identifier: Apache-2.0
// Signed policies: writing and reading.
#include "lib/sigma/bundle.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clean.h"
#include "lib/ed25519.h"
#include "lib/sigma/fileset.h"

#define HEAD	 "rollcall-policy 1\n"
#define SIGNED	 "signature "
#define TRAILER	 (sizeof(SIGNED) - 1 + 2 * ED25519_SIZE + 1)
#define LINE_MAX 300
#define NAME_MAX 255

int bundle_write(const struct fileset *files, uint64_t serial, const struct ed25519 *key,
		 char **ret_text, size_t *ret_size)
{
	uint8_t signature[ED25519_SIZE];
	_cleanup_(freep) char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);
	int r;

	if (!f)
		return -ENOMEM;
	fprintf(f, HEAD "serial %" PRIu64 "\n", serial);
	for (const struct fileset_file *i = fileset_files(files); i; i = i->next) {
		fprintf(f, "file %zu %s\n", i->size, i->name);
		fwrite(i->text, 1, i->size, f);
		fputc('\n', f);
	}
	fflush(f);
	r = ferror(f) ? -ENOMEM : ed25519_sign(key, text, size, signature);
	fputs(SIGNED, f);
	for (unsigned i = 0; i < ED25519_SIZE && r == 0; i++)
		fprintf(f, "%02x", signature[i]);
	fputc('\n', f);
	if (fclose(f) == EOF)
		return -ENOMEM;
	if (r == 0 && size > BUNDLE_MAX)
		r = -EFBIG;
	if (r < 0)
		return r;
	*ret_text = take_ptr(text);
	*ret_size = size;
	return 0;
}

static int hex_digit(char c)
{
	const char *digits = "0123456789abcdef", *p = c ? strchr(digits, c) : NULL;

	return p ? (int)(p - digits) : -1;
}

/* The signature at its end; -EBADMSG: there is none. */
static int trailer_read(const char *text, size_t size, uint8_t ret_signature[ED25519_SIZE])
{
	const char *t;

	if (size < TRAILER || text[size - 1] != '\n' ||
	    memcmp(text + size - TRAILER, SIGNED, sizeof(SIGNED) - 1) != 0)
		return -EBADMSG;
	t = text + size - TRAILER + sizeof(SIGNED) - 1;
	for (unsigned i = 0; i < ED25519_SIZE; i++, t += 2) {
		int high = hex_digit(t[0]), low = hex_digit(t[1]);

		if (high < 0 || low < 0)
			return -EBADMSG;
		ret_signature[i] = (uint8_t)(high << 4 | low);
	}
	return 0;
}

struct body {
	const char *at, *end;
};

/* The next line, without its newline. */
static int line_take(struct body *b, char line[LINE_MAX])
{
	const char *newline = memchr(b->at, '\n', (size_t)(b->end - b->at));
	size_t len = newline ? (size_t)(newline - b->at) : LINE_MAX;

	if (len >= LINE_MAX || memchr(b->at, '\0', len))
		return -EBADMSG;
	memcpy(line, b->at, len);
	line[len] = '\0';
	b->at = newline + 1;
	return 0;
}

static int number_take(const char **text, uint64_t *ret_number)
{
	char *end;

	if (**text < '0' || **text > '9')
		return -EBADMSG;
	errno = 0;
	*ret_number = strtoull(*text, &end, 10);
	*text = end;
	return errno ? -EBADMSG : 0;
}

/* Names are for people only: nothing is written under them. */
static bool is_name(const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < len; i++)
		if ((unsigned char)name[i] < ' ' || name[i] == 0x7f)
			return false;
	return len && len <= NAME_MAX;
}

static int file_take(struct body *b, const char *path, struct fileset *files)
{
	char line[LINE_MAX], shown[4096];
	const char *p = line;
	uint64_t size;

	if (line_take(b, line) < 0 || strncmp(line, "file ", 5) != 0)
		return -EBADMSG;
	p += 5;
	if (number_take(&p, &size) < 0 || *p++ != ' ' || !is_name(p) ||
	    size >= (uint64_t)(b->end - b->at) || b->at[size] != '\n')
		return -EBADMSG;
	snprintf(shown, sizeof(shown), "%s/%s", path, p);
	b->at += size + 1;
	return fileset_add(files, p, shown, b->at - size - 1, size);
}

static int body_read(struct body *b, const char *path, struct fileset *files, uint64_t *ret_serial)
{
	char line[LINE_MAX];
	const char *p = line + 7;
	int r = 0;

	if (line_take(b, line) < 0 || strcmp(line, "rollcall-policy 1") != 0)
		return -EBADMSG;
	if (line_take(b, line) < 0 || strncmp(line, "serial ", 7) != 0 ||
	    number_take(&p, ret_serial) < 0 || *p)
		return -EBADMSG;
	while (r == 0 && b->at < b->end)
		r = file_take(b, path, files);
	return r;
}

int bundle_read(const char *path, const char *text, size_t size, const struct ed25519 *key,
		struct fileset *files, uint64_t *ret_serial, char *why)
{
	uint8_t signature[ED25519_SIZE];
	struct body b;
	int r;

	snprintf(why, BUNDLE_WHY, "it is not signed");
	if (trailer_read(text, size, signature) < 0)
		return -EBADMSG;
	snprintf(why, BUNDLE_WHY, "its signature is not that of policy.key");
	r = ed25519_verify(key, text, size - TRAILER, signature);
	if (r < 0)
		return r;
	snprintf(why, BUNDLE_WHY, "it is signed, but no bundle that this version reads");
	b = (struct body){text, text + size - TRAILER};
	return body_read(&b, path, files, ret_serial);
}
