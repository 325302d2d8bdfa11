// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * What a PostgreSQL backend touches of a watched table, however it came to it. Two exported
 * functions see every way to the heap but by row id (heapam.c, heapam_handler.c, indexam.c):
 * heap_page_prune_opt(relation, buffer) is called for each page that a sequential, an index or a
 * bitmap scan turns to, once, and not by VACUUM or ANALYZE; index_beginscan(heap, index, ...) for
 * an index-only scan, which turns to no page of the heap.
 */
#include "pg_page.h"

/* BufferDescPadded (buf_internals.h) begins with the tag: table space, database, relation's file,
 * fork, block. */
#define PG_BUFFER_DESC	64
#define PG_BUFFER_BLOCK 16
/* struct BackgroundWorker (bgworker.h): bgw_function_name, bgw_notify_pid. */
#define PG_WORKER_FUNCTION 300
#define PG_WORKER_NOTIFY   536

static const char parallel_worker[] = "ParallelWorkerMain";

/* A parallel worker acts for its leader: to whom it is to say that it started. */
static __always_inline void pg_leader(struct pg_backend *b, __u64 base, const struct db_binary *bin)
{
	char function[sizeof(parallel_worker)] = {};
	__u64 entry = 0;
	__u32 leader = 0;

	if (!bin->my_bgworker)
		return;
	bpf_probe_read_user(&entry, sizeof(entry), (void *)(base + bin->my_bgworker));
	if (!entry)
		return;
	bpf_probe_read_user(function, sizeof(function), (void *)(entry + PG_WORKER_FUNCTION));
	for (__u32 i = 0; i < sizeof(function); i++)
		if (function[i] != parallel_worker[i])
			return;
	bpf_probe_read_user(&leader, sizeof(leader), (void *)(entry + PG_WORKER_NOTIFY));
	b->pid = leader;
}

static __always_inline struct pg_pages *pg_pages_of(const struct pg_backend *b)
{
	struct pg_pages *pages = bpf_map_lookup_elem(&pg_pages, b);
	__u32 zero = 0;
	void *none;

	if (pages)
		return pages;
	none = bpf_map_lookup_elem(&pg_pages_none, &zero);
	if (!none)
		return NULL;
	bpf_map_update_elem(&pg_pages, b, none, BPF_NOEXIST);
	return bpf_map_lookup_elem(&pg_pages, b);
}

static __always_inline struct pg_page_table *pg_page_table(struct pg_pages *pages, __u32 oid,
							   __u32 shift)
{
	__u32 at;

	for (__u32 i = 0; i < PG_PAGE_TABLES; i++)
		if (i < pages->n && pages->tables[i].oid == oid)
			return &pages->tables[i];
	at = __sync_fetch_and_add(&pages->n, 1);
	if (at >= PG_PAGE_TABLES)
		return NULL;
	pages->tables[at].oid = oid;
	pages->tables[at].shift = shift;
	return &pages->tables[at];
}

/* The watched relation's account in the statement that runs; NULL: not watched. */
static __always_inline struct pg_page_table *pg_touch(const void *relation, __u64 base,
						      const struct db_binary *bin)
{
	struct pg_relation *watched;
	struct pg_backend backend;
	struct pg_pages *pages;
	__u32 oid = 0;

	bpf_probe_read_user(&oid, sizeof(oid), relation + bin->lock_rel_id);
	watched = bpf_map_lookup_elem(&pg_relations, &oid);
	if (!watched)
		return NULL;
	backend = pg_backend_current();
	pg_leader(&backend, base, bin);
	pages = pg_pages_of(&backend);
	return pages ? pg_page_table(pages, oid, watched->shift) : NULL;
}

static __always_inline const struct db_binary *pg_binary(struct pt_regs *ctx)
{
	__u32 key = bpf_get_attach_cookie(ctx);
	struct db_binary *b = bpf_map_lookup_elem(&db_binaries, &key);

	return b && b->lock_rel_id && b->buffer_descriptors ? b : NULL;
}

SEC("?uprobe/heap_page_prune_opt")
int BPF_KPROBE(pg_page__uprobe, const void *relation, int buffer)
{
	const struct db_binary *bin = pg_binary(ctx);
	struct pg_page_table *t;
	__u32 block = 0, bit, part;
	__u64 base, buffers = 0;

	if (!bin || buffer <= 0) /* a session's own temporary table */
		return 0;
	base = PT_REGS_IP(ctx) - bin->heap_page_prune_opt;
	t = pg_touch(relation, base, bin);
	if (!t)
		return 0;
	bpf_probe_read_user(&buffers, sizeof(buffers), (void *)(base + bin->buffer_descriptors));
	if (bpf_probe_read_user(
		    &block, sizeof(block),
		    (void *)(buffers + (__u64)(buffer - 1) * PG_BUFFER_DESC + PG_BUFFER_BLOCK))) {
		db_miss(DB_MISS_READ);
		return 0;
	}
	bit = (block >> (t->shift & 31)) & (PG_PAGE_BITS - 1);
	part = bit / PG_PAGE_PART_BITS;
	__sync_fetch_and_or(&t->bits[part][bit / 64 % PG_PAGE_PART_WORDS], 1ull << (bit % 64));
	__sync_fetch_and_or(&t->used, 1ull << part);
	return 0;
}

SEC("?uprobe/index_beginscan")
int BPF_KPROBE(pg_index__uprobe, const void *relation)
{
	const struct db_binary *bin = pg_binary(ctx);

	if (bin)
		pg_touch(relation, PT_REGS_IP(ctx) - bin->index_beginscan, bin);
	return 0;
}
