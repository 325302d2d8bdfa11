// SPDX-License-Identifier: Apache-2.0
// How important an event is to the spool. Called by the pipeline for each event. Pure.
#pragma once

#include <stdint.h>

#include "event.pb-c.h"

struct finding_thresholds;

/* A ROLLCALL__CLASS of transport.proto. */
uint32_t class_of(const struct finding_thresholds *t, const Rollcall__Event *ev);
