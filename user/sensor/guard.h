// SPDX-License-Identifier: Apache-2.0
// The sensor's own BPF objects, in the map by which BPF programs know them (bpf/guard.h). Called by
// probe.c when it has loaded and attached, and by probe_pins.c.
#pragma once

#include <stdbool.h>

struct bpf_object;

/* Guards every map of `obj`. 0 or the first negative errno. */
int guard_maps(int map_fd, struct bpf_object *obj);

/* Guards what a descriptor is of: a map, a program or a link. */
int guard_fd(int map_fd, int fd);

/* Is it guarded, that is, the sensor's? */
bool guard_has(int map_fd, int fd);

/* What user space has no need to write any more cannot be changed by anybody from here on. */
int guard_freeze(struct bpf_object *obj);
