// SPDX-License-Identifier: Apache-2.0
// What a server's binary says of itself: addresses of exported symbols.
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Value of a symbol in .dynsym (or .symtab) of the file. -ENOENT, -EBADMSG, -errno of open. */
int elf_symbol_value(const char *path, const char *name, uint64_t *ret_value);

/* Where in the file its code is. 0, or as above. */
int elf_symbol_offset(const char *path, const char *name, uint64_t *ret_offset);

/* The first `size` bytes of a function's code. 0, or as above. */
int elf_symbol_code(const char *path, const char *name, unsigned char *buf, size_t size);

/* Address of the lowest code that is loaded: what the kernel calls start_code. */
int elf_code_start(const char *path, uint64_t *ret_addr);
