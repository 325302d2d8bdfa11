/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What the database probes share: the accounts of one result, scratch memory, and the records
 * that both systems emit. Row contents are counted here and never leave the kernel.
 */
#pragma once

#include "emit.h"
#include "sock.h"
#include "task.h"

#include "db_walk.h"

/* Tells one server binary from another: set by user space, chosen by the uprobe's cookie. */
struct db_binary {
	/* PostgreSQL: addresses minus that of secure_write; 0 unknown */
	__s64 my_proc_port; /* of the pointer MyProcPort */
	__s64 recv_used;    /* PqRecvPointer: bytes used of ... */
	__s64 recv_length;  /* PqRecvLength: ... those that were received into ... */
	__s64 recv_buffer;  /* PqRecvBuffer */
	__s64 debug_query_string;
	__s64 my_beentry;
	__s64 my_bgworker;   /* of the pointer MyBgworkerEntry */
	__s64 start_code;    /* where the kernel says that the code begins: mm_struct::start_code */
	__s64 stat_pending;  /* of the list pgStatPending; 0: not known, or not to be read */
	__s64 track_counts;  /* of the bool pgstat_track_counts */
	__u32 entry_pending; /* offset of PgStat_EntryRef::pending */
	__u32 activity;	     /* offset of the pointer PgBackendStatus::st_activity_raw */
	/* MariaDB */
	__u32 thd_vio;		 /* offset of THD::net, whose first field is the Vio */
	__u32 thd_security_ctx;	 /* offset of the pointer THD::security_ctx */
	__u32 security_ctx_user; /* offset of the pointer Security_context::user */
	__u32 thd_db;		 /* offset of THD::db, a LEX_CSTRING */
	__s64 server_threads;	 /* of the list of THDs, minus where code starts; 0 unknown */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, struct db_binary);
} db_binaries __weak SEC(".maps");

/*
 * A program's code is verified for each program that has it. One program for several functions of a
 * server is told by its cookie which of them was called, in the order in which its section names
 * them; the lower half is the binary.
 */
static __always_inline __u32 db_function(struct pt_regs *ctx)
{
	return bpf_get_attach_cookie(ctx) >> 32;
}

/*
 * Scratch memory. A uprobe program can be preempted by another task on the same CPU (it holds
 * only rcu_read_lock, see bpf_prog_run_array_uprobe()), so a slot per CPU is not safe: slots are
 * claimed and given back.
 */
struct db_scratch {
	__u32 busy;
	__u32 pad;
	struct db_cursor at;
	__u8 window[DB_WINDOW + DB_TEXT_MAX]; /* room so that a bounded copy cannot run over */
	__u8 record[sizeof(struct rec_db_end) + 2 * DB_TEXT_MAX];
};

#define DB_SCRATCH_SLOTS 32

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, DB_SCRATCH_SLOTS);
	__type(key, __u32);
	__type(value, struct db_scratch);
} db_scratches __weak SEC(".maps");

/* Chunks that were not walked, by reason; user space makes Gap events of them. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, DB_MISS_MAX);
	__type(key, __u32);
	__type(value, __u64);
} db_misses __weak SEC(".maps");

static void db_miss(enum db_miss why)
{
	__u32 key = why;
	__u64 *n = bpf_map_lookup_elem(&db_misses, &key);

	if (n)
		(*n)++;
}

static __always_inline struct db_scratch *db_scratch_claim(void)
{
	__u32 first = bpf_get_smp_processor_id() * 4;

	for (__u32 i = 0; i < 8; i++) {
		__u32 key = (first + i) % DB_SCRATCH_SLOTS;
		struct db_scratch *s = bpf_map_lookup_elem(&db_scratches, &key);

		if (s && !__sync_val_compare_and_swap(&s->busy, 0, 1))
			return s;
	}
	db_miss(DB_MISS_SCRATCH);
	return NULL;
}

static __always_inline void db_scratch_release(struct db_scratch *s)
{
	__sync_val_compare_and_swap(&s->busy, 1, 0);
}

static __always_inline void db_slice(struct record_slice *slice, __u32 off, __u32 len, __u32 orig)
{
	slice->off = off;
	slice->len = len;
	slice->orig = orig;
}

/* Emits `rec` of `fixed` bytes and the first n bytes at `src` (kernel memory) as its tail. */
static __always_inline void db_emit_text(struct db_scratch *s, __u32 fixed,
					 struct record_slice *slice, const void *src, __u32 n,
					 enum record_kind kind)
{
	if (n > DB_TEXT_MAX)
		n = DB_TEXT_MAX;
	if (bpf_probe_read_kernel(s->record + fixed, n, src))
		n = 0;
	db_slice(slice, fixed, n, n);
	emit(LANE_CRIT, s->record, fixed + n, kind, false);
}

static __always_inline enum rec_confidence db_confidence(const struct db_result *r)
{
	if (r->doubt == 1)
		return Confidence_bytes_only;
	return r->doubt ? Confidence_lower_bound : Confidence_exact;
}

/* Everything of DbEnd that both systems fill alike. */
static __always_inline void db_end_fill(struct rec_db_end *e, const struct db_result *r,
					enum rec_end end, enum rec_tap tap)
{
	e->begin_time = r->begin_time;
	e->rows = r->rows;
	e->copy_rows = r->copy_rows;
	e->bytes = r->bytes;
	e->max_row = r->max_row;
	e->safe_rows = r->safe_rows;
	e->affected = r->affected;
	e->status = r->status;
	e->columns_hash = r->columns_hash;
	e->end = end;
	e->tap = tap;
	e->confidence = db_confidence(r);
}
