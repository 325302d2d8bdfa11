/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Who and what is of interest, decided in the kernel. A tree is a directory by {device, inode}:
 * an object belongs to it when an ancestor of its dentry is that directory, so names, symbolic
 * links, bind mounts and mount namespaces make no difference. A lineage is a mark on a task: set
 * at exec by the executable's inode, inherited at fork (interest.bpf.c), kept over exec.
 *
 * Marks are in task storage, not in a hash by process: the kernel frees them with the task, a
 * used-again pid cannot inherit them, nothing can fill up, and the look-up is two loads.
 */
#pragma once

#include "plain.h"

/* As event.proto tells them of FileOpen. */
enum { TREE_WEB_ROOT = 1, TREE_SECRET = 2, TREE_LOG = 4, TREE_CONFIG = 8 };

enum { LINEAGE_ITSELF = 2 /* runs such an executable, and not what that executed */ };

/* As user/sensor/filewatch.h declares it. */
struct inode_key {
	__u64 ino;
	__u32 dev;
	__u32 pad;
};

/*
 * Which keys of the maps by inode there may be, by the last sixteen bits of the number: a bit is
 * set before its key, and never cleared. Every open of this host is asked for several such keys,
 * and has none: one load instead of a call.
 */
#define INODE_WORDS 1024

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, INODE_WORDS);
	__type(key, __u32);
	__type(value, __u64);
} watched_bits __weak SEC(".maps"); /* of watched_tree and watched_inode: user/sensor/probe_map.c */

static __always_inline __u64 *inode_word(void *bits, __u64 ino)
{
	__u32 word = ino >> 6 & (INODE_WORDS - 1);

	return bpf_map_lookup_elem(bits, &word);
}

static __always_inline bool inode_may(void *bits, __u64 ino)
{
	__u64 *word = inode_word(bits, ino);

	return word && *word >> (ino & 63) & 1;
}

/* Directories, and the marks of what is below them. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct inode_key);
	__type(value, __u32);
} watched_tree __weak SEC(".maps");

/*
 * The same by path, as the configuration has it, with a slash behind a directory and a NUL behind a
 * file: for names that are in user memory only (name.h).
 */
#define TREE_NAME_MAX 248

struct tree_name {
	__u32 prefixlen; /* bits */
	__u8 bytes[TREE_NAME_MAX];
};

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 4096);
	__type(key, struct tree_name);
	__type(value, __u32);
} watched_name __weak SEC(".maps");

static __always_inline __u32 tree_marks(const struct inode_key *key)
{
	__u32 *marks =
		inode_may(&watched_bits, key->ino) ? bpf_map_lookup_elem(&watched_tree, key) : NULL;

	return marks ? *marks : 0;
}

/* Executables, and the marks of who runs them and of all descendants. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct inode_key);
	__type(value, __u32);
} watched_exe __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u32);
} lineages __weak SEC(".maps");

static __always_inline void inode_key_fill(struct inode_key *key, struct inode *inode)
{
	key->ino = PLAIN_READ(inode, i_ino);
	key->dev = PLAIN_READ(inode, i_sb, s_dev);
	key->pad = 0;
}

/*
 * Does the configuration watch anything? Set before the programs are loaded: the verifier leaves
 * out what cannot happen, and nobody pays for it.
 */
const volatile bool interest_watched __weak = true;

/* Marks of the current task. */
static __always_inline __u32 interest_lineage(void)
{
	__u32 *marks = NULL;

	if (interest_watched)
		marks = bpf_task_storage_get(&lineages, bpf_get_current_task_btf(), NULL, 0);
	return marks ? *marks : 0;
}
