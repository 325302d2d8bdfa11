// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * What one sensor leaves for the next, which takes its programs over. No program reads it: it is
 * here so that it lives as long as they do.
 */
#include "kernel.h"

#define HANDOVER_SIZE 16384
#define NOTE_SIZE     1024

/* struct handover of user/sensor/handover.h, mapped by the sensor. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__uint(value_size, HANDOVER_SIZE);
} handover SEC(".maps");

/* Open database sessions, struct session_note of user/sensor/derive/session.h, by their number. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 32768);
	__type(key, __u64);
	__uint(value_size, NOTE_SIZE);
} session_notes SEC(".maps");
