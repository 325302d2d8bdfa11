// SPDX-License-Identifier: Apache-2.0
// rollcall-sensor: options, set-up, the loop. The stages are in pipeline.c.
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "lib/arena.h"
#include "lib/clean.h"
#include "lib/log.h"
#include "lib/resolved.h"
#include "sensor/filewatch.h"
#include "sensor/host.h"
#include "sensor/pipeline.h"
#include "sensor/probe.h"
#include "sensor/proctab.h"
#include "sensor/watch.h"

#define SECOND 1000000000ull

struct args {
	bool print;
	bool debug;
	const char *host;
	const char *resolved;
	struct watch *watch;
	struct filewatch *files;
};

struct sensor {
	struct host host;
	struct watch *watch;
	struct proctab *processes;
	struct pipeline *pipeline;
	struct probe *probe;
	uint64_t begun;
	int signals;
};

static const char help[] =
	"Usage: rollcall-sensor --stdout --watch SYSTEM:DATABASE.TABLE [options]\n"
	"Counts the rows that leave watched database tables and tells who read them.\n"
	"\n"
	"  --stdout           print every event and finding, one JSON object a line\n"
	"  --watch TABLE      watch a table: postgresql:hr.public.staff, mariadb:mdm.staff\n"
	"                     (repeatable)\n"
	"  --resolved FILE    what `rollcall setup database` wrote\n"
	"                     (default " RESOLVED_PATH ", when it is there)\n"
	"  --host NAME        name of this host in events (default: the system's)\n"
	"  --debug            also log what libbpf and the verifier say\n"
	"  --help             this text\n"
	"  --version          the version\n"
	"\n"
	"Run as root. Exit status: 0 stopped by a signal, 1 failure, 2 wrong usage.\n";

static int watch_option(struct args *args, const char *text)
{
	struct watchname name;
	const char *why;
	int r = watchname_parse(text, &name, &why);

	if (r < 0) {
		log_error(0, "--watch '%s': %s; write SYSTEM:DATABASE.TABLE, for example "
			     "postgresql:hr.public.staff or mariadb:mdm.staff",
			  text, why);
		return r;
	}
	return watch_add(args->watch, &name);
}

/* 0: run; 1: done, nothing more to do; -EINVAL: told what is wrong. */
static int args_parse(int argc, char **argv, struct args *args)
{
	static const struct option options[] = {
		{ "stdout", no_argument, NULL, 's' },	     { "watch", required_argument, NULL, 'w' },
		{ "resolved", required_argument, NULL, 'r' }, { "host", required_argument, NULL, 'n' },
		{ "debug", no_argument, NULL, 'd' },	     { "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'v' },	     { NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 's')
			args->print = true;
		else if (c == 'd')
			args->debug = true;
		else if (c == 'n')
			args->host = optarg;
		else if (c == 'r')
			args->resolved = optarg;
		else if (c == 'h' || c == 'v')
			return fputs(c == 'h' ? help : "rollcall-sensor 0.1\n", stdout) < 0 ? -EIO : 1;
		else if (c != 'w' || watch_option(args, optarg) < 0)
			return -EINVAL;
	}
	if (optind < argc || !args->print) {
		log_error(0, optind < argc ? "unexpected argument '%s' (see --help)"
					   : "nothing to do without --stdout (see --help)%s",
			  optind < argc ? argv[optind] : "");
		return -EINVAL;
	}
	return 0;
}

static int resolved_load(const struct args *args)
{
	_cleanup_(resolved_freep) struct resolved *res = NULL;
	const char *path = args->resolved ? args->resolved : RESOLVED_PATH;
	char why[256] = "";
	int r = resolved_read(path, &res, why, sizeof(why));

	if (r == -ENOENT && !args->resolved)
		return 0;
	if (r < 0)
		return log_error(r, "%s: cannot be used: %s", path, why);
	r = watch_resolve(args->watch, res);
	return r < 0 ? r : filewatch_resolve(args->files, res);
}

static int signals_open(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int sensor_init(struct sensor *s, const struct args *args)
{
	int r = host_init(&s->host, args->host);

	if (r < 0)
		return log_error(r, "cannot read this host's name and boot id");
	s->begun = host_boottime();
	s->watch = args->watch;
	s->signals = signals_open();
	s->processes = proctab_new(32768, s->host.boot_id);
	if (s->signals < 0 || !s->processes)
		return log_error(-errno, "cannot start");
	s->pipeline = pipeline_new(&(struct pipeline_opts){
		.host = &s->host,
		.watch = s->watch,
		.files = args->files,
		.processes = s->processes,
		.json = stdout,
		.thresholds = {
			.result_rows = 200,
			.result_fraction = 0.1,
			.window_rows = { 500, 1000, 5000, 20000 },
			.row_bytes = 64 * 1024,
			.side_channel_bytes = 64 * 1024,
			.first_seen_rows = 20,
			.server_copy = true,
		},
		.sessions_max = 16384,
		.principals_max = 2048,
	});
	if (!s->pipeline)
		return log_error(-ENOMEM, "cannot start");
	return probe_new(&(struct probe_opts){ pipeline_record, s->pipeline, 0, 0 }, &s->probe);
}

/* Attach first, then learn what ran before, then drain: nothing falls between. */
static int sensor_begin(struct sensor *s)
{
	struct arena *a = pipeline_arena(s->pipeline);
	Rollcall__Event *ev;
	Rollcall__Ready *ready;
	int r;

	r = probe_iter(s->probe, "exec__iter", pipeline_seed, s->pipeline);
	if (r < 0)
		log_warn(r, "processes that ran before the sensor are not known");
	r = probe_iter(s->probe, "tcp_owner__iter", NULL, NULL);
	if (r < 0)
		log_warn(r, "owners of TCP connections older than the sensor are not known");
	r = pipeline_attach(s->pipeline, s->probe);
	if (r < 0)
		return log_error(r, "cannot look for database servers in /proc");
	ev = arena_alloc(a, sizeof(*ev));
	ready = arena_alloc(a, sizeof(*ready));
	if (!ev || !ready)
		return -ENOMEM;
	rollcall__event__init(ev);
	rollcall__ready__init(ready);
	r = probe_coverage(s->probe, a, &ready->coverage);
	ready->watch = arena_alloc(a, WATCH_TABLES_MAX * sizeof(*ready->watch));
	if (r < 0 || !ready->watch)
		return -ENOMEM;
	for (unsigned i = 0; i < watch_count(s->watch); i++)
		ready->watch[ready->n_watch++] = arena_strdup(a, watch_table_name(s->watch, i));
	ev->time = host_boottime();
	ready->seconds = (double)(ev->time - s->begun) / 1e9;
	ev->kind_case = ROLLCALL__EVENT__KIND_READY;
	ev->ready = ready;
	pipeline_emit(s->pipeline, ev);
	return 0;
}

/* Until a signal. Bulk records wake nobody, so the ring is looked at on a short timer. */
static int sensor_loop(struct sensor *s)
{
	struct pollfd fds[] = { { probe_fd(s->probe), POLLIN, 0 }, { s->signals, POLLIN, 0 } };
	uint64_t next = host_boottime() + SECOND;
	int wait = 1, n;

	for (;;) {
		if (poll(fds, 2, wait) < 0 && errno != EINTR)
			return log_error(-errno, "poll");
		n = probe_consume(s->probe);
		if (n < 0)
			return log_error(n, "the ring buffer cannot be read");
		if (n)
			pipeline_flush(s->pipeline);
		wait = n ? 1 : wait < 10 ? wait + 1 : 10;
		if (host_boottime() >= next) {
			pipeline_tick(s->pipeline, s->probe, 0);
			next = host_boottime() + SECOND;
		}
		if (fds[1].revents & POLLIN)
			break;
		if (ferror(stdout))
			return log_error(-EPIPE, "standard output is gone");
	}
	probe_consume(s->probe);
	pipeline_tick(s->pipeline, s->probe, 1);
	return 0;
}

static void sensor_fini(struct sensor *s)
{
	probe_free(s->probe);
	pipeline_free(s->pipeline);
	proctab_free(s->processes);
	if (s->signals >= 0)
		close(s->signals);
}

int main(int argc, char **argv)
{
	_cleanup_(watch_freep) struct watch *watch = watch_new();
	_cleanup_(filewatch_freep) struct filewatch *files = filewatch_new(watch);
	struct args args = { .watch = watch, .files = files };
	struct sensor s = { .signals = -1 };
	int r;

	log_open("rollcall-sensor", LOG_LEVEL_INFO);
	if (!watch || !files)
		return log_error(-ENOMEM, "cannot start"), 1;
	r = args_parse(argc, argv, &args);
	if (r)
		return r < 0 ? 2 : 0;
	if (args.debug)
		log_open("rollcall-sensor", LOG_LEVEL_DEBUG);
	r = resolved_load(&args);
	if (r == 0)
		r = sensor_init(&s, &args);
	if (r == 0)
		r = sensor_begin(&s);
	if (r == 0)
		r = sensor_loop(&s);
	sensor_fini(&s);
	return r < 0 ? 1 : 0;
}
