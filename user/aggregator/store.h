// SPDX-License-Identifier: Apache-2.0
// Where evidence is kept: the only writer. One transaction a batch; when store_batch returns 0 it
// is on disk and may be acknowledged. An event is known by host, boot, class and number, and
// stored once however often it arrives. Readers use lib/store_read.h.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/batch.h"
#include "lib/chain.h"
#include "transport.pb-c.h"

struct store;

int store_open(const char *path, struct store **ret_store); /* logs why not */
struct store *store_free(struct store *s);		    /* accepts NULL, returns NULL */
void store_freep(struct store **s);

/* The last stored number and its chain of one boot and class; 0 and zeros when there is none. */
int store_position(struct store *s, const char *host, const char *boot_id, uint32_t class,
		   uint64_t *ret_seq, uint8_t ret_chain[CHAIN_SIZE]);

struct store_batch {
	const char *host; /* by its certificate */
	const Rollcall__Batch *batch;
	struct batch_blocks blocks;
	int agrees; /* 0: its history is not the one that was stored: noted as a gap */
};

/* 0, or negative errno and nothing of it was stored. *ret_new: events that were not known. */
int store_batch(struct store *s, const struct store_batch *b, uint32_t *ret_new);

/* A host said hello, or anything else. */
int store_host_seen(struct store *s, const char *host, const char *boot_id, const char *program);

/* A connection that was refused; `name` may be empty. */
int store_refusal(struct store *s, const char *peer, const char *name, const char *reason);
