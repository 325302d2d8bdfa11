// SPDX-License-Identifier: Apache-2.0
// The probes' maps by name, for who fills them.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>

#include "sensor/filewatch.h"
#include "sensor/probe_internal.h"

int probe_map_fd(const struct probe *p, const char *name)
{
	int fd = bpf_object__find_map_fd_by_name(p->skel->obj, name);

	return fd < 0 ? -ENOENT : fd;
}

int probe_map_lookup(const struct probe *p, const char *name, const void *key, void *ret_value)
{
	int fd = probe_map_fd(p, name);

	return fd < 0 ? fd : bpf_map_lookup_elem(fd, key, ret_value);
}

int probe_map_update(const struct probe *p, const char *name, const void *key, const void *value)
{
	int fd = probe_map_fd(p, name);

	return fd < 0 ? fd : bpf_map_update_elem(fd, key, value, BPF_ANY);
}

int probe_map_delete(const struct probe *p, const char *name, const void *key)
{
	int fd = probe_map_fd(p, name);

	return fd < 0 ? fd : bpf_map_delete_elem(fd, key);
}

int probe_map_next(const struct probe *p, const char *name, const void *key, void *ret_next)
{
	int fd = probe_map_fd(p, name);

	return fd < 0 ? fd : bpf_map_get_next_key(fd, key, ret_next);
}

#define INODE_WORDS 1024 /* of the map watched_bits, as in bpf/interest.h */

/* The kernel looks for a key whose bit is set: first the bit. */
static int inode_bit_set(const struct probe *p, uint64_t ino)
{
	uint32_t word = ino >> 6 & (INODE_WORDS - 1);
	uint64_t bits;
	int r = probe_map_lookup(p, "watched_bits", &word, &bits);

	if (r < 0)
		return r;
	bits |= 1ull << (ino & 63);
	return probe_map_update(p, "watched_bits", &word, &bits);
}

int probe_map_watch(void *ctx, const char *name, const void *key, const void *value)
{
	const struct probe *p = ctx;
	int r = 0;

	if (!value)
		return probe_map_delete(p, name, key);
	if (strcmp(name, "watched_inode") == 0 || strcmp(name, "watched_tree") == 0)
		r = inode_bit_set(p, ((const struct filewatch_key *)key)->ino);
	return r < 0 ? r : probe_map_update(p, name, key, value);
}
