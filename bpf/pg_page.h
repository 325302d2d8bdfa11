/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Which blocks of watched tables a PostgreSQL statement touched, whatever its text, its functions
 * or its views say. pg_page.bpf.c marks them; postgresql.bpf.c tells them with the result's end.
 */
#pragma once

#include "db.h"

/* Watched relations that one statement can touch and still have each one's blocks told. */
#define PG_PAGE_TABLES 4
/* One bit for 1 << shift blocks. User space sets shift so that the table fits. Told in parts. */
#define PG_PAGE_PARTS	   8
#define PG_PAGE_PART_WORDS 16
#define PG_PAGE_PART_BITS  (PG_PAGE_PART_WORDS * 64)
#define PG_PAGE_BITS	   (PG_PAGE_PARTS * PG_PAGE_PART_BITS)

/* By object id; the database is told apart in user space, by the session's. */
struct pg_relation {
	__u32 shift;
	__u32 pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct pg_relation);
} pg_relations __weak SEC(".maps");

/* A parallel worker knows its leader only by the process id that both have in their namespace. */
struct pg_backend {
	__u64 ns;
	__u64 pid;
};

struct pg_page_table {
	__u32 oid;
	__u32 shift;
	__u64 used; /* parts that have a bit */
	__u64 bits[PG_PAGE_PARTS][PG_PAGE_PART_WORDS];
};

/* Of the statement that runs now. Leader and workers write it at once. */
struct pg_pages {
	__u32 n; /* may be more than there is room for */
	__u32 pad;
	struct pg_page_table tables[PG_PAGE_TABLES];
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 256);
	__type(key, struct pg_backend);
	__type(value, struct pg_pages);
} pg_pages __weak SEC(".maps");

/* The value of a new entry: too large for the stack. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct pg_pages);
} pg_pages_none __weak SEC(".maps");

static __always_inline struct pg_backend pg_backend_current(void)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pid *pid = BPF_CORE_READ(task, group_leader, thread_pid);
	__u32 level = BPF_CORE_READ(pid, level);
	struct upid at = {};

	bpf_core_read(&at, sizeof(at), &pid->numbers[level]);
	return (struct pg_backend){.ns = (__u64)at.ns, .pid = at.nr};
}

struct pg_page_walk {
	struct db_scratch *scratch;
	struct pg_pages *pages;
	const struct rec_db_pages *head;
	bool ended;
};

static __always_inline void pg_page_emit(const struct pg_page_walk *w, struct pg_page_table *t,
					 __u32 part)
{
	struct rec_db_pages *r = (void *)w->scratch->record;
	bool used = t->used >> part & 1;

	*r = *w->head;
	r->relation = t->oid;
	r->shift = t->shift;
	r->first = part * PG_PAGE_PART_BITS;
	r->lost_tables = w->pages->n > PG_PAGE_TABLES ? w->pages->n - PG_PAGE_TABLES : 0;
	db_emit_text(w->scratch, sizeof(*r), &r->blocks, t->bits[part],
		     used ? sizeof(t->bits[0]) : 0, KIND_db_pages);
	if (used && w->ended)
		__builtin_memset(t->bits[part], 0, sizeof(t->bits[0]));
}

/* One part of one table. A table of whose heap nothing was read is told by its first part. */
static long pg_page_step(__u64 i, struct pg_page_walk *w)
{
	__u32 table = i / PG_PAGE_PARTS, part = i % PG_PAGE_PARTS;
	struct pg_page_table *t;

	if (table >= PG_PAGE_TABLES || table >= w->pages->n)
		return 1;
	t = &w->pages->tables[table];
	if (t->used >> part & 1 || (!t->used && !part))
		pg_page_emit(w, t, part);
	if (w->ended && part == PG_PAGE_PARTS - 1)
		t->used = 0;
	return 0;
}

/*
 * Tells which blocks of which watched tables were touched since the last result ended, before the
 * record of the result itself. `ended`: the next one begins at none; the entry stays for it.
 */
static __always_inline void pg_pages_emit(struct db_scratch *scratch,
					  const struct rec_db_pages *head, bool ended)
{
	struct pg_backend key = pg_backend_current();
	struct pg_page_walk w = {.scratch = scratch, .head = head, .ended = ended};

	w.pages = bpf_map_lookup_elem(&pg_pages, &key);
	if (!w.pages || !w.pages->n)
		return;
	bpf_loop(PG_PAGE_TABLES * PG_PAGE_PARTS, pg_page_step, &w, 0);
	if (ended)
		w.pages->n = 0;
}
