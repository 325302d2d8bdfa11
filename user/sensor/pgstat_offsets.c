// SPDX-License-Identifier: Apache-2.0
// The list of pending statistics has no name of its own in the binary: its address is that which
// pgstat_prep_pending_entry() and pgstat_report_stat() (pgstat.c) both use. That the structures are
// those which bpf/pg_stat.h knows is seen from the displacements in the functions that use them.
// Strict: code of another shape is "not known".
#include "sensor/pgstat_offsets.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "sensor/elf.h"
#include "sensor/postgresql_offsets.h"

#define CODE 320

struct code {
	uint64_t address;
	unsigned char bytes[CODE];
};

static bool code_read(const struct elf *elf, const char *symbol, struct code *c)
{
	return elf_symbol_value(elf, symbol, &c->address) == 0 &&
	       elf_symbol_code(elf, symbol, c->bytes, sizeof(c->bytes)) == 0;
}

/* Instructions of the structures that bpf/pg_stat.h declares. */
static const struct {
	const char *symbol;
	unsigned char bytes[8];
	unsigned n;
} layout[] = {
	/* mov 0x78(%rax),%rax: PgStat_TableStatus::relation */
	{"pgstat_relation_delete_pending_cb", {0x48, 0x8b, 0x40, 0x78}, 4},
	/* mov $0x68,%edx: sizeof(PgStat_TableCounts), to be compared with zeroes */
	{"pgstat_relation_flush_cb", {0xba, 0x68, 0x00, 0x00, 0x00}, 5},
	/* lea 0x10(%r12),%rdi: PgStat_TableStatus::t_counts */
	{"pgstat_relation_flush_cb", {0x49, 0x8d, 0x7c, 0x24, 0x10}, 5},
	/* mov 0x68(%r12),%rcx: t_counts.t_blocks_fetched */
	{"pgstat_relation_flush_cb", {0x49, 0x8b, 0x4c, 0x24, 0x68}, 5},
	/* mov 0x138(%rdi),%rdi: RelationData::rd_indextuple, the pointer after rd_index */
	{"RelationGetDummyIndexExpressions", {0x48, 0x8b, 0xbf, 0x38, 0x01, 0x00, 0x00}, 7},
};

static bool code_has(const struct code *c, const unsigned char *bytes, unsigned n)
{
	for (size_t i = 0; i + n <= sizeof(c->bytes); i++)
		if (memcmp(c->bytes + i, bytes, n) == 0)
			return true;
	return false;
}

static bool layout_fits(const struct elf *elf)
{
	struct code c;

	for (size_t i = 0; i < sizeof(layout) / sizeof(layout[0]); i++)
		if (!code_read(elf, layout[i].symbol, &c) ||
		    !code_has(&c, layout[i].bytes, layout[i].n))
			return false;
	return true;
}

/* mov d8(%rdi),%rax: PgStat_EntryRef::pending, before which minor versions added a field. */
static uint32_t entry_pending(const struct elf *elf)
{
	static const unsigned char mov_rdi_rax[] = {0x48, 0x8b, 0x47};
	struct code c;

	if (!code_read(elf, "pgstat_relation_delete_pending_cb", &c) ||
	    memcmp(c.bytes, mov_rdi_rax, sizeof(mov_rdi_rax)) != 0)
		return 0;
	return c.bytes[3] == 0x10 || c.bytes[3] == 0x18 ? c.bytes[3] : 0;
}

/* What an operand relative to the next instruction points to. */
static uint64_t target(const struct code *c, size_t operand, size_t next)
{
	int32_t d;

	memcpy(&d, c->bytes + operand, sizeof(d));
	return c->address + next + (uint64_t)(int64_t)d;
}

/* Does it take this address (lea d32(%rip),%r)? */
static bool takes_address(const struct code *c, uint64_t address)
{
	for (size_t i = 0; i + 7 <= sizeof(c->bytes); i++)
		if ((c->bytes[i] & 0xfb) == 0x48 && c->bytes[i + 1] == 0x8d &&
		    (c->bytes[i + 2] & 0xc7) == 0x05 && target(c, i + 3, i + 7) == address)
			return true;
	return false;
}

/*
 * dlist_push_tail() looks whether the list was ever used (cmpq $0,d32(%rip): the second of its two
 * pointers) and takes its address: both functions do the latter.
 */
static uint64_t list_address(const struct elf *elf)
{
	static const unsigned char cmpq[] = {0x48, 0x83, 0x3d};
	struct code prep, report;
	uint64_t found = 0;

	if (!code_read(elf, "pgstat_prep_pending_entry", &prep) ||
	    !code_read(elf, "pgstat_report_stat", &report))
		return 0;
	for (size_t i = 0; i + 8 <= sizeof(prep.bytes); i++) {
		uint64_t list;

		if (memcmp(prep.bytes + i, cmpq, sizeof(cmpq)) != 0 || prep.bytes[i + 7] != 0)
			continue;
		list = target(&prep, i + 3, i + 8) - sizeof(uint64_t);
		if (!takes_address(&prep, list) || !takes_address(&report, list))
			continue;
		if (found && found != list)
			return 0;
		found = list;
	}
	return found;
}

void pgstat_offsets_read(const struct elf *elf, uint64_t base, struct postgresql_offsets *to)
{
	uint64_t list, track;
	uint32_t pending;

#ifndef __x86_64__
	return;
#endif
	pending = entry_pending(elf);
	if (!pending || !layout_fits(elf))
		return;
	list = list_address(elf);
	if (!list || elf_symbol_value(elf, "pgstat_track_counts", &track) < 0)
		return;
	to->stat_pending = (int64_t)(list - base);
	to->track_counts = (int64_t)(track - base);
	to->entry_pending = pending;
}
