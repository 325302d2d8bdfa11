// SPDX-License-Identifier: Apache-2.0
// The sensor's own BPF objects, in the map by which BPF programs know them (bpf/guard.h). Called by
// probe.c when it has loaded and attached.
#pragma once

struct bpf_link;
struct bpf_object;

/* Guards every map and program of `obj`. 0 or the first negative errno. */
int guard_object(int map_fd, struct bpf_object *obj);

int guard_link(int map_fd, struct bpf_link *link);

/* What is written at the start only cannot be changed by anybody from here on. */
int guard_freeze(int map_fd);
