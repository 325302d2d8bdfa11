// SPDX-License-Identifier: Apache-2.0
// SHA-256 as people read it. Called by lib/sigma/fileset.c and by what has to name a text.
#pragma once

#include <stddef.h>

#define DIGEST_HEX 65 /* characters, with the NUL */

/* 0 or -EIO. */
int digest_hex(const void *data, size_t size, char ret_hex[DIGEST_HEX]);
