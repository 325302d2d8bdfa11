// SPDX-License-Identifier: Apache-2.0
// The probe process: probes, pipeline, spool, control socket and the loop that drives them.
#pragma once

struct host;
struct options;

/* Runs until SIGTERM or SIGINT. 0, or negative errno (logged). */
int sensor_run(const struct options *o, struct host *host);
