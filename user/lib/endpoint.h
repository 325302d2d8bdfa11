// SPDX-License-Identifier: Apache-2.0
// Addresses of network events as text: the kernel writes them as bytes. Called by the pipeline for
// each event; knows no event by name.
#pragma once

#include "event.pb-c.h"

struct arena;

/*
 * Sets `address` of each Endpoint of the event and empties `raw`: "10.0.0.1" (v4-mapped ones too),
 * "[2001:db8::1]". One without 16 raw bytes stays as it is. 0 or -ENOMEM.
 */
int endpoint_fill(struct arena *a, Rollcall__Event *ev);

/* The text of one IPv6 or v4-mapped address of 16 bytes; NULL when out of memory. */
char *endpoint_text(struct arena *a, const uint8_t raw[16]);
