// SPDX-License-Identifier: Apache-2.0
// Passwords in command lines. They are masked before an event is kept or leaves the host: a store
// of evidence must not be where the next attacker finds them.
#pragma once

#include <stddef.h>

/*
 * Overwrites with '*', in place, the passwords in `n` bytes of arguments, NUL after each: of
 * options that are known to hold one, of NAME=value where the name says so, of URLs. Arguments are
 * taken apart at blanks and quotes, too: `sh -c "mysqldump -psecret"`.
 */
void mask_args(char *args, size_t n);
