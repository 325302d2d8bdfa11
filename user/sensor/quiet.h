// SPDX-License-Identifier: Apache-2.0
// Statements that the kernel need not tell one by one (bpf/quiet.h): who may be, and what was
// counted.
#pragma once

#include <stdint.h>

#include "event.pb-c.h"

struct probe;

/*
 * From now on shapes can be judged. What was judged before is void: by an earlier sensor, by other
 * rules, of other tables, or before somebody wanted to see each.
 */
void quiet_begin(struct probe *p);

/*
 * A result of session `conn`, of a statement of that shape, was of no interest to anybody: further
 * ones like it, for some seconds, are counted only. No error matters: they are told.
 */
void quiet_verdict(struct probe *p, uint64_t conn, uint64_t shape, const Rollcall__Db *db);

/* Has the kernel tell what it counted; it is in the ring then. */
void quiet_collect(struct probe *p);
