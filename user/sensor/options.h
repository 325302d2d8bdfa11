// SPDX-License-Identifier: Apache-2.0
// What rollcall-sensor was asked to do. Read once, by main.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "sensor/derive/finding.h"

struct watch;

struct options {
	bool print, debug;
	const char *host, *resolved;
	struct watch *watch;
	struct finding_thresholds thresholds;
	uint32_t sessions, principals, processes;
	const char *spool;	/* directory */
	uint64_t spool_bytes;
	const char *aggregator; /* NULL: nothing is spooled or sent */
	const char *bundle;
	const char *stream_user;
	const char *control;	/* NULL: no control socket */
};

/* 0: run; 1: done, nothing more to do; -EINVAL: told what is wrong. */
int options_parse(int argc, char **argv, struct options *o);
