// SPDX-License-Identifier: Apache-2.0
// Statements that the kernel need not tell one by one (bpf/quiet.h): who may be, and what was
// counted.
#pragma once

#include <stdint.h>

#include "event.pb-c.h"

struct probe;

/* What a result must be like to be one of the judged. */
struct quiet_like {
	uint64_t conn, shape; /* its session, and its statement's shape there */
	uint32_t columns;     /* hash of its column descriptions; PostgreSQL: 0 */
};

/*
 * From now on shapes can be judged. What was judged before is void: by an earlier sensor, by other
 * rules, of other tables, or before somebody wanted to see each.
 */
void quiet_begin(struct probe *p);

/*
 * A result was of no interest to anybody: further ones like it, for some seconds, are counted only.
 * No error matters: they are told.
 */
void quiet_verdict(struct probe *p, const struct quiet_like *like, const Rollcall__Db *db);

/* Has the kernel tell what it counted; it is in the ring then. */
void quiet_collect(struct probe *p);
