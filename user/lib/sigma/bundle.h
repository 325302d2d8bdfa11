// SPDX-License-Identifier: Apache-2.0
// A policy in one signed file:
//     rollcall-policy 1
//     serial N
//     file SIZE NAME          then SIZE bytes and a newline; again for each file
//     signature HEX           of Ed25519, over every byte before this line
// Nothing is read of it before its signature was verified. `rollcall policy sign` makes it, the
// sensor takes it.
#pragma once

#include <stddef.h>
#include <stdint.h>

#define BUNDLE_MAX (16 << 20)
#define BUNDLE_WHY 160

struct ed25519;
struct fileset;

/* Its text, the caller's to free. -EFBIG, -ENOMEM, -EIO. */
int bundle_write(const struct fileset *files, uint64_t serial, const struct ed25519 *key,
		 char **ret_text, size_t *ret_size);

/*
 * Adds its files to `files`; mistakes in them are told of "PATH/NAME". -EKEYREJECTED, -EBADMSG,
 * -EFBIG: `why` (BUNDLE_WHY bytes) says what is wrong with it.
 */
int bundle_read(const char *path, const char *text, size_t size, const struct ed25519 *key,
		struct fileset *files, uint64_t *ret_serial, char *why);
