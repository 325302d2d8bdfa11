// SPDX-License-Identifier: Apache-2.0
// The probes' maps by name, for who fills them.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>

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
