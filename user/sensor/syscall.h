// SPDX-License-Identifier: Apache-2.0
// Which system calls an event wants on the last rung of its ladder (bpf/syscall.h), by number.
#pragma once

#define SYSCALL_SLOTS 1025 /* of the dispatcher, as in bpf/syscall.h */

/*
 * Slots of `event` in the map syscall_exits, for n from 0 on: the number of a call, or
 * SYSCALL_MAX + number of one made by a 32-bit caller; -ENOSYS for a call that this architecture
 * lacks, -ENOENT past the last.
 */
int syscall_slot(const char *event, unsigned n);

/* The i-th event of the table, NULL past the last. */
const char *syscall_event(unsigned i);
