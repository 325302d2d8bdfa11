/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What the programs of the file family share: the slot a record is built in, and the files that
 * were opened for writing and are of interest, from their open to their last close.
 */
#pragma once

#include "emit.h"
#include "interest.h"
#include "tail.h"
#include "task.h"

#define FILE_FIXED    256	     /* room for any fixed part of the family */
#define FILE_TAIL     (4 * PATH_MAX) /* two paths, each a directory and a name in it */
#define FMODE_WRITE   02
#define FMODE_CREATED (1 << 20)

/* Opens are rare enough that a claimed slot a CPU or two is plenty; see db.h for why claimed. */
struct file_scratch {
	struct tree_name name;
	struct path_buf path;
	__u32 busy;
	__u32 slot;   /* which of them it is */
	__u64 opens;  /* files that were opened with it and remembered */
	__u64 closed; /* the struct file that was closed with it last, whose place is kept */
	__u32 end;    /* of the record so far */
	enum lane lane;
	enum record_kind kind;
	__u8 record[FILE_FIXED + FILE_TAIL + TAIL_PIECE] __attribute__((aligned(8)));
};

#define FILE_SCRATCH_SLOTS 16

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, FILE_SCRATCH_SLOTS);
	__type(key, __u32);
	__type(value, struct file_scratch);
} file_scratches __weak SEC(".maps");

/* Of open_file.opened. */
#define OPENED_NOT  0 /* it is closed */
#define OPENED_LEFT 1 /* and on its way out of the map */

/* Of an open file; the inode tells a struct file that is used again. */
struct open_file {
	struct inode_key inode;
	__u64 written;
	__u64 opened; /* tells this use of the struct file from the next; or of the above */
	__u32 tree, lineage;
	__u32 created;
	/* A process that ends, and how many of its descriptors were this file: file_close.bpf.c. */
	__u32 leaver, left;
	__u32 pad;
};

/* By the address of the struct file. LRU: one whose close is not seen goes in the end. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, __u64);
	__type(value, struct open_file);
} open_files __weak SEC(".maps");

struct recent_file {
	__u32 tree;
	__u32 generation; /* an inode's number is used again, with another */
};

/* Files of interest that were written since the sensor began: who reads them? */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct inode_key);
	__type(value, struct recent_file);
} recent_files __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, INODE_WORDS);
	__type(key, __u32);
	__type(value, __u64);
} recent_bits __weak SEC(".maps");

static __always_inline void file_is_recent(struct inode *inode, __u32 tree)
{
	struct recent_file recent = {tree, PLAIN_READ(inode, i_generation)};
	struct inode_key key;
	__u64 *word;

	inode_key_fill(&key, inode);
	word = inode_word(&recent_bits, key.ino);
	if (word)
		__sync_fetch_and_or(word, 1ull << (key.ino & 63));
	bpf_map_update_elem(&recent_files, &key, &recent, BPF_ANY);
}

/* Why a read is told, and with what marks. */
struct read_why {
	__u32 table, recent, tree, lineage;
};

/*
 * Of a file in itself or by its directory, which is on the same device: this is asked of every open
 * of this host, which must not pay for a way up to the root. To the verifier by itself, as
 * path_walk() is.
 */
__weak __noinline int inode_is_secret(__u64 ino, __u64 directory, __u32 dev)
{
	struct inode_key own = {.ino = ino, .dev = dev}, parent = {.ino = directory, .dev = dev};

	return (tree_marks(&own) | tree_marks(&parent)) & TREE_SECRET;
}

static __always_inline bool file_is_secret(struct file *file, const struct inode_key *key)
{
	__u64 directory = PLAIN_READ(file, f_path.dentry, d_parent, d_inode, i_ino);

	return inode_is_secret(key->ino, directory, key->dev);
}

/* Is who has it told? `table`, which only file.bpf.c knows, is set already. */
static __always_inline bool file_read_why(struct file *file, const struct inode_key *key,
					  struct read_why *why)
{
	struct recent_file *recent;

	if (!interest_watched)
		return why->table;
	recent = inode_may(&recent_bits, key->ino) ? bpf_map_lookup_elem(&recent_files, key) : NULL;
	if (recent && recent->generation == PLAIN_READ(file, f_inode, i_generation)) {
		why->recent = 1;
		why->tree = recent->tree;
	}
	if (file_is_secret(file, key))
		why->tree |= TREE_SECRET;
	if (!why->table && !why->tree && !why->recent)
		return false;
	why->lineage = interest_lineage();
	return why->table || why->tree || why->lineage;
}

struct file_scratch_walk {
	__u32 first;
	struct file_scratch *scratch; /* the first that was free */
};

static __always_inline struct file_scratch *file_scratch_try(__u32 slot)
{
	__u32 key = slot % FILE_SCRATCH_SLOTS;
	struct file_scratch *s = bpf_map_lookup_elem(&file_scratches, &key);

	if (!s || __sync_val_compare_and_swap(&s->busy, 0, 1))
		return NULL;
	s->slot = key;
	return s;
}

static long file_scratch_step(__u64 i, struct file_scratch_walk *w)
{
	w->scratch = file_scratch_try(w->first + i);
	return w->scratch != NULL;
}

/* With its fixed part zeroed; NULL, and counted, when none is free. */
static __always_inline struct file_scratch *file_scratch_claim(enum lane lane,
							       enum record_kind kind)
{
	struct file_scratch_walk w = {.first = bpf_get_smp_processor_id()};
	struct file_scratch *s = file_scratch_try(w.first); /* nearly always */

	if (!s) {
		bpf_loop(FILE_SCRATCH_SLOTS, file_scratch_step, &w, 0);
		s = w.scratch;
	}
	if (!s) {
		emit_lost(lane, kind);
		return NULL;
	}
	s->lane = lane;
	s->kind = kind;
	__builtin_memset(s->record, 0, FILE_FIXED);
	return s;
}

static __always_inline void file_scratch_release(struct file_scratch *s)
{
	__sync_val_compare_and_swap(&s->busy, 1, 0);
}

/* Begins the tail of a record whose fixed part is of `size` bytes. */
static __always_inline struct tail file_tail(struct file_scratch *s, __u32 size)
{
	s->end = size;
	return (struct tail){s->record, &s->end, FILE_FIXED + FILE_TAIL};
}

/* A record that emit_allowed() was asked for. */
static __always_inline void file_send(struct file_scratch *s, enum lane lane, enum record_kind kind)
{
	__u32 size = s->end;

	barrier_var(size);
	if (size <= sizeof(s->record))
		emit_record(lane, s->record, size, kind, lane == LANE_CRIT);
}

static __always_inline void file_emit(struct file_scratch *s, enum lane lane, enum record_kind kind)
{
	if (emit_allowed(lane, kind))
		file_send(s, lane, kind);
}

/* Not another file, opened since with the same struct file. */
static __always_inline bool file_is(struct file *file, const struct open_file *o)
{
	struct inode_key key;

	inode_key_fill(&key, PLAIN_READ(file, f_inode));
	return o->inode.ino == key.ino && o->inode.dev == key.dev;
}

/* What is known of a file since it was opened, or NULL: of no interest. */
static __always_inline struct open_file *file_known(struct file *file)
{
	__u64 address = (__u64)file;
	struct open_file *o = interest_watched ? bpf_map_lookup_elem(&open_files, &address) : NULL;

	return o && file_is(file, o) && o->opened > OPENED_LEFT ? o : NULL;
}
