// SPDX-License-Identifier: Apache-2.0
// What rollcall-sensor was asked to do: the configuration file, then the command line over it.
// Defaults are in the table of keys only (options.c).
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "sensor/derive/finding.h"

struct conf;
struct profile;
struct treewatch;
struct watch;

struct options {
	bool print, debug;
	bool rows_read;
	struct watch *watch;
	struct treewatch *trees;
	struct profile *profile; /* NULL: none was chosen */
	char *placeholders;	 /* of the rules, by the profile */
	struct finding_thresholds thresholds;
	uint32_t baseline_max, warm_up_hours, rows_factor;
	uint64_t rows_min;
	char *baseline_beside;	   /* the spool, when there is one and nothing else is said */
	const char *baseline_file; /* not set: what is learnt is not kept */
	uint32_t sessions, principals, processes, bulk_events, cpu_percent, events;
	uint64_t memory;
	uint64_t spool_bytes;
	/* Texts are valid as long as `conf`; an empty one is not set. */
	const char *host, *resolved;
	const char *profile_name;
	const char *rules;	/* file or directory; not set: where they are installed */
	const char *policy_key; /* not set: no signed policy is taken */
	const char *inbox, *accepted;
	const char *spool;	/* directory */
	const char *aggregator; /* not set: nothing is spooled or sent */
	const char *bundle;
	const char *stream_user;
	char *pins_of_spool; /* when there is a spool and nothing else is said */
	const char *pins;    /* not set: the probes end with the sensor */
	char *identity;	     /* of what is watched: for those who would take probes over */
	const char *control; /* not set: no control socket */
	struct conf *conf;
};

/*
 * 0: run; 1: done, nothing more to do; negative: told what is wrong (-EINVAL: usage; -EBADMSG:
 * the configuration file). Call options_fini in any case.
 */
int options_init(struct options *o, int argc, char **argv);
void options_fini(struct options *o);
