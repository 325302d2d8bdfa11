// SPDX-License-Identifier: Apache-2.0
// Symbol look-up with libelf, which bounds-checks hostile files. Called once per server binary.
#include "sensor/elf.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <string.h>
#include <unistd.h>

#include "lib/clean.h"

static void elfp(Elf **e)
{
	if (*e)
		elf_end(*e);
}

static int symbol_in(Elf *e, Elf_Scn *scn, const GElf_Shdr *sh, const char *name, uint64_t *ret)
{
	Elf_Data *data = elf_getdata(scn, NULL);
	size_t n = sh->sh_entsize ? sh->sh_size / sh->sh_entsize : 0;

	for (size_t i = 0; data && i < n; i++) {
		const char *s;
		GElf_Sym sym;

		if (!gelf_getsym(data, (int)i, &sym) || sym.st_shndx == SHN_UNDEF)
			continue;
		s = elf_strptr(e, sh->sh_link, sym.st_name);
		if (!s || strcmp(s, name) != 0)
			continue;
		*ret = sym.st_value;
		return 0;
	}
	return -ENOENT;
}

int elf_symbol_value(const char *path, const char *name, uint64_t *ret_value)
{
	_cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	_cleanup_(elfp) Elf *e = NULL;
	Elf_Scn *scn = NULL;

	if (fd < 0)
		return -errno;
	if (elf_version(EV_CURRENT) == EV_NONE)
		return -ENOTSUP;
	e = elf_begin(fd, ELF_C_READ_MMAP, NULL);
	if (!e || elf_kind(e) != ELF_K_ELF)
		return -EBADMSG;
	while ((scn = elf_nextscn(e, scn))) {
		GElf_Shdr sh;

		if (gelf_getshdr(scn, &sh) &&
		    (sh.sh_type == SHT_DYNSYM || sh.sh_type == SHT_SYMTAB) &&
		    symbol_in(e, scn, &sh, name, ret_value) == 0)
			return 0;
	}
	return -ENOENT;
}

/* Where in the file an address is loaded from. */
static int file_offset(Elf *e, uint64_t addr, uint64_t *ret)
{
	size_t n;

	if (elf_getphdrnum(e, &n) < 0)
		return -EBADMSG;
	for (size_t i = 0; i < n; i++) {
		GElf_Phdr ph;

		if (!gelf_getphdr(e, (int)i, &ph) || ph.p_type != PT_LOAD)
			continue;
		if (addr >= ph.p_vaddr && addr - ph.p_vaddr < ph.p_filesz) {
			*ret = addr - ph.p_vaddr + ph.p_offset;
			return 0;
		}
	}
	return -ENOENT;
}

int elf_symbol_offset(const char *path, const char *name, uint64_t *ret_offset)
{
	_cleanup_(closep) int fd = -1;
	_cleanup_(elfp) Elf *e = NULL;
	uint64_t addr;
	int r = elf_symbol_value(path, name, &addr);

	if (r < 0)
		return r;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	e = elf_begin(fd, ELF_C_READ_MMAP, NULL);
	return e ? file_offset(e, addr, ret_offset) : -EBADMSG;
}

int elf_symbol_code(const char *path, const char *name, unsigned char *buf, size_t size)
{
	_cleanup_(closep) int fd = -1;
	uint64_t off;
	int r = elf_symbol_offset(path, name, &off);

	if (r < 0)
		return r;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return pread(fd, buf, size, (off_t)off) == (ssize_t)size ? 0 : -EBADMSG;
}

int elf_code_start(const char *path, uint64_t *ret_addr)
{
	_cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	_cleanup_(elfp) Elf *e = NULL;
	uint64_t least = UINT64_MAX;
	size_t n;

	if (fd < 0)
		return -errno;
	if (elf_version(EV_CURRENT) == EV_NONE)
		return -ENOTSUP;
	e = elf_begin(fd, ELF_C_READ_MMAP, NULL);
	if (!e || elf_getphdrnum(e, &n) < 0)
		return -EBADMSG;
	for (size_t i = 0; i < n; i++) {
		GElf_Phdr ph;

		if (gelf_getphdr(e, (int)i, &ph) && ph.p_type == PT_LOAD && ph.p_flags & PF_X &&
		    ph.p_vaddr < least)
			least = ph.p_vaddr;
	}
	if (least == UINT64_MAX)
		return -ENOENT;
	*ret_addr = least;
	return 0;
}
