// SPDX-License-Identifier: Apache-2.0
// Where this build of PostgreSQL counts, in a backend's own memory, what the backend reads. Used
// when a server's binary is first seen.
#pragma once

#include <stdint.h>

struct elf;
struct postgresql_offsets;

/*
 * Fills stat_pending, track_counts and entry_pending; all stay 0 when this is another version
 * than bpf/pg_stat.h was written for, or its code has another shape. `base`: of secure_write.
 */
void pgstat_offsets_read(const struct elf *elf, uint64_t base, struct postgresql_offsets *to);
