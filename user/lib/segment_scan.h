// SPDX-License-Identifier: Apache-2.0
// Reads one spool file from its beginning to its last good block. Called by the writer when it
// goes on after a restart; the reader has its own position (spool_read.h).
#pragma once

#include "lib/segment.h"

struct segment_scan {
	struct segment_header header;
	uint64_t file_bytes;
	uint64_t good_bytes;	   /* header and whole blocks */
	uint64_t last_seq;	   /* first_seq - 1 when there is none */
	uint8_t chain[CHAIN_SIZE]; /* after last_seq */
};

/*
 * 0: every block is good but perhaps a last one that was cut short. -EBADMSG: a block or the
 * header is damaged (the fields tell what was read before). -ENODATA: no whole header.
 */
int segment_scan(int dir, const struct segment_name *name, struct chain *chain,
		 struct segment_scan *ret_scan);
