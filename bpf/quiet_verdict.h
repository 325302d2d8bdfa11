/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What user space has judged (quiet.h), and what is counted by it: shared by both systems.
 */
#pragma once

#include "emit.h"
#include "quiet.h"

struct quiet_key {
	__u64 conn, shape;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct quiet_key);
	__type(value, struct quiet_verdict);
} quiet_verdicts __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct quiet_secret);
} quiet_secrets __weak SEC(".maps");

static __always_inline bool quiet_judged(struct quiet *q, __u64 conn,
					 const struct quiet_secret *secret)
{
	struct quiet_key key = {.conn = conn, .shape = q->shape};
	struct quiet_verdict *v = bpf_map_lookup_elem(&quiet_verdicts, &key);

	if (!v || v->judged < secret->since || bpf_ktime_get_boot_ns() - v->judged > QUIET_HOLDS)
		return false;
	q->rows_max = v->rows;
	q->bytes_max = v->bytes;
	q->columns = v->columns;
	return true;
}

static __always_inline const struct quiet_secret *quiet_secret_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&quiet_secrets, &zero);
}

static __always_inline void quiet_count(struct quiet *q, const struct db_result *r)
{
	__sync_fetch_and_add(&q->results, 1);
	__sync_fetch_and_add(&q->rows, r->rows);
	__sync_fetch_and_add(&q->bytes, r->bytes);
}

/* What was counted of a session since the last time. */
static __always_inline void quiet_tell(__u64 conn, struct quiet *q)
{
	struct rec_db_quiet c = {.conn = conn};

	if (!q->results)
		return;
	c.results = __sync_lock_test_and_set(&q->results, 0);
	c.rows = __sync_lock_test_and_set(&q->rows, 0);
	c.bytes = __sync_lock_test_and_set(&q->bytes, 0);
	emit(LANE_CRIT, &c, sizeof(c), KIND_db_quiet, false);
}
