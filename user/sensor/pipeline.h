// SPDX-License-Identifier: Apache-2.0
// From kernel record to finding: the first file to read. Owns the stages, is driven by main.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "lib/segment.h"
#include "sensor/derive/baseline_watch.h"
#include "sensor/derive/finding.h"

struct filewatch;
struct host;
struct pipeline;
struct probe;
struct proctab;
struct rules;
struct spool;
struct watch;

/* Each event as it goes out, for those who look on; valid during the call. True: somebody wants to
 * see the results of unwatched tables, too. */
typedef bool (*pipeline_tap_fn)(void *ctx, const Rollcall__Event *ev);

struct pipeline_opts {
	struct host *host;
	struct watch *watch;
	struct filewatch *files; /* NULL: physical reads are not watched */
	struct proctab *processes;
	const char *rules; /* of Sigma, as rules_opts has them */
	const char *placeholders;
	FILE *json;	     /* NULL: not printed */
	struct spool *spool; /* NULL: not kept */
	pipeline_tap_fn tap; /* NULL: nobody looks on */
	void *tap_ctx;
	struct finding_thresholds thresholds;
	uint32_t sessions_max;
	uint32_t principals_max;
	struct baseline_watch_opts baseline;
};

/* Failures are told. */
int pipeline_new(const struct pipeline_opts *opts, struct pipeline **ret_pipeline);
struct pipeline *pipeline_free(struct pipeline *p);
void pipeline_freep(struct pipeline **p);

/* A kernel record; `ctx` is the pipeline (probe_record_fn). */
void pipeline_record(void *ctx, const void *record, size_t size);

/* An Exec record of a process that ran before the sensor: known, but no event. */
void pipeline_seed(void *ctx, const void *record, size_t size);

/* An event made elsewhere (ready, coverage, gap, policy_change). Time is CLOCK_BOOTTIME. */
void pipeline_emit(struct pipeline *p, Rollcall__Event *ev);

/* The probe that the records are of; before the first. */
void pipeline_use(struct pipeline *p, struct probe *probe);

/*
 * The probe was taken over: learns what the sensor before knew, from its notes and from records
 * that it had read, and what it told of records that it could not mark as read. Until
 * the first tick such an event is not told again. 0 or negative errno.
 */
int pipeline_take_over(struct pipeline *p, const char *spool);

/* Attaches to the servers that run and keeps the probe for those that start. */
int pipeline_attach(struct pipeline *p, struct probe *probe);

/* From the next event on other rules are in force, or somebody wants to see each result: what the
 * kernel only counted is told again. `ctx` is the pipeline. */
void pipeline_see_all(void *ctx);

/* Once a second: clock, losses, summaries each minute. `last`: the sensor is stopping. */
void pipeline_tick(struct pipeline *p, struct probe *probe, int last);

struct pipeline_counts {
	uint64_t events, findings, sessions;
	uint64_t classes[SEGMENT_CLASSES]; /* events */
};
void pipeline_counts(const struct pipeline *p, struct pipeline_counts *ret_counts);

struct arena *pipeline_arena(struct pipeline *p);

/* To be read, by rules_read(), before anything else comes. */
struct rules *pipeline_rules(struct pipeline *p);

/* After a batch of records: what was written becomes visible, and survives a crash. `ctx` is the
 * pipeline, as in what comes then: the batch cannot come again. */
void pipeline_flush(void *ctx);
void pipeline_flushed(void *ctx);
