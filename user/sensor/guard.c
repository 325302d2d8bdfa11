// SPDX-License-Identifier: Apache-2.0
// Ids of our own BPF objects: whoever wants to read, change or detach one opens it by its id.
#include "sensor/guard.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdint.h>

/* As struct guarded_object_key and enum rec_bpf_object have them. */
enum { OBJECT_MAP = 1, OBJECT_PROGRAM, OBJECT_LINK };

struct key {
	uint32_t object, id;
};

static int guard(int map_fd, uint32_t object, uint32_t id)
{
	struct key key = {object, id};
	uint32_t one = 1;

	return bpf_map_update_elem(map_fd, &key, &one, BPF_ANY) < 0 ? -errno : 0;
}

static int guard_map(int map_fd, const struct bpf_map *map)
{
	struct bpf_map_info info = {};
	uint32_t size = sizeof(info);

	if (bpf_map__fd(map) < 0)
		return 0;
	if (bpf_obj_get_info_by_fd(bpf_map__fd(map), &info, &size) < 0)
		return -errno;
	return guard(map_fd, OBJECT_MAP, info.id);
}

static int guard_program(int map_fd, const struct bpf_program *prog)
{
	struct bpf_prog_info info = {};
	uint32_t size = sizeof(info);

	if (bpf_program__fd(prog) < 0)
		return 0;
	if (bpf_obj_get_info_by_fd(bpf_program__fd(prog), &info, &size) < 0)
		return -errno;
	return guard(map_fd, OBJECT_PROGRAM, info.id);
}

int guard_object(int map_fd, struct bpf_object *obj)
{
	struct bpf_program *prog;
	struct bpf_map *map;
	int r = 0, e;

	bpf_object__for_each_map(map, obj)
	{
		e = guard_map(map_fd, map);
		r = r ? r : e;
	}
	bpf_object__for_each_program(prog, obj) {
		e = guard_program(map_fd, prog);
		r = r ? r : e;
	}
	return r;
}

int guard_link(int map_fd, struct bpf_link *link)
{
	struct bpf_link_info info = {};
	uint32_t size = sizeof(info);

	if (bpf_obj_get_info_by_fd(bpf_link__fd(link), &info, &size) < 0)
		return -errno;
	return guard(map_fd, OBJECT_LINK, info.id);
}

int guard_freeze(int map_fd)
{
	return bpf_map_freeze(map_fd) < 0 ? -errno : 0;
}
