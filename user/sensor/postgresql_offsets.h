// SPDX-License-Identifier: Apache-2.0
// Where this build of PostgreSQL keeps the text of the statement a backend runs or ran last, and
// its counts of what it reads. Used when a server's binary is first seen.
#pragma once

#include <stdint.h>

struct elf;

/* As in struct db_binary of bpf/db.h. Addresses are relative to secure_write; 0: not known. */
struct postgresql_offsets {
	int64_t my_proc_port;	    /* of the pointer: the client's Port */
	int64_t recv_used;	    /* of an int: how much is used ... */
	int64_t recv_length;	    /* of an int: ... of how much that is in ... */
	int64_t recv_buffer;	    /* what was received and, under TLS, decrypted */
	int64_t debug_query_string; /* of the pointer: what runs now */
	int64_t my_beentry;	    /* of the pointer: the backend's entry in pg_stat_activity */
	int64_t my_bgworker;	    /* of the pointer: what a background worker was started as */
	int64_t start_code;	    /* what the kernel calls so: where the lowest code is loaded */
	int64_t stat_pending;	    /* of the list; see pgstat_offsets.h */
	int64_t track_counts;	    /* of the bool */
	uint32_t entry_pending;	    /* in struct PgStat_EntryRef */
	uint32_t activity;	    /* in that entry, of the pointer st_activity_raw */
};

/* 0, or -ENOENT: no such server. What cannot be found stays 0. */
int postgresql_offsets_read(const struct elf *elf, struct postgresql_offsets *ret);
