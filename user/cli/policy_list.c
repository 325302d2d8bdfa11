// SPDX-License-Identifier: Apache-2.0
// `rollcall policy list`: each rule, what it found, what it costs. From the sensor that runs, or
// from files alone.
#include "cli/policy_list.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/out.h"
#include "cli/policy_load.h"
#include "cli/sensor_client.h"
#include "lib/arena.h"
#include "lib/clean.h"
#include "lib/event.h"
#include "lib/log.h"
#include "lib/sigma/fileset.h"
#include "lib/sigma/listing.h"
#include "lib/sigma/policy.h"

#define RULES "/etc/rollcall/rules"

static const char usage[] =
	"Usage: rollcall policy list [--json] [--control PATH] [PATH]\n"
	"\n"
	"Lists the rules in force in this host's sensor: how often each matched and when last "
	"(since\n"
	"the sensor began and the rule is as it is), and the mean nanoseconds that it costs an "
	"event\n"
	"(measured at one event of 61 since the policy was put in force). Without a sensor, or "
	"with\n"
	"PATH, the rules of files (default " RULES ").\n"
	"\n"
	"  --json          one JSON object\n"
	"  --control PATH  the sensor's control socket (default " SENSOR_CONTROL ")\n"
	"\n"
	"Exit status: 0 done, 1 failed or the files have mistakes, 2 wrong usage.\n";

/* ---- of files ---- */

static int list_files(struct arena *a, const char *path, Rollcall__PolicyList *list)
{
	_cleanup_(fileset_freep) struct fileset *files = fileset_new();
	_cleanup_(policy_freep) struct policy *p = NULL;
	char sha256[DIGEST_HEX];
	int r = files ? policy_load_files(files, path, false) : log_error(-ENOMEM, "policy");

	if (r < 0)
		return r;
	r = policy_load(&(struct policy_load_opts){.to = stderr, .files = files}, (char *[]){NULL},
			&p);
	if (r == 0)
		r = fileset_digest(files, sha256);
	if (r == 0)
		r = listing_fill(a, p, NULL, list);
	if (r < 0)
		return r;
	list->sha256 = arena_strdup(a, sha256);
	list->path = arena_strdup(a, path);
	return list->sha256 && list->path ? 0 : -ENOMEM;
}

/* ---- of the sensor ---- */

static int list_sensor(struct arena *a, const char *control, const Rollcall__PolicyList **ret_list)
{
	_cleanup_(closep) int fd = sensor_ask(control, ROLLCALL__ASK__policy_list);
	ProtobufCMessage *m;
	enum frame_type type;
	int r;

	if (fd < 0)
		return fd;
	r = sensor_answer(fd, a, &type, &m);
	if (r < 0 || type != FRAME_POLICY_LIST)
		return log_error(r < 0 ? r : -EBADMSG, "the sensor's answer cannot be read");
	*ret_list = (const Rollcall__PolicyList *)m;
	return 0;
}

/* ---- print ---- */

static void cost_cell(struct out_table *t, double ns)
{
	if (ns < 0)
		out_table_cell(t, OUT_DIM, "-");
	else
		out_table_cell(t, OUT_PLAIN, "%.1f", ns);
}

static int print(const Rollcall__PolicyList *list)
{
	static const char *const heads[] = {"LEVEL", "MODE", "HITS", "LAST (UTC)", "NS",
					    "RULE",  "ID",   "FILE", NULL};
	_cleanup_(out_table_freep) struct out_table *t = out_table_new(heads);
	struct out out;
	char when[40];

	if (!t)
		return -ENOMEM;
	out_init(&out, stdout);
	for (size_t i = 0; i < list->n_rules; i++) {
		const Rollcall__PolicyRule *m = list->rules[i];
		bool filter = strcmp(m->kind, "filter") == 0;

		out_table_cell(t, out_level(m->level), "%s", filter ? "-" : m->level);
		out_table_cell(t, OUT_PLAIN, "%s", filter ? "filter" : m->mode);
		out_table_cell(t, OUT_PLAIN, "%" PRIu64, m->hits);
		out_table_cell(t, OUT_DIM, "%s",
			       m->last_hit ? out_time(m->last_hit, when, sizeof(when)) : "-");
		cost_cell(t, m->nanoseconds);
		out_table_cell(t, OUT_PLAIN, "%s", m->title);
		out_table_cell(t, OUT_DIM, "%s", m->id);
		out_table_cell(t, OUT_DIM, "%s:%" PRIu32, m->file, m->line);
	}
	out_table_print(t, &out);
	printf("%zu rules of ", list->n_rules);
	out_text(&out, OUT_PLAIN, list->path);
	if (list->serial)
		printf(", signed, serial %" PRIu64, list->serial);
	if (list->event_nanoseconds >= 0)
		printf(", %.0f ns an event together", list->event_nanoseconds);
	printf("\nSHA-256 %s\n", list->sha256);
	return 0;
}

int policy_list(int argc, char **argv)
{
	static const struct option options[] = {
		{"json", no_argument, NULL, 'j'},
		{"control", required_argument, NULL, 'c'},
		{"help", no_argument, NULL, 'h'},
		{},
	};
	_cleanup_(arena_freep) struct arena *a = arena_new(64 * 1024);
	Rollcall__PolicyList files;
	const Rollcall__PolicyList *list = &files;
	const char *control = SENSOR_CONTROL, *path;
	bool json = false;
	int c, r = -ENOMEM;

	rollcall__policy_list__init(&files);
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'h')
			return fputs(usage, stdout) < 0;
		if (c == '?')
			return 2;
		json |= c == 'j';
		control = c == 'c' ? optarg : control;
	}
	path = argv[optind];
	if (argc - optind > 1)
		return log_error(0, "one PATH (see --help)"), 2;
	if (a)
		r = !path && sensor_is_there(control) ? list_sensor(a, control, &list)
						      : list_files(a, path ? path : RULES, &files);
	if (r < 0)
		return 1;
	if (!json)
		return print(list) < 0;
	event_message_json(stdout, &list->base);
	return putchar('\n') == EOF;
}
