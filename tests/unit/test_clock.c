// links: user/sensor/{pipeline,keep,quiet,host,hostnames,watch,filewatch,treewatch,relations,rules,ruleset,losses,lineages,throttle,throttled,takeover,repeats,discover,proctab,probe,probe_map,probe_pins,probe_report,probe_server,pins,uprobe,uprobe_ahead,choice,guard,ladder,syscall,trial,kernel_types,verify,sandbox,elf,*_offsets}.c user/sensor/derive/*.c
// SPDX-License-Identifier: Apache-2.0
// The wall clock is set while something goes on: what is within a span stays within it, what is not
// comes not into it. Records go through the whole pipeline.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/clean.h"
#include "lib/record.h"
#include "sensor/host.h"
#include "sensor/pipeline.h"
#include "sensor/proctab.h"
#include "sensor/rules.h"
#include "sensor/watch.h"

#define SECOND 1000000000ull
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define BEGIN  (1000 * SECOND)
#define WALL   (1769760000 * SECOND) /* 2026-01-30 08:00 */

#define READ ROLLCALL__EVENT__KIND_FILE_READ

struct replay {
	struct host host;
	struct watch *watch;
	struct proctab *processes;
	struct pipeline *pipeline;
	unsigned n;
	Rollcall__Finding found[16]; /* strings gone */
	uint64_t time[16];
	char status[16][12];
	char rules[64];
	const char *title; /* of the rule that is looked at */
};

static bool told(void *ctx, const Rollcall__Event *ev)
{
	struct replay *r = ctx;

	if (ev->kind_case != ROLLCALL__EVENT__KIND_FINDING || r->n == 16 ||
	    strcmp(ev->finding->rule->title, r->title) != 0)
		return false;
	r->found[r->n] = *ev->finding;
	r->time[r->n] = ev->time;
	snprintf(r->status[r->n++], sizeof(r->status[0]), "%s", ev->finding->status);
	return false;
}

static bool no_service(void *ctx, const char *exe)
{
	(void)ctx;
	(void)exe;
	return false;
}

static void replay_begin(struct replay *r, const char *title, const char *rule)
{
	memset(r, 0, sizeof(*r));
	r->title = title;
	strcpy(r->rules, "/tmp/test_clock.XXXXXX");
	assert_non_null(mkdtemp(r->rules));
	if (rule) {
		char path[96];
		FILE *f;

		snprintf(path, sizeof(path), "%s/r.yml", r->rules);
		f = fopen(path, "w");
		assert_true(f && fputs(rule, f) >= 0 && fclose(f) == 0);
	}
	strcpy(r->host.boot_id, "12345678");
	strcpy(r->host.name, "mdm1");
	r->host.wall_offset = (int64_t)(WALL - BEGIN);
	r->watch = watch_new();
	r->processes = proctab_new(100, r->host.boot_id);
	assert_int_equal(0,
			 pipeline_new(&(struct pipeline_opts){.host = &r->host,
							      .watch = r->watch,
							      .processes = r->processes,
							      .rules = r->rules,
							      .placeholders = "",
							      .baseline = {.max = 100,
									   .file = "",
									   .service = no_service},
							      .tap = told,
							      .tap_ctx = r,
							      .sessions_max = 10,
							      .principals_max = 10},
				      &r->pipeline));
	assert_int_equal(0, rules_read(pipeline_rules(r->pipeline)));
}

static void replay_end(struct replay *r)
{
	char path[96];

	pipeline_freep(&r->pipeline);
	proctab_freep(&r->processes);
	watch_freep(&r->watch);
	snprintf(path, sizeof(path), "%s/r.yml", r->rules);
	unlink(path);
	rmdir(r->rules);
}

/* At `time` after the beginning a program reads the file of a watched table. */
static void read_at(struct replay *r, uint64_t time)
{
	static _Alignas(8) uint8_t record[1024];
	struct record_layout layout;

	memset(record, 0, sizeof(record));
	assert_int_equal(record_layout(&rollcall__file_read__descriptor, &layout), 0);
	*(struct record_header *)record = (struct record_header){
		.time = BEGIN + time,
		.size = (uint32_t)(sizeof(struct record_header) + layout.size),
		.kind = READ,
		.version = RECORD_VERSION,
	};
	for (unsigned i = 0; i < layout.n; i++)
		if (strcmp(layout.fields[i].field->name, "table") == 0)
			record[sizeof(struct record_header) + layout.fields[i].off] = 1;
	pipeline_record(r->pipeline, record, sizeof(struct record_header) + layout.size);
	pipeline_flush(r->pipeline);
}

/* One finding goes on for a minute after its last event: forwards, backwards, and not too long. */
static void test_findings(void **state)
{
	static const int64_t steps[] = {0, (int64_t)(2 * HOUR), -(int64_t)(2 * HOUR)};

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct replay r;

		replay_begin(&r, "A program other than the server opened a watched table's file",
			     NULL);
		read_at(&r, 0);
		r.host.wall_offset += steps[i];
		read_at(&r, 10 * SECOND);
		read_at(&r, 10 * SECOND + 2 * MINUTE);
		assert_int_equal(r.n, 3);
		assert_string_equal(r.status[0], "new");
		assert_string_equal(r.status[1], "updated");
		assert_string_equal(r.status[2], "new");
		assert_true(r.found[1].last_seen - r.found[1].first_seen == 10 * SECOND);
		assert_true(r.found[0].first_seen == WALL && r.time[0] == WALL);
		/* Told by the clock as it is now. */
		assert_true(r.time[1] == WALL + 10 * SECOND + (uint64_t)steps[i]);
		assert_true(r.found[1].last_seen == r.time[1]);
		replay_end(&r);
	}
}

static const char rule[] = "title: Many reads\n"
			   "name: reads\n"
			   "logsource: {category: file_access, product: linux}\n"
			   "detection: {s: {HoldsTable: true}, condition: s}\n"
			   "level: low\n"
			   "---\n"
			   "title: Very many\n"
			   "correlation:\n"
			   "  type: event_count\n"
			   "  rules: [reads]\n"
			   "  timespan: 10m\n"
			   "  condition: {gte: 3}\n"
			   "level: high\n";

/* Three in ten minutes: the clock neither spreads them nor draws others together. */
static void test_rules(void **state)
{
	static const int64_t steps[] = {0, (int64_t)(2 * HOUR), -(int64_t)(2 * HOUR)};
	struct replay r;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		replay_begin(&r, "Very many", rule);
		read_at(&r, 0);
		r.host.wall_offset += steps[i];
		read_at(&r, 4 * MINUTE);
		assert_int_equal(r.n, 0);
		read_at(&r, 8 * MINUTE);
		assert_int_equal(r.n, 1);
		assert_int_equal(r.found[0].events, 3);
		assert_true(r.found[0].last_seen - r.found[0].first_seen == 8 * MINUTE);
		assert_true(r.time[0] == WALL + 8 * MINUTE + (uint64_t)steps[i]);
		replay_end(&r);
	}
	replay_begin(&r, "Very many", rule);
	read_at(&r, 0);
	r.host.wall_offset -= (int64_t)(8 * MINUTE);
	read_at(&r, 8 * MINUTE);
	r.host.wall_offset -= (int64_t)(8 * MINUTE);
	read_at(&r, 16 * MINUTE);
	assert_int_equal(r.n, 0);
	replay_end(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_findings),
		cmocka_unit_test(test_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
