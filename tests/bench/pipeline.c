// links: user/sensor/{pipeline,keep,quiet,host,hostnames,watch,filewatch,treewatch,relations,rules,ruleset,losses,lineages,throttle,throttled,takeover,repeats,discover,proctab,probe,probe_map,probe_pins,probe_report,probe_server,pins,uprobe,uprobe_ahead,choice,guard,ladder,syscall,trial,kernel_types,verify,sandbox,elf,*_offsets}.c user/sensor/derive/*.c
// SPDX-License-Identifier: Apache-2.0
// What a record of an opened file costs the sensor from the ring on: decoded, its process found,
// judged by rules, packed and spooled. For tests/bench/run. Prints nanoseconds of CPU an event; the
// best of some rounds.
// Usage: pipeline SPOOL RULES [ROUNDS]; SPOOL is a directory that is not there yet.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/clean.h"
#include "lib/log.h"
#include "lib/profile.h"
#include "lib/record.h"
#include "lib/spool.h"
#include "sensor/host.h"
#include "sensor/pipeline.h"
#include "sensor/proctab.h"
#include "sensor/rules.h"
#include "sensor/watch.h"

#define EVENTS	   100000
#define LINEAGE	   4 /* a worker, its master, a supervisor, init */
#define SECOND	   1000000000ull
#define RECORD_MAX 1024

static void die(const char *what, int error)
{
	fprintf(stderr, "pipeline: %s: %s\n", what, strerror(-error));
	exit(1);
}

static uint64_t cpu(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

static bool no_service(void *ctx, const char *exe)
{
	(void)ctx;
	(void)exe;
	return false;
}

static void processes_make(struct proctab *processes)
{
	for (uint32_t i = LINEAGE; i > 0; i--) {
		Rollcall__Task task;
		Rollcall__Exec exec;
		char exe[64];
		char args[] = "worker\0--config\0/etc/service/app.conf\0--quiet";

		snprintf(exe, sizeof(exe), "/usr/lib/service/program-%u", i);
		rollcall__task__init(&task);
		rollcall__exec__init(&exec);
		task.tgid = task.start_time = i;
		task.ppid = i + 1;
		exec.task = &task;
		exec.exe = exe;
		exec.cwd = (char *)(uintptr_t) "/srv/app";
		exec.args = (ProtobufCBinaryData){sizeof(args), (uint8_t *)args};
		if (proctab_exec(processes, SECOND, &exec) < 0)
			die("processes", -ENOMEM);
	}
}

/* A scalar or a text of the record's fixed part, by its name. */
static uint8_t *field_of(uint8_t *record, const ProtobufCMessageDescriptor *d, const char *name)
{
	struct record_layout layout;

	if (record_layout(d, &layout) == 0)
		for (unsigned i = 0; i < layout.n; i++)
			if (strcmp(layout.fields[i].field->name, name) == 0)
				return record + layout.fields[i].off;
	die(name, -ENOENT);
	return NULL;
}

static size_t record_make(uint8_t *record)
{
	static const char path[] = "/var/www/html/uploads/2026/report-000123.pdf";
	const ProtobufCMessageDescriptor *d = &rollcall__file_open__descriptor;
	uint8_t *body = record + sizeof(struct record_header);
	uint8_t *task = field_of(body, d, "task");
	struct record_layout layout;
	struct record_slice slice;
	uint32_t tgid = 1;
	uint64_t start = 1;

	record_layout(d, &layout);
	/* Offsets of slices are from the record's begin. */
	slice = (struct record_slice){.off = (uint32_t)(sizeof(struct record_header) + layout.size),
				      .len = sizeof(path) - 1,
				      .orig = sizeof(path) - 1};
	memcpy(field_of(body, d, "path"), &slice, sizeof(slice));
	memcpy(field_of(task, &rollcall__task__descriptor, "tgid"), &tgid, sizeof(tgid));
	memcpy(field_of(task, &rollcall__task__descriptor, "start_time"), &start, sizeof(start));
	memcpy(record + slice.off, path, slice.len);
	*(struct record_header *)record = (struct record_header){
		.time = 2 * SECOND,
		.size = slice.off + slice.len,
		.kind = ROLLCALL__EVENT__KIND_FILE_OPEN,
		.version = RECORD_VERSION,
	};
	return slice.off + slice.len;
}

static uint64_t round_run(struct pipeline *p, const uint8_t *record, size_t size)
{
	uint64_t begun = cpu();

	for (unsigned i = 0; i < EVENTS; i++) {
		pipeline_record(p, record, size);
		if (i % 64 == 0)
			pipeline_flush(p);
	}
	pipeline_flush(p);
	return (cpu() - begun) / EVENTS;
}

int main(int argc, char **argv)
{
	static _Alignas(8) uint8_t record[RECORD_MAX];
	struct host host = {.boot_id = "0a1b2c3d-0000-0000-0000-000000000000", .name = "mdm1"};
	_cleanup_(spool_freep) struct spool *spool = NULL;
	_cleanup_(watch_freep) struct watch *watch = watch_new();
	_cleanup_(proctab_freep) struct proctab *processes = proctab_new(1024, host.boot_id);
	_cleanup_(freep) char *placeholders = profile_placeholders(NULL);
	_cleanup_(pipeline_freep) struct pipeline *p = NULL;
	uint64_t best = UINT64_MAX;
	size_t size = record_make(record);
	int r;

	if (argc < 3 || !watch || !processes || !placeholders)
		return 2;
	log_open("pipeline", LOG_LEVEL_WARN);
	r = spool_prepare(argv[1], 0);
	if (r == 0)
		r = spool_open(&(struct spool_opts){argv[1], host.boot_id, 64 << 20, 1}, &spool);
	if (r < 0)
		die(argv[1], r);
	r = pipeline_new(
		&(struct pipeline_opts){
			.host = &host,
			.watch = watch,
			.processes = processes,
			.rules = argv[2],
			.placeholders = placeholders,
			.spool = spool,
			.baseline = {.max = 4096, .file = "", .service = no_service},
			.sessions_max = 64,
			.principals_max = 64},
		&p);
	if (r == 0)
		r = rules_read(pipeline_rules(p));
	if (r < 0)
		return 1;
	processes_make(processes);
	for (int i = 0; i < (argc > 3 ? atoi(argv[3]) : 5); i++) {
		uint64_t ns = round_run(p, record, size);

		best = ns < best ? ns : best;
		spool_trim(spool, NULL, NULL);
	}
	printf("%llu\n", (unsigned long long)best);
	return 0;
}
