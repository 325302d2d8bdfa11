// SPDX-License-Identifier: Apache-2.0
// Decodes four accessors of mariadbd (sql/sql_class.cc): thd_user_name, thd_current_db and
// thd_is_connected are a few instructions each. Strict: another shape is "not known".
#include "sensor/mariadb_offsets.h"

#include <errno.h>
#include <string.h>

#include "sensor/elf.h"

#define CODE	   48
#define OFFSET_MAX (1u << 20)

/* REX.W and opcode and ModRM of the instructions looked for; a displacement follows. */
static const unsigned char mov_rdi_rax[] = {0x48, 0x8b, 0x87}; /* mov d32(%rdi),%rax */
static const unsigned char mov_rdi_rdx[] = {0x48, 0x8b, 0x97}; /* mov d32(%rdi),%rdx */
static const unsigned char lea_rdi_rax[] = {0x48, 0x8d, 0x87}; /* lea d32(%rdi),%rax */
static const unsigned char mov_rax8[] = {0x48, 0x8b, 0x40};    /* mov d8(%rax),%rax */
static const unsigned char mov_rax0[] = {0x48, 0x8b, 0x00};    /* mov (%rax),%rax */

static const unsigned char *find(const unsigned char *code, size_t from, const unsigned char *op)
{
	for (size_t i = from; i + 7 <= CODE; i++)
		if (memcmp(code + i, op, 3) == 0)
			return code + i;
	return NULL;
}

static int displacement(const unsigned char *at, uint32_t *ret)
{
	if (!at)
		return -ENOENT;
	memcpy(ret, at + 3, sizeof(*ret));
	return *ret < OFFSET_MAX ? 0 : -ENOENT;
}

static int user_offsets(const unsigned char *code, struct mariadb_offsets *ret)
{
	const unsigned char *load;

	if (memcmp(code, mov_rdi_rax, 3) != 0 || displacement(code, &ret->thd_security_ctx) < 0)
		return -ENOENT;
	load = find(code, 7, mov_rax8);
	if (load && load[4] == 0xc3) {
		ret->security_ctx_user = load[3];
		return 0;
	}
	load = find(code, 7, mov_rax0);
	ret->security_ctx_user = 0;
	return load && load[3] == 0xc3 ? 0 : -ENOENT;
}

int mariadb_offsets_read(const struct elf *elf, struct mariadb_offsets *ret)
{
	unsigned char code[CODE];
	struct mariadb_offsets found = {};
	uint64_t threads = 0, start = 0;
	int r;

#ifndef __x86_64__
	return -ENOTSUP;
#endif
	r = elf_symbol_code(elf, "thd_user_name", code, sizeof(code));
	if (r == 0)
		r = user_offsets(code, &found);
	if (r == 0)
		r = elf_symbol_code(elf, "thd_current_db", code, sizeof(code));
	if (r == 0)
		r = memcmp(code, lea_rdi_rax, 3) == 0 ? displacement(code, &found.thd_db) : -ENOENT;
	if (r == 0)
		r = elf_symbol_code(elf, "thd_is_connected", code, sizeof(code));
	if (r == 0)
		r = displacement(find(code, 0, mov_rdi_rdx), &found.thd_vio);
	if (r == 0)
		r = elf_symbol_value(elf, "server_threads", &threads);
	if (r == 0)
		r = elf_code_start(elf, &start);
	if (r < 0)
		return r;
	found.server_threads = (int64_t)(threads - start);
	*ret = found;
	return 0;
}
