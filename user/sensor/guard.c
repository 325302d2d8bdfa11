// SPDX-License-Identifier: Apache-2.0
// Ids of our own BPF objects: whoever wants to read, change or detach one opens it by its id.
#include "sensor/guard.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* As struct guarded_object_key and enum rec_bpf_object have them. */
enum { OBJECT_MAP = 1, OBJECT_PROGRAM, OBJECT_LINK };

struct key {
	uint32_t object, id;
};

/* As the kernel names the descriptors of BPF objects. */
static const struct {
	const char *link;
	uint32_t object;
} objects[] = {
	{"anon_inode:bpf-map", OBJECT_MAP},
	{"anon_inode:bpf-prog", OBJECT_PROGRAM},
	{"anon_inode:bpf_link", OBJECT_LINK}, /* as it is made */
	{"anon_inode:bpf-link", OBJECT_LINK}, /* as it is opened */
};

static int key_of(int fd, struct key *ret)
{
	union {
		struct bpf_map_info map;
		struct bpf_prog_info program;
		struct bpf_link_info link;
	} info = {};
	uint32_t size = sizeof(info);
	char path[32], link[64] = "";

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (readlink(path, link, sizeof(link) - 1) < 0)
		return -errno;
	for (unsigned i = 0; i < sizeof(objects) / sizeof(objects[0]); i++) {
		if (strncmp(link, objects[i].link, strlen(objects[i].link)) != 0)
			continue;
		if (objects[i].object == OBJECT_MAP)
			size = sizeof(info.map);
		if (objects[i].object == OBJECT_LINK)
			size = sizeof(info.link);
		if (bpf_obj_get_info_by_fd(fd, &info, &size) < 0)
			return -errno;
		/* The id is the second field of each. */
		*ret = (struct key){objects[i].object, info.map.id};
		return 0;
	}
	return -EINVAL;
}

int guard_fd(int map_fd, int fd)
{
	uint32_t one = 1;
	struct key key;
	int r = key_of(fd, &key);

	if (r == 0 && bpf_map_update_elem(map_fd, &key, &one, BPF_ANY) < 0)
		r = -errno;
	return r;
}

bool guard_has(int map_fd, int fd)
{
	uint32_t value;
	struct key key;

	return key_of(fd, &key) == 0 && bpf_map_lookup_elem(map_fd, &key, &value) == 0;
}

/* What user space writes while the sensor runs, and why; of all else the programs alone are the
 * writers. */
static const char *const written[] = {
	"bulk_shed",			/* what the sensor gives up, and takes back */
	"bulk_limit",			/* of the configuration, when another sensor takes over */
	"db_binaries",			/* a server that starts */
	"db_servers",			/* the same */
	"guarded_object",		/* its links */
	"guarded_task",			/* its process */
	"handover",			/* how far the rings were read, mapped */
	"pg_relations",			/* tables whose object ids became known */
	"quiet_secrets",		/* statements of no interest: what is judged anew */
	"quiet_verdicts",		/* what was judged */
	"ring_bulk",			/* the reader's position, mapped */
	"ring_crit",	  "ring_looks", /* when they were looked at, mapped */
	"server_exe",			/* programs of database servers */
	"session_notes",		/* sessions as the sensor knows them */
	"session_rates",		/* a throttled session begins anew */
	"watched_bits",			/* of the maps by inode */
	"watched_exe",			/* files that are replaced have other inodes */
	"watched_inode",  "watched_name", "watched_tree",
};

static bool is_written(const char *map)
{
	for (unsigned i = 0; i < sizeof(written) / sizeof(written[0]); i++)
		if (strcmp(map, written[i]) == 0)
			return true;
	return false;
}

int guard_maps(int map_fd, struct bpf_object *obj)
{
	struct bpf_map *map;
	int r = 0, e;

	bpf_object__for_each_map(map, obj)
	{
		e = bpf_map__fd(map) < 0 ? 0 : guard_fd(map_fd, bpf_map__fd(map));
		r = r ? r : e;
	}
	return r;
}

int guard_freeze(struct bpf_object *obj)
{
	struct bpf_map *map;
	int r = 0;

	bpf_object__for_each_map(map, obj)
	{
		/* libbpf froze the constants. */
		if (bpf_map__fd(map) < 0 || bpf_map__is_internal(map) ||
		    is_written(bpf_map__name(map)))
			continue;
		if (bpf_map_freeze(bpf_map__fd(map)) < 0)
			r = r ? r : -errno;
	}
	return r;
}
