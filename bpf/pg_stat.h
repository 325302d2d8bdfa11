/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * PostgreSQL's own count of what a backend reads, in the backend's memory (pgstat.c,
 * pgstat_relation.c): for each relation that it uses, an entry in the list pgStatPending with what
 * it read since it last reported. And the accounts that are kept of it here, by session and table.
 *
 * The structures are those of PostgreSQL 15; user/sensor/pgstat_offsets.c compares them with the
 * code of the server.
 */
#pragma once

#include "db.h"

/* Watched tables that a session has unreported reads of. */
#define PG_READ_TABLES 8
/* Relations of watched tables on the list that are found again without a search. */
#define PG_READ_KNOWN 32
/* Entries of the list that one result's end looks at; the next one goes on from there. */
#define PG_READ_ENTRIES 4096

#define PG_KIND_RELATION 2 /* PGSTAT_KIND_RELATION */
/* RelationData (rel.h): rd_index, whose first fields are indexrelid and indrelid (pg_index.h). */
#define PG_RELATION_INDEX 304

/*
 * By object id; the database is told apart in user space, by the session's. User space sets the
 * tables, the kernel adds their indexes as it meets them.
 */
struct pg_relation {
	__u32 table; /* in whose account it is told: partitions are told in their parent's */
	__u32 index; /* it is an index of that table */
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, __u32);
	__type(value, struct pg_relation);
} pg_relations __weak SEC(".maps");

/* A parallel worker knows its leader only by the process id that both have in their namespace. */
struct pg_backend {
	__u64 ns;
	__u64 pid;
};

struct pg_counts {
	__u64 returned; /* rows, by scans of the whole table or of a range of row ids */
	__u64 fetched;	/* rows, by bitmaps and by indexes */
	__u64 entries;	/* of its indexes */
	__u64 blocks;	/* of the table, again when read again */
	__u64 written;
};

struct pg_read {
	__u32 table; /* 0: free */
	__u32 pad;
	struct pg_counts flushed; /* by entries that are no longer on the list; workers add to it */
	struct pg_counts pending; /* by those that are */
	struct pg_counts told;	  /* of both, when the last result ended */
};

/* PgStat_EntryRef from `pending` on: its place in the list. */
struct pg_entry_ref {
	__u64 pending;
	__u64 prev, next;
};

/* PgStat_HashKey, at the begin of what PgStat_EntryRef::shared_entry points to. */
struct pg_entry_key {
	__u32 kind;
	__u32 database;
	__u32 object;
};

/* PgStat_TableStatus, its PgStat_TableCounts included. */
struct pg_table_status {
	__u32 id;
	__u32 shared;
	__u64 trans; /* PgStat_TableXactStatus: begins with rows inserted, updated, deleted */
	__u64 scans;
	__u64 returned;
	__u64 fetched;
	__u64 inserted, updated, deleted, hot_updated;
	__u64 truncated;
	__u64 live, dead, changed;
	__u64 blocks, blocks_hit;
	__u64 relation; /* RelationData, while it is in the backend's cache */
};

/* An entry that is looked at. Not on the stack: of that, those who look have little left. */
struct pg_entry {
	__u64 shared; /* PgStat_EntryRef::shared_entry */
	struct pg_entry_key key;
	__u32 slot;
	struct pg_entry_ref ref;
	struct pg_table_status status;
	__u64 rd_index;
	__u32 index, table; /* indexrelid, indrelid */
	__u64 written[3];
};

struct pg_known {
	__u64 status;
	__u32 id;
	__u16 slot;
	__u16 index;
};

struct pg_reads {
	struct pg_read tables[PG_READ_TABLES];
	/* Until an entry is taken off the list, what stood on it need not be looked at again. */
	struct pg_known known[PG_READ_KNOWN];
	__u32 n_known;
	__u8 uncounted; /* said that the server does not count */
	__u8 again;	/* `known` is not all that there is on the list */
	__u8 begun;	/* what was read before the session was seen is left out */
	__u8 partial;	/* not all that is on the list could be read now */
	__u64 seen;	/* node of the list; 0: all is to be looked at */
	struct pg_entry entry;
};

/* Of sessions that are open. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 16384);
	__type(key, struct pg_backend);
	__type(value, struct pg_reads);
} pg_reads __weak SEC(".maps");

/* The value of a new entry: too large for the stack. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct pg_reads);
} pg_reads_none __weak SEC(".maps");

static __always_inline struct pg_backend pg_backend_current(void)
{
	struct pid *pid = plain_current()->group_leader->thread_pid;
	__u32 level = pid->level;
	struct upid at = {};

	bpf_core_read(&at, sizeof(at), &pid->numbers[level]);
	return (struct pg_backend){.ns = (__u64)at.ns, .pid = at.nr};
}

static __always_inline const struct db_binary *pg_stat_binary(__u32 key)
{
	struct db_binary *b = bpf_map_lookup_elem(&db_binaries, &key);

	return b && b->stat_pending ? b : NULL;
}

/* To what a binary's addresses are relative, in this process; 0: it has no memory any more. */
static __always_inline __u64 pg_base(const struct db_binary *bin)
{
	__u64 code = plain_current()->mm->start_code;

	return code ? code - bin->start_code : 0;
}

/*
 * Finds where the account of a table is, into e->slot; false: as many as there can be are in use.
 * They are taken in turn and given back all together: behind a free one is none. By way of memory,
 * because the verifier would follow each of them on its own.
 */
static __always_inline bool pg_slot_find(struct pg_reads *reads, struct pg_entry *e, __u32 table)
{
	e->slot = PG_READ_TABLES;
	for (__u32 i = 0; i < PG_READ_TABLES; i++) {
		__u32 was = __sync_val_compare_and_swap(&reads->tables[i].table, 0, table);

		if (!was || was == table) {
			e->slot = i;
			break;
		}
	}
	if (e->slot < PG_READ_TABLES)
		return true;
	emit_unread(LANE_CRIT, KIND_db_reads);
	return false;
}

/*
 * Of which watched table is it, or an index of which? The latter is in the relation's descriptor,
 * of which one in use is in the backend's cache.
 */
static __always_inline struct pg_relation pg_relation_of(struct pg_entry *e)
{
	__u32 oid = e->status.id; /* 6.1 takes no key from memory of unknown origin */
	struct pg_relation *watched = bpf_map_lookup_elem(&pg_relations, &oid), of = {};

	if (watched)
		return *watched;
	if (!e->status.relation ||
	    bpf_probe_read_user(&e->rd_index, sizeof(e->rd_index),
				(void *)(e->status.relation + PG_RELATION_INDEX)) ||
	    !e->rd_index ||
	    bpf_probe_read_user(&e->index, 2 * sizeof(e->index), (void *)e->rd_index) ||
	    e->index != oid)
		return of;
	oid = e->table;
	watched = bpf_map_lookup_elem(&pg_relations, &oid);
	if (!watched || watched->index)
		return of;
	of = (struct pg_relation){.table = watched->table, .index = 1};
	oid = e->index;
	bpf_map_update_elem(&pg_relations, &oid, &of, BPF_NOEXIST);
	return of;
}

/* Reads an entry's counts, of which e->ref.pending is known. False: it is not a relation's. */
static __always_inline bool pg_entry_read(struct pg_entry *e, __u64 at)
{
	if (bpf_probe_read_user(&e->shared, sizeof(e->shared), (void *)at) ||
	    bpf_probe_read_user(&e->key, sizeof(e->key), (void *)e->shared)) {
		emit_unread(LANE_CRIT, KIND_db_reads);
		return false;
	}
	if (e->key.kind != PG_KIND_RELATION || !e->ref.pending)
		return false;
	if (bpf_probe_read_user(&e->status, sizeof(e->status), (void *)e->ref.pending)) {
		emit_unread(LANE_CRIT, KIND_db_reads);
		return false;
	}
	return e->status.id == e->key.object;
}

/* Rows that the transaction in progress wrote are in t_counts when it ends. */
static __always_inline __u64 pg_written(struct pg_entry *e)
{
	__u64 *now = e->written, rows = e->status.inserted + e->status.updated + e->status.deleted;

	if (!e->status.trans ||
	    bpf_probe_read_user(now, sizeof(e->written), (void *)e->status.trans))
		return rows;
	return rows + now[0] + now[1] + now[2];
}

static __always_inline void pg_counts_add(struct pg_counts *to, struct pg_entry *e, bool index)
{
	__sync_fetch_and_add(&to->fetched, e->status.fetched);
	if (index) {
		__sync_fetch_and_add(&to->entries, e->status.returned);
		return;
	}
	__sync_fetch_and_add(&to->returned, e->status.returned);
	__sync_fetch_and_add(&to->blocks, e->status.blocks);
	__sync_fetch_and_add(&to->written, pg_written(e));
}
