// SPDX-License-Identifier: Apache-2.0
// Loading an object whose programs several processors verify at once. Called by probe.c.
#pragma once

#include <stdbool.h>

struct bpf_object;

/*
 * As bpf_object__load(); the programs are not the object's afterwards, but the caller's: ret_fds
 * has a descriptor, or -1, for each of the object's programs (at most PROGRAMS_MAX), in their
 * order. 0, or negative errno: then ret_refused tells which of them the kernel may have refused,
 * which are all that were to be loaded where libbpf cannot be asked.
 */
int verify_object(struct bpf_object *obj, int *ret_fds, bool *ret_refused);
