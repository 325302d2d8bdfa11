// SPDX-License-Identifier: Apache-2.0
// A child that executes once, and what its Exec event says. Used by the tests of exec's fields.
#pragma once

#include "event.pb-c.h"

/* Runs it, checks its status and that there is one event, says so for the coverage table. */
const Rollcall__Exec *execute_run(const char *name, int (*go)(void));
