/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The only way out of the kernel. Two rings by priority, so that a flood of the one cannot evict
 * the other; every record goes through emit(), which counts what it delivered and what it had to
 * drop. The maps are __weak: each family declares them by including this file, and the linker
 * makes them one.
 */
#pragma once

#include "plain.h"
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

/* Set before the programs are loaded: to ask the ring is a call for each record. */
const volatile __u64 ring_bulk_size __weak = 1 << 24;

#define RECORD_KINDS 128
/* Of the bulk ring, kept free: the longest of its records, one being made on each of some CPUs. */
#define RECORD_ROOM (1 << 17)

/* Of a lane and kind; user space sums the CPUs. */
struct record_count {
	__u64 written;
	__u64 dropped;	 /* no room in the ring, or no slot to make it in */
	__u64 throttled; /* its session sent too many, or its kind is shed */
	__u64 unread;	 /* user memory that it should tell of was not there */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, LANE_MAX *RECORD_KINDS);
	__type(key, __u32);
	__type(value, struct record_count);
} record_counts __weak SEC(".maps");

static __always_inline struct record_count *record_count(enum lane lane, enum record_kind kind)
{
	__u32 key = lane * RECORD_KINDS + kind;

	return bpf_map_lookup_elem(&record_counts, &key);
}

/* Bulk records of one session in a second; 0: no limit. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} bulk_limit __weak SEC(".maps");

/* By kind, not 0: told no more, for the sensor costs more than it may (user/sensor/shed.c). */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, RECORD_KINDS);
	__type(key, __u32);
	__type(value, __u32);
} bulk_shed __weak SEC(".maps");

/* As user/sensor/throttle.c declares it. */
struct session_rate {
	__u64 second;
	__u64 throttled; /* since the first that was too many; user space begins anew */
	__u32 sent;
	__u32 pad;
};

#define PIDTYPE_SID 3

/* By session id: a server, or a login, with all it starts that does not leave it. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct session_rate);
} session_rates __weak SEC(".maps");

/* When the sensor was woken, or looked and found something: mapped by it. */
struct ring_looks {
	__u64 any;
	__u64 urgent;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ring_looks);
} ring_looks __weak SEC(".maps");

#define WAKE_EVERY 10000000 /* ns: an urgent record */
#define WAKE_IDLE  20000000 /* another; the sensor sleeps a little later (user/sensor/pace.h) */

/*
 * Records do not wake the consumer one by one (a wake-up costs more than the record): it looks
 * every few milliseconds while there are some, and sleeps when there are none. The first then wakes
 * it. An urgent one wakes it at once, but for a burst of them once: who was woken, or found such a
 * one, looks again soon by itself. Its look may be of a later time than `now`.
 */
static __always_inline __u64 emit_wake(__u64 now, bool urgent)
{
	__u32 zero = 0;
	struct ring_looks *looks = bpf_map_lookup_elem(&ring_looks, &zero);
	__s64 every = urgent ? WAKE_EVERY : WAKE_IDLE;

	if (!looks || (__s64)(now - (urgent ? looks->urgent : looks->any)) < every)
		return BPF_RB_NO_WAKEUP;
	looks->any = now;
	if (urgent)
		looks->urgent = now;
	return BPF_RB_FORCE_WAKEUP;
}

static __always_inline void emit_record(enum lane lane, void *rec, __u32 size,
					enum record_kind kind, bool urgent)
{
	struct record_header *h = rec;
	__u64 now = bpf_ktime_get_boot_ns(), wake = emit_wake(now, urgent);
	struct record_count *count = record_count(lane, kind);
	long r;

	h->time = now;
	h->size = size;
	h->kind = kind;
	h->version = RECORD_VERSION;
	if (lane == LANE_CRIT)
		r = bpf_ringbuf_output(&ring_crit, rec, size, wake);
	else
		r = bpf_ringbuf_output(&ring_bulk, rec, size, wake);
	/* Programs of functions may be interrupted by others on their CPU. */
	if (count)
		__sync_fetch_and_add(r ? &count->dropped : &count->written, 1);
}

/* Not on the stack: who emits may have little left. Two at once on one CPU: either is good. */
struct throttle_scratch {
	struct rec_throttle rec;
	struct session_rate fresh;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct throttle_scratch);
} throttle_scratches __weak SEC(".maps");

static __always_inline void throttle_begin(struct rec_throttle *rec, __u32 session, __u32 limit)
{
	struct task_struct *task = plain_current();

	rec->task.tgid = task->tgid;
	rec->task.tid = task->pid;
	rec->task.start_time = task->group_leader->start_boottime;
	rec->session = session;
	rec->limit = limit;
	emit_record(LANE_CRIT, rec, sizeof(*rec), KIND_throttle, true);
}

/* Has the current session sent more than it may in this second? Said when that begins. */
static __noinline int session_throttled(__u32 limit)
{
	struct task_struct *task = plain_current();
	__u64 second = bpf_ktime_get_boot_ns() / 1000000000;
	__u32 session = 0;
	struct throttle_scratch *s = bpf_map_lookup_elem(&throttle_scratches, &session);
	struct session_rate *r;

	if (!s)
		return 0;
	session = task->signal->pids[PIDTYPE_SID]->numbers[0].nr;
	r = bpf_map_lookup_elem(&session_rates, &session);
	if (!r) {
		s->fresh = (struct session_rate){.second = second, .sent = 1};
		bpf_map_update_elem(&session_rates, &session, &s->fresh, BPF_ANY);
		return 0;
	}
	if (r->second != second) {
		r->second = second;
		r->sent = 0;
	}
	if (__sync_fetch_and_add(&r->sent, 1) < limit)
		return 0;
	if (!__sync_fetch_and_add(&r->throttled, 1))
		throttle_begin(&s->rec, session, limit);
	return 1;
}

/* A record that could not even be made. */
static __always_inline void emit_lost(enum lane lane, enum record_kind kind)
{
	struct record_count *count = record_count(lane, kind);

	if (count)
		__sync_fetch_and_add(&count->dropped, 1);
}

/* A piece of user memory is missing in what is told, or it cannot be told for want of it. */
static __always_inline void emit_unread(enum lane lane, enum record_kind kind)
{
	struct record_count *count = record_count(lane, kind);

	if (count)
		__sync_fetch_and_add(&count->unread, 1);
}

/*
 * May a record of this kind be made? When not, it is counted as what it would have been. A flood is
 * met here, before the work of making a record that nobody will read: what has paths asks first.
 */
static __always_inline bool emit_allowed(enum lane lane, enum record_kind kind)
{
	__u32 zero = 0, shed_kind = kind, *limit, *shed;
	struct record_count *count;

	if (lane == LANE_CRIT)
		return true;
	limit = bpf_map_lookup_elem(&bulk_limit, &zero);
	shed = bpf_map_lookup_elem(&bulk_shed, &shed_kind);
	if ((shed && *shed) || (limit && *limit && session_throttled(*limit))) {
		count = record_count(lane, kind);
		if (count)
			__sync_fetch_and_add(&count->throttled, 1);
		return false;
	}
	if (bpf_ringbuf_query(&ring_bulk, BPF_RB_AVAIL_DATA) + RECORD_ROOM <= ring_bulk_size)
		return true;
	emit_lost(lane, kind);
	return false;
}

static __always_inline void emit(enum lane lane, void *rec, __u32 size, enum record_kind kind,
				 bool urgent)
{
	if (emit_allowed(lane, kind))
		emit_record(lane, rec, size, kind, urgent);
}
