// SPDX-License-Identifier: Apache-2.0
// The spool's writer: events on disk until the aggregator has them. Gives each event its sequence
// number, per boot and class. One process writes (a lock holds others off); the stream process
// reads with spool_read.h. Bounded: what was delivered goes first, then bulk, then crit.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "event.pb-c.h"
#include "lib/segment.h"

/* Bytes of a class that are kept in memory: no event with its process is as large. */
#define SPOOL_EVENT_MAX (256 * 1024)

struct arena;
struct spool;

struct spool_opts {
	const char *directory; /* see spool_prepare */
	const char *boot_id;
	uint64_t max_bytes;
	uint64_t boottime; /* ns since boot: where numbers begin in an empty spool */
};

/* Removed before the aggregator had it: a proven gap. */
struct spool_trimmed {
	uint32_t class;
	uint64_t first_seq, last_seq;
};
typedef void (*spool_trimmed_fn)(void *ctx, const struct spool_trimmed *t);

struct spool_lane_status {
	uint64_t last_seq, acked_seq, trimmed;
};

struct spool_status {
	uint64_t bytes, max_bytes, errors;
	struct spool_lane_status lanes[3]; /* by class */
};

/*
 * Makes the directory, its parent too, readable by a group; before either process uses it. Files
 * inherit the group, so that making one later needs no capability.
 */
int spool_prepare(const char *directory, gid_t group);

/* -EAGAIN: another process has the lock. Otherwise what the failing system call said. */
int spool_open(const struct spool_opts *opts, struct spool **ret_spool);
struct spool *spool_free(struct spool *s); /* flushes; accepts NULL, returns NULL */
void spool_freep(struct spool **s);

/* The number that the next event of this class gets. */
uint64_t spool_next(const struct spool *s, uint32_t class);

/* A packed process, the same for many events: told once in a block. Zeros in `at` to begin with. */
struct spool_process {
	const uint8_t *data;
	size_t size;
	struct {
		uint64_t block; /* the last one that it was put into */
		uint32_t number;
	} at[SEGMENT_CLASSES];
};

/* Packed into the arena. 0 or -ENOMEM. */
int spool_process_pack(struct arena *a, const Rollcall__Process *process,
		       struct spool_process *ret_process);

/*
 * Appends an event of `size` packed bytes, without what Block leaves out, under spool_next()'s
 * number: its bytes are to be at *ret_room before the next call. `process`: whose event it is, or
 * NULL. Kept in memory until spool_flush or until the buffer is full. -EMSGSIZE: larger than the
 * buffer, no number is used and *ret_room is left alone; another error is that of writing others.
 */
int spool_claim(struct spool *s, uint32_t class, size_t size, struct spool_process *process,
		uint8_t **ret_room);

/* Hands what is buffered to the kernel: from here on a crash of the sensor loses nothing. */
int spool_flush(struct spool *s);

/* Onto the disk itself: from here on a power cut loses nothing. */
int spool_sync(struct spool *s);

/* Removes what the stream process has had acknowledged and what is above the cap. */
int spool_trim(struct spool *s, spool_trimmed_fn fn, void *ctx);

void spool_status(const struct spool *s, struct spool_status *ret_status);
