/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The only way out of the kernel. Two rings by priority, so that a flood of the one cannot evict
 * the other; every record goes through emit(), which counts what it delivered and what it had to
 * drop. The maps are __weak: each family declares them by including this file, and the linker
 * makes them one.
 */
#pragma once

#include "kernel.h"
#include "record.h"

enum lane { LANE_CRIT, LANE_BULK, LANE_MAX };

/* Three seconds of 10,000 statements each, while the sensor is kept off the CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 25);
} ring_crit __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 24);
} ring_bulk __weak SEC(".maps");

/* Per lane and CPU; user space sums them. written + dropped = generated. */
struct lane_count {
	__u64 written;
	__u64 dropped;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, LANE_MAX);
	__type(key, __u32);
	__type(value, struct lane_count);
} lane_counts __weak SEC(".maps");

/*
 * Records do not wake the consumer one by one (a wake-up costs more than the record): it looks
 * every millisecond. `urgent` wakes it at once.
 */
static __always_inline void emit(enum lane lane, void *rec, __u32 size, enum record_kind kind,
				 bool urgent)
{
	struct record_header *h = rec;
	__u64 wake = urgent ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP;
	__u32 key = lane;
	struct lane_count *count = bpf_map_lookup_elem(&lane_counts, &key);
	long r;

	h->time = bpf_ktime_get_boot_ns();
	h->size = size;
	h->kind = kind;
	h->version = RECORD_VERSION;
	if (lane == LANE_CRIT)
		r = bpf_ringbuf_output(&ring_crit, rec, size, wake);
	else
		r = bpf_ringbuf_output(&ring_bulk, rec, size, wake);
	if (!count)
		return;
	if (r)
		count->dropped++;
	else
		count->written++;
}

/* A record that could not even be made. */
static __always_inline void emit_lost(enum lane lane)
{
	__u32 key = lane;
	struct lane_count *count = bpf_map_lookup_elem(&lane_counts, &key);

	if (count)
		count->dropped++;
}
