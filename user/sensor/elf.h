// SPDX-License-Identifier: Apache-2.0
// What a server's binary says of itself: addresses of symbols in .dynsym and .symtab, and its code.
#pragma once

#include <stddef.h>
#include <stdint.h>

struct elf;

/* Of a file that is not changed as long as it is looked at. -EBADMSG: it is no ELF file; -errno. */
int elf_open(const char *path, struct elf **ret);
struct elf *elf_close(struct elf *e); /* accepts NULL, returns NULL */
void elf_closep(struct elf **e);

/* A symbol's value. 0 or -ENOENT. */
int elf_symbol_value(const struct elf *e, const char *name, uint64_t *ret_value);

/* Where in the file its code is. 0, or as above. */
int elf_symbol_offset(const struct elf *e, const char *name, uint64_t *ret_offset);

/* The first `size` bytes of a function's code. 0, or as above; -EBADMSG: there are not as many. */
int elf_symbol_code(const struct elf *e, const char *name, unsigned char *buf, size_t size);

/* Address of the lowest code that is loaded: what the kernel calls start_code. 0 or -ENOENT. */
int elf_code_start(const struct elf *e, uint64_t *ret_addr);
