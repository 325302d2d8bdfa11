// SPDX-License-Identifier: Apache-2.0
// Which system calls an event wants on the last rung of its ladder (bpf/syscall.h), by number.
#pragma once

#include <stdint.h>

/* Of the dispatcher, as in bpf/syscall.h. */
#define SYSCALL_MAX   512
#define SYSCALL_SLOTS 1029

/*
 * Which argument of a call is what, counted from 1; 0: none is. As bpf/syscall.h declares it.
 * Of a call with two names, the second is the new one.
 */
struct syscall_shape {
	uint8_t dir, name, new_dir, new_name;
	uint8_t fd;	       /* the object itself */
	uint8_t value, value2; /* what it is to be: a mode; a user and a group */
	uint8_t flags;
	uint8_t aspect; /* enum FileAspect, of an event that is made by file_change__dispatch */
};

/* By number of a call, native or 32-bit: 1: somebody wants it. */
struct syscall_calls {
	uint8_t wanted[SYSCALL_MAX];
};

/*
 * Slots of `event` in the map syscall_exits, for n from 0 on: the number of a call, or
 * SYSCALL_MAX + number of one made by a 32-bit caller; -ENOSYS for a call that this architecture
 * lacks, -ENOENT past the last. The call's shape is copied to *ret_shape.
 */
int syscall_slot(const char *event, unsigned n, struct syscall_shape *ret_shape);

/* The slot of that program, which several events enter. */
#define SYSCALL_FILE_CHANGE 1028

/* The i-th event of the table, NULL past the last. */
const char *syscall_event(unsigned i);
