// SPDX-License-Identifier: Apache-2.0
// Where this build of PostgreSQL keeps the text of the statement a backend runs or ran last, and
// what a scan is of. Used when a server's binary is first seen.
#pragma once

#include <stdint.h>

/* As in struct db_binary of bpf/db.h. Addresses are relative to secure_write; 0: not known. */
struct postgresql_offsets {
	int64_t debug_query_string; /* of the pointer: what runs now */
	int64_t my_beentry;	    /* of the pointer: the backend's entry in pg_stat_activity */
	int64_t heap_page_prune_opt;
	int64_t index_beginscan;
	int64_t buffer_descriptors; /* of the pointer: one of 64 bytes for each shared buffer */
	int64_t my_bgworker;	    /* of the pointer: what a background worker was started as */
	uint32_t activity;	    /* in that entry, of the pointer st_activity_raw */
	uint32_t lock_rel_id;	    /* in struct RelationData: rd_lockInfo.lockRelId.relId */
};

/* 0, or -ENOENT: no such server. What cannot be found stays 0. */
int postgresql_offsets_read(const char *path, struct postgresql_offsets *ret);
