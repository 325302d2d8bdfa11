// SPDX-License-Identifier: Apache-2.0
// The probes: loads the BPF programs, takes for each event the first hook this kernel accepts,
// attaches the database probes to server binaries by inode, and hands out kernel records.
// The only file that knows libbpf.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control.pb-c.h"
#include "event.pb-c.h"

struct arena;
struct handover;
struct probe;

enum probe_system { PROBE_POSTGRESQL, PROBE_MARIADB };

/* Gets each record, straight from the ring; the bytes are valid during the call only. */
typedef void (*probe_record_fn)(void *ctx, const void *record, size_t size);

struct probe_opts {
	probe_record_fn record;
	void *ctx;
	uint32_t ring_crit; /* bytes, a power of two; 0: as compiled */
	uint32_t ring_bulk;
	bool own; /* this process is the sensor: what it does to its own objects is not told */
	bool rows_read; /* read PostgreSQL's counts of what it reads of watched tables */
	bool unwatched; /* leave out what tells of nothing but watched files and programs */
	/*
	 * Where the probes are kept for the next sensor of the same build and `identity` (text),
	 * should this one be killed; NULL: nowhere.
	 */
	const char *pins, *identity;
	/* Called when the kernel's types were read and loading begins: what takes time and memory
	 * can be done beside it (may be NULL). */
	void (*loading)(void *ready_ctx);
	/*
	 * Called, once or more, when all is loaded, and before anything is attached, taken over or
	 * removed: what is needed beside the probes. A negative errno ends it (may be NULL).
	 */
	int (*ready)(void *ready_ctx);
	void *ready_ctx;
	/* What was made of the records so far is to be put away (may be NULL) ... */
	void (*flush)(void *ctx);
	/* ... and was, so that their room was given away (may be NULL). */
	void (*flushed)(void *ctx);
};

/*
 * Takes over the probes of a sensor that was killed, or opens, chooses hooks by trying, loads,
 * attaches. A hook that is missing degrades its event.
 */
int probe_new(const struct probe_opts *opts, struct probe **ret);
struct probe *probe_free(struct probe *p); /* nothing of it is left, but after probe_stay */
void probe_freep(struct probe **p);

/* Did another sensor make them? */
bool probe_taken_over(const struct probe *p);
/* What it left, and what this one leaves. */
struct handover *probe_handover(struct probe *p);
/* The kernel is to go on without this sensor: another one will come. */
void probe_stay(struct probe *p);
/*
 * Delivers again, as far as the ring still has them, crit records that the sensor before had read.
 * Number of records, or negative errno.
 */
int probe_past(struct probe *p, probe_record_fn fn, void *ctx);

/*
 * Attaches the database probes to the binary that process `pid` runs. A binary (by device and
 * inode) is attached once. 0, 1 when it had been attached before, or negative errno.
 */
int probe_attach_server(struct probe *p, enum probe_system system, int pid);

/* The servers that ran before were attached: what was prepared for more of them goes. */
void probe_servers_attached(struct probe *p);

/* Of the kernel's two rings, by bpf/emit.h. */
enum lane { LANE_CRIT, LANE_BULK, LANES };

/* A descriptor that is woken when that ring is to be looked at at once; borrowed. */
int probe_fd(const struct probe *p, enum lane lane);

/* Delivers all records that were there when it was called. Number of records, or negative errno. */
int probe_consume(struct probe *p);
/* Milliseconds since something was delivered, or the kernel woke us: what it goes by when it tells
 * something. */
uint32_t probe_quiet(const struct probe *p);

/* Of the record that is being delivered, so many strings had been cut: for the counts. */
void probe_truncated(struct probe *p, const void *record, unsigned strings);

/* Runs a program that is called by nobody else, once. */
int probe_run(struct probe *p, const char *program);

/* Runs a BPF iterator; each record it wrote is delivered to `fn` (may be NULL). */
int probe_iter(struct probe *p, const char *program, probe_record_fn fn, void *ctx);

/* Descriptor of a map by name, borrowed; -ENOENT. */
int probe_map_fd(const struct probe *p, const char *name);
int probe_map_lookup(const struct probe *p, const char *name, const void *key, void *ret_value);
int probe_map_update(const struct probe *p, const char *name, const void *key, const void *value);
int probe_map_delete(const struct probe *p, const char *name, const void *key);

/* What is watched, by inode or name: a filewatch_set_fn, `ctx` is the probe. */
int probe_map_watch(void *ctx, const char *name, const void *key, const void *value);
/* Walks a hash map's keys: *key in, next key out (start: zeroed and `first`). 0 or -ENOENT. */
int probe_map_next(const struct probe *p, const char *name, const void *key, void *ret_next);

/* What is attached, by event, and the lanes' counts; allocated in the arena. */
int probe_coverage(const struct probe *p, struct arena *a, Rollcall__Coverage **ret);

/* The same as an event, with a word of a watched table whose files cannot be watched any more. */
Rollcall__Event *probe_files_gone(const struct probe *p, struct arena *a, uint64_t time,
				  const char *table);

/* Chunks of database traffic that were not walked, by reason (enum db_miss). */
int probe_db_misses(const struct probe *p, uint64_t counts[3]);

/*
 * Times the kernel did not enter a program because it interrupted that same program on its CPU: a
 * packet that comes while a socket's state is told. What it would have seen is lost.
 */
uint64_t probe_misses(const struct probe *p);

/*
 * Lets the kernel measure every BPF program of the machine, which costs two looks at the clock a
 * call, until the descriptor is closed. Negative errno.
 */
int probe_measure(void);

/* Calls and time of each loaded program, as far as they were measured; allocated in the arena. */
int probe_costs(const struct probe *p, struct arena *a, Rollcall__Top *top);
