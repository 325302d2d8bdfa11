// SPDX-License-Identifier: Apache-2.0
// Symbol look-up with libelf, which bounds-checks hostile files. A server has tens of thousands of
// symbols, and some fifty are asked for: they are hashed once.
#include "sensor/elf.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/clean.h"

/* Whoever executes a file that is named as a server is has it read: its names may be long, many,
 * and made to meet. What goes beyond is not found. */
#define SYMBOLS_MAX	(1u << 20)
#define SYMBOL_NAME_MAX 128
#define PROBES_MAX	256

struct symbol {
	const char *name; /* the file's; NULL: none */
	uint64_t value;
};

struct elf {
	int fd;
	Elf *file;
	struct symbol *slots;
	size_t mask; /* there are one more of them, a power of two */
};

/* ---- symbols ---- */

static bool is_symbols(const GElf_Shdr *sh)
{
	return sh->sh_entsize && (sh->sh_type == SHT_DYNSYM || sh->sh_type == SHT_SYMTAB);
}

static size_t symbols_count(const struct elf *e)
{
	Elf_Scn *scn = NULL;
	GElf_Shdr sh;
	size_t n = 0;

	while ((scn = elf_nextscn(e->file, scn)))
		if (gelf_getshdr(scn, &sh) && is_symbols(&sh))
			n += sh.sh_size / sh.sh_entsize;
	return n;
}

/* Its slot, or the empty one where it would be; NULL: there is none for it. */
static struct symbol *symbol_slot(const struct elf *e, const char *name)
{
	uint64_t hash = 0xcbf29ce484222325;
	size_t n = strnlen(name, SYMBOL_NAME_MAX);

	if (n == SYMBOL_NAME_MAX)
		return NULL;
	for (size_t i = 0; i < n; i++)
		hash = (hash ^ (unsigned char)name[i]) * 0x100000001b3;
	for (unsigned i = 0; i < PROBES_MAX; i++) {
		struct symbol *slot = &e->slots[(hash + i) & e->mask];

		if (!slot->name || strcmp(slot->name, name) == 0)
			return slot;
	}
	return NULL;
}

static void section_index(struct elf *e, Elf_Scn *scn, const GElf_Shdr *sh, size_t *room)
{
	Elf_Data *data = elf_getdata(scn, NULL);
	size_t n = sh->sh_size / sh->sh_entsize;

	for (size_t i = 0; data && i < n && *room; i++) {
		struct symbol *slot;
		const char *name;
		GElf_Sym sym;

		if (!gelf_getsym(data, (int)i, &sym) || sym.st_shndx == SHN_UNDEF)
			continue;
		name = elf_strptr(e->file, sh->sh_link, sym.st_name);
		slot = name ? symbol_slot(e, name) : NULL;
		if (!slot || slot->name)
			continue;
		*slot = (struct symbol){name, sym.st_value};
		(*room)--;
	}
}

static int symbols_index(struct elf *e)
{
	size_t n = symbols_count(e), slots = 2;
	Elf_Scn *scn = NULL;
	GElf_Shdr sh;

	if (n > SYMBOLS_MAX)
		return -EBADMSG;
	while (slots < 2 * n)
		slots *= 2;
	e->slots = calloc(slots, sizeof(*e->slots));
	if (!e->slots)
		return -ENOMEM;
	e->mask = slots - 1;
	while ((scn = elf_nextscn(e->file, scn)))
		if (gelf_getshdr(scn, &sh) && is_symbols(&sh))
			section_index(e, scn, &sh, &n);
	return 0;
}

/* ---- the file ---- */

int elf_open(const char *path, struct elf **ret)
{
	_cleanup_(elf_closep) struct elf *e = calloc(1, sizeof(*e));
	int r;

	if (!e)
		return -ENOMEM;
	e->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (e->fd < 0)
		return -errno;
	if (elf_version(EV_CURRENT) == EV_NONE)
		return -ENOTSUP;
	e->file = elf_begin(e->fd, ELF_C_READ_MMAP, NULL);
	if (!e->file || elf_kind(e->file) != ELF_K_ELF)
		return -EBADMSG;
	r = symbols_index(e);
	if (r < 0)
		return r;
	*ret = take_ptr(e);
	return 0;
}

struct elf *elf_close(struct elf *e)
{
	if (!e)
		return NULL;
	elf_end(e->file);
	closep(&e->fd);
	free(e->slots);
	free(e);
	return NULL;
}

void elf_closep(struct elf **e)
{
	*e = elf_close(*e);
}

int elf_symbol_value(const struct elf *e, const char *name, uint64_t *ret_value)
{
	const struct symbol *slot = symbol_slot(e, name);

	if (!slot || !slot->name)
		return -ENOENT;
	*ret_value = slot->value;
	return 0;
}

/* Where in the file an address is loaded from. */
static int file_offset(const struct elf *e, uint64_t addr, uint64_t *ret)
{
	size_t n;

	if (elf_getphdrnum(e->file, &n) < 0)
		return -EBADMSG;
	for (size_t i = 0; i < n; i++) {
		GElf_Phdr ph;

		if (!gelf_getphdr(e->file, (int)i, &ph) || ph.p_type != PT_LOAD)
			continue;
		if (addr >= ph.p_vaddr && addr - ph.p_vaddr < ph.p_filesz) {
			*ret = addr - ph.p_vaddr + ph.p_offset;
			return 0;
		}
	}
	return -ENOENT;
}

int elf_symbol_offset(const struct elf *e, const char *name, uint64_t *ret_offset)
{
	uint64_t addr;
	int r = elf_symbol_value(e, name, &addr);

	return r < 0 ? r : file_offset(e, addr, ret_offset);
}

int elf_symbol_code(const struct elf *e, const char *name, unsigned char *buf, size_t size)
{
	uint64_t off;
	int r = elf_symbol_offset(e, name, &off);

	if (r < 0)
		return r;
	return pread(e->fd, buf, size, (off_t)off) == (ssize_t)size ? 0 : -EBADMSG;
}

int elf_code_start(const struct elf *e, uint64_t *ret_addr)
{
	uint64_t least = UINT64_MAX;
	size_t n;

	if (elf_getphdrnum(e->file, &n) < 0)
		return -ENOENT;
	for (size_t i = 0; i < n; i++) {
		GElf_Phdr ph;

		if (gelf_getphdr(e->file, (int)i, &ph) && ph.p_type == PT_LOAD &&
		    ph.p_flags & PF_X && ph.p_vaddr < least)
			least = ph.p_vaddr;
	}
	if (least == UINT64_MAX)
		return -ENOENT;
	*ret_addr = least;
	return 0;
}
