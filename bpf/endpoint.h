/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Both ends of a connection or packet in a record: its two addresses are the record's tail, 16
 * bytes each. Used by the network programs.
 */
#pragma once

#include "kernel.h"
#include "record.h"

struct endpoint_pair {
	__u64 local[2]; /* network byte order, IPv6 or v4-mapped */
	__u64 remote[2];
};

/* ::ffff:a.b.c.d, in memory order. */
static __always_inline void endpoint_v4(__u64 *addr, __u32 v4)
{
	addr[0] = 0;
	addr[1] = ((__u64)v4 << 32) | bpf_htonl(0xffff);
}

/* `off`: of the pair in the record. */
static __always_inline void endpoint_slices(struct rec_endpoint *local, struct rec_endpoint *remote,
					    __u32 off)
{
	local->raw.off = off;
	local->raw.len = local->raw.orig = 16;
	remote->raw.off = off + 16;
	remote->raw.len = remote->raw.orig = 16;
}
