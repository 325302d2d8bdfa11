// SPDX-License-Identifier: Apache-2.0
// `rollcall policy check --report`: what each rule needs, and whether events have it. Called by
// cmd_policy.c.
#pragma once

struct policy;

/* A table in Markdown. 0 or -EIO. */
int policy_report_print(const struct policy *p);
