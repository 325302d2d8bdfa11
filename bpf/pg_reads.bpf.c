// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Counts that a PostgreSQL backend takes off its list, whether it reported them or not (the
 * relation was dropped): pgstat_relation_delete_pending_cb() is called for each with its counts
 * still there, at most once a second (PGSTAT_MIN_INTERVAL) and when the backend or the parallel
 * worker ends, which a leader waits for before its result ends.
 */
#include "pg_stat.h"

/* BackgroundWorker (bgworker.h): bgw_function_name, bgw_notify_pid. */
#define PG_WORKER_FUNCTION 300
#define PG_WORKER_NOTIFY   536

static const char parallel_worker[] = "ParallelWorkerMain";

/* A parallel worker acts for its leader: to whom it is to say that it started. */
static __always_inline bool pg_leader(struct pg_backend *b, __u64 base, const struct db_binary *bin)
{
	char function[sizeof(parallel_worker)] = {};
	__u64 entry = 0;
	__u32 leader = 0;

	if (!bin->my_bgworker)
		return false;
	bpf_probe_read_user(&entry, sizeof(entry), (void *)(base + bin->my_bgworker));
	if (!entry)
		return false;
	bpf_probe_read_user(function, sizeof(function), (void *)(entry + PG_WORKER_FUNCTION));
	for (__u32 i = 0; i < sizeof(function); i++)
		if (function[i] != parallel_worker[i])
			return false;
	bpf_probe_read_user(&leader, sizeof(leader), (void *)(entry + PG_WORKER_NOTIFY));
	b->pid = leader;
	return true;
}

SEC("?uprobe/pgstat_relation_delete_pending_cb")
int BPF_KPROBE(pg_reads__uprobe, const void *entry)
{
	const struct db_binary *bin = pg_stat_binary(bpf_get_attach_cookie(ctx));
	struct pg_backend key = pg_backend_current();
	struct pg_entry e = {};
	struct pg_relation of;
	struct pg_reads *reads;
	__u32 slot;
	bool worker;

	if (!bin)
		return 0;
	worker = pg_leader(&key, pg_base(bin), bin);
	reads = bpf_map_lookup_elem(&pg_reads, &key);
	if (!reads)
		return 0;
	if (!worker) {
		reads->seen = 0;
		reads->n_known = 0;
	}
	bpf_probe_read_user(&e.ref.pending, sizeof(e.ref.pending), entry + bin->entry_pending);
	if (!pg_entry_read(&e, (__u64)entry))
		return 0;
	of = pg_relation_of(&e);
	if (!of.table || !pg_slot_find(reads, &e, of.table))
		return 0;
	slot = e.slot;
	if (slot < PG_READ_TABLES)
		pg_counts_add(&reads->tables[slot].flushed, &e, of.index);
	return 0;
}
