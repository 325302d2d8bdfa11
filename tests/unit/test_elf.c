// links: user/sensor/elf.c
// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sensor/elf.h"

#define CODE 16

int twice(int n); /* has a symbol in .symtab */
int twice(int n)
{
	return 2 * n;
}

static int load_address(struct dl_phdr_info *info, size_t size, void *ret)
{
	(void)size;
	*(uint64_t *)ret = info->dlpi_addr;
	return 1; /* the program itself is the first */
}

/* What the file says is what runs. */
static void test_itself(void **state)
{
	unsigned char code[CODE];
	struct elf *elf = NULL;
	uint64_t value, start, base = 0;

	(void)state;
	dl_iterate_phdr(load_address, &base);
	assert_int_equal(elf_open("/proc/self/exe", &elf), 0);
	assert_int_equal(elf_symbol_value(elf, "twice", &value), 0);
	assert_int_equal(base + value, (uintptr_t)twice);
	assert_int_equal(elf_symbol_code(elf, "twice", code, sizeof(code)), 0);
	assert_memory_equal(code, (const void *)(uintptr_t)twice, sizeof(code));
	assert_int_equal(elf_code_start(elf, &start), 0);
	assert_true(start <= value && start > 0);
	elf_close(elf);
}

static void test_not_there(void **state)
{
	struct elf *elf = NULL;
	uint64_t value;

	(void)state;
	assert_int_equal(elf_open("/proc/self/exe", &elf), 0);
	assert_int_equal(elf_symbol_value(elf, "no_such_symbol", &value), -ENOENT);
	assert_int_equal(elf_symbol_offset(elf, "malloc", &value), -ENOENT); /* another's */
	elf_close(elf);
	assert_int_equal(elf_open("/etc/passwd", &elf), -EBADMSG);
	assert_int_equal(elf_open("/nonexistent", &elf), -ENOENT);
}

/* As many symbols as asked for, each a tail of one long name: whoever reads each to its end reads
 * for hours. */
static void test_long_names(void **state)
{
	enum { SYMBOLS = 400000, NAME = 4 << 20 };
	struct {
		Elf64_Ehdr file;
		Elf64_Shdr sections[3];
	} head = {
		.file = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
			 .e_type = ET_DYN,
			 .e_machine = EM_X86_64,
			 .e_version = EV_CURRENT,
			 .e_ehsize = sizeof(Elf64_Ehdr),
			 .e_shentsize = sizeof(Elf64_Shdr),
			 .e_shoff = sizeof(Elf64_Ehdr),
			 .e_shnum = 3},
	};
	Elf64_Sym *symbols = calloc(SYMBOLS, sizeof(*symbols));
	char path[] = "/tmp/rollcall.XXXXXX", *names = malloc(NAME);
	int fd = mkstemp(path);
	struct elf *elf = NULL;
	uint64_t value;

	(void)state;
	assert_true(symbols && names && fd >= 0);
	memset(names, 'x', NAME);
	names[0] = names[NAME - 1] = '\0';
	memcpy(names + NAME - 6, "twice", 6);
	for (unsigned i = 0; i < SYMBOLS; i++)
		symbols[i] = (Elf64_Sym){.st_name = 1 + i, .st_shndx = 1};
	symbols[SYMBOLS - 1] = (Elf64_Sym){.st_name = NAME - 6, .st_shndx = 1, .st_value = 7};
	head.sections[1] = (Elf64_Shdr){.sh_type = SHT_SYMTAB,
					.sh_offset = sizeof(head),
					.sh_size = SYMBOLS * sizeof(*symbols),
					.sh_entsize = sizeof(*symbols),
					.sh_link = 2};
	head.sections[2] = (Elf64_Shdr){.sh_type = SHT_STRTAB,
					.sh_offset = sizeof(head) + SYMBOLS * sizeof(*symbols),
					.sh_size = NAME};
	assert_true(write(fd, &head, sizeof(head)) == sizeof(head) &&
		    write(fd, symbols, SYMBOLS * sizeof(*symbols)) > 0 &&
		    write(fd, names, NAME) == NAME);
	close(fd);
	assert_int_equal(elf_open(path, &elf), 0);
	assert_int_equal(elf_symbol_value(elf, "twice", &value), 0);
	assert_int_equal(value, 7);
	elf_close(elf);
	unlink(path);
	free(symbols);
	free(names);
}

/* A symbol table that claims more than the file has. */
static void test_hostile(void **state)
{
	static const size_t sizes[] = {0, 1, 23, 24, 25, 1 << 20, SIZE_MAX / 2, SIZE_MAX};
	struct {
		Elf64_Ehdr file;
		Elf64_Shdr sections[2];
		Elf64_Sym symbols[2];
	} image = {
		.file = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
			 .e_type = ET_DYN,
			 .e_machine = EM_X86_64,
			 .e_version = EV_CURRENT,
			 .e_ehsize = sizeof(Elf64_Ehdr),
			 .e_shentsize = sizeof(Elf64_Shdr),
			 .e_shoff = sizeof(Elf64_Ehdr),
			 .e_shnum = 2},
	};

	(void)state;
	image.sections[1] = (Elf64_Shdr){.sh_type = SHT_SYMTAB,
					 .sh_offset = sizeof(image) - sizeof(image.symbols),
					 .sh_entsize = sizeof(Elf64_Sym),
					 .sh_link = 7};
	image.symbols[1] = (Elf64_Sym){.st_name = 1u << 30, .st_shndx = 1};
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		char path[] = "/tmp/rollcall.XXXXXX";
		struct elf *elf = NULL;
		uint64_t value;
		int fd = mkstemp(path), r;

		image.sections[1].sh_size = sizes[i];
		assert_true(fd >= 0 && write(fd, &image, sizeof(image)) == sizeof(image));
		close(fd);
		r = elf_open(path, &elf);
		assert_true(r == 0 || r == -EBADMSG);
		if (elf)
			assert_int_equal(elf_symbol_value(elf, "twice", &value), -ENOENT);
		elf_close(elf);
		unlink(path);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_itself),
		cmocka_unit_test(test_not_there),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_long_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
