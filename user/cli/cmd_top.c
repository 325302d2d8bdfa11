// SPDX-License-Identifier: Apache-2.0
// `rollcall top`: what each probe costs, from the kernel's own statistics of BPF programs. The
// sensor has the kernel measure as long as this command is connected, and not longer.
#include "cli/cmd_top.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/out.h"
#include "cli/sensor_client.h"
#include "lib/arena.h"
#include "lib/clean.h"
#include "lib/event.h"
#include "lib/log.h"

#define INTERVAL_MAX 86400

static const char usage[] =
	"Usage: rollcall top [--interval SECONDS] [--once | --count N] [--json]\n"
	"\n"
	"Shows what each probe of this host's sensor costs, over an interval: calls, nanoseconds "
	"a\n"
	"call, share of one CPU; and records and events a second of each class. On a terminal the\n"
	"screen is refreshed; in a pipe each interval is a table.\n"
	"\n"
	"Measuring costs: while this command runs the kernel looks at the clock twice in each "
	"call\n"
	"of every BPF program of the host. Time spent for system calls is shown at the "
	"dispatcher.\n"
	"\n"
	"  --interval SECONDS  length of an interval (default 2; parts such as 0.5 are allowed)\n"
	"  --once              one interval, then end\n"
	"  --count N           N intervals, then end\n"
	"  --json              one JSON object an interval\n"
	"  --control PATH      the sensor's control socket (default " SENSOR_CONTROL ")\n"
	"\n"
	"Exit status: 0 done, 1 the sensor ended or does not answer, 2 wrong usage.\n";

struct top_args {
	double interval;
	uint64_t count; /* 0: no end */
	const char *control;
	bool json;
};

/* ---- rates, from two counts ---- */

static const Rollcall__ProgramCost *program_before(const Rollcall__Top *t, const char *name)
{
	for (size_t i = 0; i < t->n_programs; i++)
		if (strcmp(t->programs[i]->program, name) == 0)
			return t->programs[i];
	return NULL;
}

static int by_cost(const void *a, const void *b)
{
	const Rollcall__ProgramRate *x = *(Rollcall__ProgramRate *const *)a;
	const Rollcall__ProgramRate *y = *(Rollcall__ProgramRate *const *)b;

	if (x->cpu_percent != y->cpu_percent)
		return x->cpu_percent < y->cpu_percent ? 1 : -1;
	return strcmp(x->program, y->program);
}

static int program_rates(struct arena *a, const Rollcall__Top *before, const Rollcall__Top *now,
			 Rollcall__TopRates *ret)
{
	ret->programs = arena_alloc(a, (now->n_programs + 1) * sizeof(*ret->programs));
	for (size_t i = 0; ret->programs && i < now->n_programs; i++) {
		const Rollcall__ProgramCost *n = now->programs[i];
		const Rollcall__ProgramCost *b = program_before(before, n->program);
		Rollcall__ProgramRate *rate = arena_alloc(a, sizeof(*rate));
		double ns = (double)(n->nanoseconds - (b ? b->nanoseconds : 0));

		if (!rate)
			return -ENOMEM;
		rollcall__program_rate__init(rate);
		rate->program = n->program;
		rate->calls = n->calls - (b ? b->calls : 0);
		rate->nanoseconds_per_call = rate->calls ? ns / (double)rate->calls : 0;
		rate->cpu_percent = ns / (ret->seconds * 1e7);
		ret->programs[ret->n_programs++] = rate;
	}
	if (!ret->programs)
		return -ENOMEM;
	qsort(ret->programs, ret->n_programs, sizeof(*ret->programs), by_cost);
	return 0;
}

static int class_rates(struct arena *a, const Rollcall__Top *before, const Rollcall__Top *now,
		       Rollcall__TopRates *ret)
{
	ret->classes = arena_alloc(a, (now->n_classes + 1) * sizeof(*ret->classes));
	for (size_t i = 0; ret->classes && i < now->n_classes && i < before->n_classes; i++) {
		const Rollcall__ClassCount *n = now->classes[i], *b = before->classes[i];
		Rollcall__ClassRate *rate = arena_alloc(a, sizeof(*rate));

		if (!rate)
			return -ENOMEM;
		rollcall__class_rate__init(rate);
		rate->class_ = n->class_;
		rate->records_per_second = (double)(n->records - b->records) / ret->seconds;
		rate->lost_per_second = (double)(n->lost - b->lost) / ret->seconds;
		rate->events_per_second = (double)(n->events - b->events) / ret->seconds;
		ret->classes[ret->n_classes++] = rate;
	}
	return ret->classes ? 0 : -ENOMEM;
}

/* ---- print ---- */

static void print_programs(struct out *o, const Rollcall__TopRates *t)
{
	static const char *const heads[] = {"PROBE", "CALLS", "NS/CALL", "% OF A CPU", NULL};
	_cleanup_(out_table_freep) struct out_table *table = out_table_new(heads);
	double all = 0;
	size_t idle = 0;

	for (size_t i = 0; table && i < t->n_programs; i++) {
		const Rollcall__ProgramRate *p = t->programs[i];

		all += p->cpu_percent;
		idle += !p->calls;
		if (!p->calls)
			continue;
		out_table_cell(table, OUT_PLAIN, "%s", p->program);
		out_table_cell(table, OUT_PLAIN, "%" PRIu64, p->calls);
		out_table_cell(table, OUT_PLAIN, "%.0f", p->nanoseconds_per_call);
		out_table_cell(table, OUT_PLAIN, "%.3f", p->cpu_percent);
	}
	if (table)
		out_table_print(table, o);
	out_printf(o, OUT_BOLD, "all probes: %.3f %% of one CPU", all);
	out_printf(o, OUT_PLAIN, ", %zu programs were not called\n\n", idle);
}

static void print(struct out *o, const Rollcall__TopRates *t)
{
	static const char *const heads[] = {"CLASS", "RECORDS/S", "LOST/S", "EVENTS/S", NULL};
	_cleanup_(out_table_freep) struct out_table *table = out_table_new(heads);

	if (o->file == stdout && isatty(STDOUT_FILENO))
		fputs("\033[H\033[2J", o->file);
	out_printf(o, OUT_DIM,
		   "over %.2f s; measuring costs: it slows every BPF program a little "
		   "while this runs\n\n",
		   t->seconds);
	print_programs(o, t);
	for (size_t i = 0; table && i < t->n_classes; i++) {
		const Rollcall__ClassRate *c = t->classes[i];
		bool lost = c->lost_per_second > 0;

		out_table_cell(table, OUT_PLAIN, "%s", c->class_);
		out_table_cell(table, OUT_PLAIN, "%.1f", c->records_per_second);
		out_table_cell(table, lost ? OUT_RED : OUT_PLAIN, "%.1f", c->lost_per_second);
		out_table_cell(table, OUT_PLAIN, "%.1f", c->events_per_second);
	}
	if (table)
		out_table_print(table, o);
}

static int show(const struct top_args *args, struct arena *a, const Rollcall__Top *before,
		const Rollcall__Top *now)
{
	Rollcall__TopRates rates;
	struct out o;
	int r;

	rollcall__top_rates__init(&rates);
	rates.seconds = (double)(now->time - before->time) / 1e9;
	r = rates.seconds > 0 ? program_rates(a, before, now, &rates) : -EBADMSG;
	if (r == 0)
		r = class_rates(a, before, now, &rates);
	if (r < 0)
		return r;
	if (args->json) {
		event_message_json(stdout, &rates.base);
		putchar('\n');
	} else {
		out_init(&o, stdout);
		print(&o, &rates);
	}
	return fflush(stdout) ? -errno : 0;
}

/* ---- the command ---- */

static int top_read(int fd, struct arena *a, const Rollcall__Top **ret)
{
	ProtobufCMessage *m;
	enum frame_type type;
	int r = sensor_answer(fd, a, &type, &m);

	if (r == 0 && type != FRAME_TOP)
		r = -EBADMSG;
	if (r == 0)
		*ret = (const Rollcall__Top *)m;
	return r;
}

/* Two arenas in turn: the last count is needed until the next was shown. */
static int top_run(const struct top_args *args, int fd)
{
	_cleanup_(arena_freep) struct arena *one = arena_new(64 * 1024);
	_cleanup_(arena_freep) struct arena *two = arena_new(64 * 1024);
	struct arena *arenas[] = {one, two};
	const struct timespec wait = {
		(time_t)args->interval,
		(long)((args->interval - (double)(time_t)args->interval) * 1e9)};
	const Rollcall__Top *before, *now;
	int r = one && two ? top_read(fd, one, &before) : -ENOMEM;

	for (uint64_t n = 1; r == 0 && (!args->count || n <= args->count); n++) {
		struct arena *a = arenas[n % 2];

		nanosleep(&wait, NULL);
		arena_reset(a);
		r = sensor_ask_again(fd, ROLLCALL__ASK__top);
		if (r == 0)
			r = top_read(fd, a, &now);
		if (r == 0)
			r = show(args, a, before, now);
		before = now;
	}
	return r;
}

static int parse(int argc, char **argv, struct top_args *ret)
{
	static const struct option options[] = {
		{"interval", required_argument, NULL, 'i'},
		{"once", no_argument, NULL, 'o'},
		{"count", required_argument, NULL, 'n'},
		{"json", no_argument, NULL, 'j'},
		{"control", required_argument, NULL, 'c'},
		{"help", no_argument, NULL, 'h'},
		{},
	};
	char *end = NULL;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'h')
			return 1;
		if (c == 'i')
			ret->interval = strtod(optarg, &end);
		else if (c == 'n')
			ret->count = strtoull(optarg, &end, 10);
		else if (c == 'o')
			ret->count = 1;
		else if (c == 'j')
			ret->json = true;
		else if (c == 'c')
			ret->control = optarg;
		else
			return -EINVAL;
		if (end && (*end || (c == 'n' && !ret->count)))
			return log_error(-EINVAL, "'%s' is not a number", optarg);
		end = NULL;
	}
	if (!(ret->interval >= 0.1 && ret->interval <= INTERVAL_MAX))
		return log_error(-EINVAL, "an interval has 0.1 to %d seconds", INTERVAL_MAX);
	return optind == argc ? 0 : log_error(-EINVAL, "'%s': not understood", argv[optind]);
}

int cmd_top(int argc, char **argv)
{
	struct top_args args = {.interval = 2, .control = SENSOR_CONTROL};
	_cleanup_(closep) int fd = -1;
	int r = parse(argc, argv, &args);

	if (r)
		return r == 1 ? fputs(usage, stdout) < 0 : 2;
	fd = sensor_ask(args.control, ROLLCALL__ASK__top);
	if (fd < 0)
		return 1;
	r = top_run(&args, fd);
	return r < 0 ? log_error(r, "the sensor's answer cannot be read"), 1 : 0;
}
