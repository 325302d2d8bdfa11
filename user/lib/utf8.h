// SPDX-License-Identifier: Apache-2.0
// UTF-8 as RFC 3629 has it: no surrogates, no overlong forms. Called by what writes text that
// others chose: JSON and the configuration.
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Length of the character at `text`, or 0 where there is none. */
size_t utf8_decode(const char *text, size_t size, uint32_t *ret_code);
