// SPDX-License-Identifier: Apache-2.0
// Symbols, and one displacement decoded from pgstat_report_appname() (backend_status.c): it writes
// st_appname, and st_activity_raw is the pointer after that one in struct PgBackendStatus of all
// supported versions. Strict: code of another shape is "not known".
#include "sensor/postgresql_offsets.h"

#include <errno.h>
#include <string.h>

#include "sensor/elf.h"
#include "sensor/pgstat_offsets.h"

#define CODE	  128
#define ENTRY_MAX 4096

/* mov d32(%rbx),%rdi and mov d32(%rbx),%rax: the target of memcpy(), and of the NUL after it. */
static const unsigned char mov_rbx_rdi[] = {0x48, 0x8b, 0xbb};
static const unsigned char mov_rbx_rax[] = {0x48, 0x8b, 0x83};

static uint32_t displacement(const unsigned char *code, const unsigned char *op)
{
	uint32_t d = 0;

	for (size_t i = 0; i + 7 <= CODE; i++) {
		if (memcmp(code + i, op, 3) == 0) {
			memcpy(&d, code + i + 3, sizeof(d));
			break;
		}
	}
	return d < ENTRY_MAX ? d : 0;
}

static uint32_t activity_offset(const struct elf *elf)
{
	unsigned char code[CODE];
	uint32_t appname;

#ifndef __x86_64__
	return 0;
#endif
	if (elf_symbol_code(elf, "pgstat_report_appname", code, sizeof(code)) < 0)
		return 0;
	appname = displacement(code, mov_rbx_rdi);
	if (!appname || displacement(code, mov_rbx_rax) != appname)
		return 0;
	return appname + sizeof(uint64_t);
}

/* The target of `op` d32(%rip), when the code at `i` begins so; 0 when not. */
static uint64_t rip_target(const unsigned char *code, size_t i, const char op[2], uint64_t at)
{
	int32_t d;

	if (memcmp(code + i, op, 2) != 0)
		return 0;
	memcpy(&d, code + i + 2, sizeof(d));
	return at + i + 6 + (uint64_t)(int64_t)d;
}

/*
 * pq_peekbyte() (pqcomm.c) compares PqRecvPointer with PqRecvLength, movslq d32(%rip),%rax and
 * cmp d32(%rip),%eax, and takes a byte of PqRecvBuffer, lea d32(%rip),%rdx.
 */
static void recv_buffer_read(const struct elf *elf, uint64_t base, struct postgresql_offsets *found)
{
	unsigned char code[CODE];
	uint64_t at, used, length, buffer = 0;

#ifndef __x86_64__
	return;
#endif
	if (elf_symbol_value(elf, "pq_peekbyte", &at) < 0 ||
	    elf_symbol_code(elf, "pq_peekbyte", code, sizeof(code)) < 0 || code[0] != 0x48)
		return;
	used = rip_target(code, 1, "\x63\x05", at);
	length = rip_target(code, 7, "\x3b\x05", at);
	for (size_t i = 13; !buffer && i + 7 <= sizeof(code); i++)
		if (code[i] == 0x48)
			buffer = rip_target(code, i + 1, "\x8d\x15", at);
	if (!used || !length || !buffer)
		return;
	found->recv_used = (int64_t)(used - base);
	found->recv_length = (int64_t)(length - base);
	found->recv_buffer = (int64_t)(buffer - base);
}

int postgresql_offsets_read(const struct elf *elf, struct postgresql_offsets *ret)
{
	struct postgresql_offsets found = {};
	const struct {
		const char *symbol;
		int64_t *to;
	} symbols[] = {
		{"MyProcPort", &found.my_proc_port},
		{"debug_query_string", &found.debug_query_string},
		{"MyBEEntry", &found.my_beentry},
		{"MyBgworkerEntry", &found.my_bgworker},
	};
	uint64_t base, at;

	if (elf_symbol_value(elf, "secure_write", &base) < 0 || elf_code_start(elf, &at) < 0)
		return -ENOENT;
	found.start_code = (int64_t)(at - base);
	for (size_t i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++)
		if (elf_symbol_value(elf, symbols[i].symbol, &at) == 0)
			*symbols[i].to = (int64_t)(at - base);
	found.activity = activity_offset(elf);
	if (!found.activity)
		found.my_beentry = 0;
	pgstat_offsets_read(elf, base, &found);
	recv_buffer_read(elf, base, &found);
	if (!found.my_proc_port)
		return -ENOENT;
	*ret = found;
	return 0;
}
