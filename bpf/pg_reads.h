/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * How many rows of watched tables a PostgreSQL statement read, whatever its text, its functions or
 * its views say: the server's own count, taken where a result ends. No breakpoint is in the way of
 * a statement. What the server takes off its list in between is told by pg_reads.bpf.c.
 */
#pragma once

#include "pg_stat.h"

struct pg_read_walk {
	struct pg_reads *reads;
	__u64 head, next;
	__u32 entry_pending;
	bool again; /* from here on all is to be looked at again the next time */
};

/* A relation of a watched table is on the list. False: there is no room to know it. */
static __always_inline bool pg_known_add(struct pg_reads *reads, bool index)
{
	__u32 n = reads->n_known;

	if (n >= PG_READ_KNOWN)
		return false;
	reads->known[n].status = reads->entry.ref.pending;
	reads->known[n].id = reads->entry.status.id;
	reads->known[n].slot = reads->entry.slot;
	reads->known[n].index = index;
	reads->n_known = n + 1;
	return true;
}

static __always_inline void pg_read_add(struct pg_reads *reads, bool index)
{
	__u32 slot = reads->entry.slot;

	if (slot < PG_READ_TABLES)
		pg_counts_add(&reads->tables[slot].pending, &reads->entry, index);
}

/* One entry that was not looked at before. */
static long pg_entry_step(__u64 i, struct pg_read_walk *w)
{
	struct pg_reads *reads = w->reads;
	__u64 node = w->next;
	struct pg_relation of;

	if (!reads || !node || node == w->head)
		return 1;
	node -= sizeof(reads->entry.ref.pending);
	if (bpf_probe_read_user(&reads->entry.ref, sizeof(reads->entry.ref), (void *)node)) {
		emit_unread(LANE_CRIT, KIND_db_reads);
		reads->partial = true;
		return 1;
	}
	/* One of another kind may go without our seeing it: the next search cannot begin there. */
	if (pg_entry_read(&reads->entry, node - w->entry_pending)) {
		of = pg_relation_of(&reads->entry);
		if (of.table && pg_slot_find(reads, &reads->entry, of.table) &&
		    !pg_known_add(reads, of.index)) {
			w->again = true;
			pg_read_add(reads, of.index);
		}
		if (!w->again)
			reads->seen = w->next;
	}
	w->next = reads->entry.ref.next;
	return 0;
}

static long pg_known_step(__u64 i, struct pg_read_walk *w)
{
	struct pg_reads *reads = w->reads;
	struct pg_entry *e;
	__u32 at = i;

	if (!reads || at >= PG_READ_KNOWN || at >= reads->n_known)
		return 1;
	e = &reads->entry;
	e->slot = reads->known[at].slot;
	if (bpf_probe_read_user(&e->status, sizeof(e->status), (void *)reads->known[at].status) ||
	    e->status.id != reads->known[at].id) {
		emit_unread(LANE_CRIT, KIND_db_reads);
		reads->partial = true;
		reads->seen = 0; /* the next time all over again */
		reads->n_known = 0;
		return 1;
	}
	pg_read_add(reads, reads->known[at].index);
	return 0;
}

/*
 * Adds up what the entries on the list say. False: there is no list, the backend has no memory any
 * more: one that is killed takes with it what it did not report. A global function: the verifier
 * looks at it once, not once in each path that leads here.
 */
__noinline int pg_reads_sum(struct pg_reads *reads, __u32 binary)
{
	const struct db_binary *bin = pg_stat_binary(binary);
	struct pg_read_walk w = {.reads = reads};
	__u64 base;

	if (!reads || !bin)
		return false;
	base = pg_base(bin);
	for (__u32 i = 0; i < PG_READ_TABLES && reads->tables[i].table; i++)
		__builtin_memset(&reads->tables[i].pending, 0, sizeof(struct pg_counts));
	reads->partial = !base;
	if (!base)
		return false;
	w.entry_pending = bin->entry_pending;
	w.head = base + bin->stat_pending;
	if (bpf_probe_read_user(&w.next, sizeof(w.next),
				(void *)((reads->seen ?: w.head) + sizeof(w.next))))
		reads->partial = true;
	bpf_loop(PG_READ_ENTRIES, pg_entry_step, &w, 0);
	if (reads->n_known)
		bpf_loop(PG_READ_KNOWN, pg_known_step, &w, 0);
	reads->again = w.again;
	if (reads->begun)
		return true;
	reads->begun = true;
	for (__u32 i = 0; i < PG_READ_TABLES; i++)
		reads->tables[i].told = reads->tables[i].pending;
	return true;
}

/*
 * How much more than was told; when the result has ended, all was. That there is less can be when a
 * flush was missed: what is read from then on must not hide behind it.
 */
static __always_inline __u64 pg_count_new(__u64 all, __u64 *told, bool ended, bool partial)
{
	__u64 more = all > *told ? all - *told : 0;

	if (ended && (more || !partial))
		*told = all;
	return more;
}

static __always_inline void pg_read_new(struct pg_read *read, struct rec_db_reads *r, bool ended,
					bool partial)
{
	const struct pg_counts *f = &read->flushed, *p = &read->pending;
	struct pg_counts *told = &read->told;

	r->returned = pg_count_new(f->returned + p->returned, &told->returned, ended, partial);
	r->fetched = pg_count_new(f->fetched + p->fetched, &told->fetched, ended, partial);
	r->entries = pg_count_new(f->entries + p->entries, &told->entries, ended, partial);
	r->blocks = pg_count_new(f->blocks + p->blocks, &told->blocks, ended, partial);
	r->written = pg_count_new(f->written + p->written, &told->written, ended, partial);
}

/* Whose result it is that is told of. */
struct pg_tell {
	struct pg_reads *reads;
	struct db_scratch *scratch;
	__u64 conn;
	__u32 group, index;
	bool ended; /* the next one begins at none */
};

static __always_inline struct rec_db_reads *pg_tell_record(const struct pg_tell *t, __u32 table)
{
	struct rec_db_reads *r = (void *)t->scratch->record;

	__builtin_memset(r, 0, sizeof(*r));
	r->conn = t->conn;
	r->group = t->group;
	r->index = t->index;
	r->relation = table;
	return r;
}

static long pg_tell_step(__u64 i, struct pg_tell *t)
{
	struct rec_db_reads *r;
	struct pg_read *read;
	__u32 at = i;

	if (!t->reads || !t->scratch || at >= PG_READ_TABLES)
		return 1;
	read = &t->reads->tables[at];
	if (!read->table)
		return 1;
	r = pg_tell_record(t, read->table);
	pg_read_new(read, r, t->ended, t->reads->partial);
	if (r->returned | r->fetched | r->entries | r->blocks)
		emit(LANE_CRIT, r, sizeof(*r), KIND_db_reads, false);
	/* Nothing of it is on the list: all was told. */
	if (t->ended && !t->reads->n_known && !t->reads->again && !t->reads->partial)
		__builtin_memset(read, 0, sizeof(*read));
	return 0;
}

/* A superuser can have the server not count (track_counts): that is told when it changes. */
static __always_inline void pg_counting_tell(const struct pg_tell *t, const struct db_binary *bin)
{
	struct rec_db_reads *r;
	__u8 counts = 1;

	bpf_probe_read_user(&counts, sizeof(counts), (void *)(pg_base(bin) + bin->track_counts));
	if (t->reads->uncounted == !counts)
		return;
	t->reads->uncounted = !counts;
	r = pg_tell_record(t, 0);
	r->uncounted = !counts;
	emit(LANE_CRIT, r, sizeof(*r), KIND_db_reads, false);
}

/*
 * Tells what was read of which watched tables since the last result ended, before the record of the
 * result itself.
 */
static __always_inline void pg_reads_tell(struct pg_tell *t, __u32 binary)
{
	struct pg_backend key = pg_backend_current();
	const struct db_binary *bin = pg_stat_binary(binary);

	if (!bin)
		return;
	t->reads = bpf_map_lookup_elem(&pg_reads, &key);
	if (!t->reads)
		return;
	if (pg_reads_sum(t->reads, binary))
		pg_counting_tell(t, bin);
	if (t->reads->tables[0].table)
		bpf_loop(PG_READ_TABLES, pg_tell_step, t, 0);
}

/* A session is first seen: what its backend read so far is nobody's. */
static __always_inline void pg_reads_begin(__u32 binary)
{
	struct pg_backend key = pg_backend_current();
	__u32 zero = 0;
	void *none = bpf_map_lookup_elem(&pg_reads_none, &zero);

	if (!none || !pg_stat_binary(binary))
		return;
	if (bpf_map_update_elem(&pg_reads, &key, none, BPF_ANY))
		emit_unread(LANE_CRIT, KIND_db_reads);
	pg_reads_sum(bpf_map_lookup_elem(&pg_reads, &key), binary);
}

static __always_inline void pg_reads_end(void)
{
	struct pg_backend key = pg_backend_current();

	bpf_map_delete_elem(&pg_reads, &key);
}
