// SPDX-License-Identifier: Apache-2.0
// The probe process. The stages are in pipeline.c; here they are made, driven and shown.
#include "sensor/sensor.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/arena.h"
#include "lib/clean.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/resolved.h"
#include "lib/segment.h"
#include "lib/spool.h"
#include "lib/version.h"
#include "sensor/alive.h"
#include "sensor/control.h"
#include "sensor/filewatch.h"
#include "sensor/handover.h"
#include "sensor/host.h"
#include "sensor/limits.h"
#include "sensor/options.h"
#include "sensor/pace.h"
#include "sensor/pipeline.h"
#include "sensor/probe.h"
#include "sensor/proctab.h"
#include "sensor/reload.h"
#include "sensor/rules.h"
#include "sensor/rules_reader.h"
#include "sensor/ruleset.h"
#include "sensor/sandbox.h"
#include "sensor/status.h"
#include "sensor/treewatch.h"
#include "sensor/watch.h"

#define SECOND	      1000000000ull
#define MS	      1000000
#define STDOUT_BUFFER 65536	    /* events of one look at the rings, in one write */
#define SETTLED	      (10 * SECOND) /* whatever killed the sensor before did not kill this one */

struct sensor {
	const struct options *opts;
	struct host *host;
	struct filewatch *files;
	struct proctab *processes;
	struct spool *spool;
	struct pipeline *pipeline;
	struct probe *probe;
	struct loop *loop;
	struct control *control;
	struct reload *reload;
	struct loop_watch *crit, *bulk, *timer, *term, *quit, *hup;
	struct limits limits;
	uint64_t begun, next_tick;
	struct pace pace;
	int alive; /* -1 without a spool */
	struct alive last;
	int result;
	bool begun_whole;
	struct rules_reader reader;
	pid_t parent; /* supervises; 0: nobody does */
};

/* ---- state, for the control socket ---- */

static int status_fill(void *ctx, struct arena *a, Rollcall__Status *m)
{
	struct sensor *s = ctx;
	struct pipeline_counts counts;
	struct proctab_counts processes;
	int r;

	pipeline_counts(s->pipeline, &counts);
	proctab_counts(s->processes, &processes);
	m->version = (char *)(uintptr_t)ROLLCALL_VERSION;
	m->host = s->host->name;
	m->boot_id = s->host->boot_id;
	m->pid = (uint32_t)getpid();
	m->started = host_realtime(s->host, s->begun);
	m->events = counts.events;
	m->findings = counts.findings;
	m->sessions = counts.sessions;
	m->processes = processes.processes;
	m->processes_evicted = processes.evicted;
	m->watchers_dropped = control_dropped(s->control);
	m->watch = arena_alloc(a, WATCH_TABLES_MAX * sizeof(*m->watch));
	for (unsigned i = 0; m->watch && i < watch_count(s->opts->watch); i++)
		m->watch[m->n_watch++] = (char *)(uintptr_t)watch_table_name(s->opts->watch, i);
	r = probe_coverage(s->probe, a, &m->coverage);
	if (r == 0 && s->spool) {
		status_stream(s->opts->spool, a, m);
		r = status_spool(s->spool, s->opts->spool, a, m);
	}
	return r;
}

static int top_fill(void *ctx, struct arena *a, Rollcall__Top *m)
{
	struct sensor *s = ctx;
	struct pipeline_counts counts;
	Rollcall__Coverage *coverage;
	int r = probe_coverage(s->probe, a, &coverage);

	if (r < 0)
		return r;
	pipeline_counts(s->pipeline, &counts);
	m->time = host_boottime();
	m->classes = arena_alloc(a, SEGMENT_CLASSES * sizeof(*m->classes));
	for (uint32_t i = 1; m->classes && i < SEGMENT_CLASSES; i++) {
		const Rollcall__Lane *lane = coverage->lanes[i - 1];
		Rollcall__ClassCount *c = arena_alloc(a, sizeof(*c));

		if (!c)
			return -ENOMEM;
		rollcall__class_count__init(c);
		c->class_ = (char *)(uintptr_t)segment_class(i);
		c->records = lane->written;
		c->lost = lane->dropped;
		c->events = counts.classes[i];
		m->classes[m->n_classes++] = c;
	}
	return m->classes ? probe_costs(s->probe, a, m) : -ENOMEM;
}

/* ---- set-up ---- */

static int resolved_load(struct sensor *s)
{
	_cleanup_(resolved_freep) struct resolved *res = NULL;
	const char *path = *s->opts->resolved ? s->opts->resolved : RESOLVED_PATH;
	char why[256] = "";
	int r = resolved_read(path, &res, why, sizeof(why));

	if (r == -ENOENT && !*s->opts->resolved)
		return 0;
	if (r < 0)
		return log_error(r, "%s: cannot be used: %s", path, why);
	r = watch_resolve(s->opts->watch, res);
	return r < 0 ? r : filewatch_resolve(s->files, res);
}

static int spool_begin(struct sensor *s)
{
	const struct spool_opts opts = {
		.directory = s->opts->spool,
		.boot_id = s->host->boot_id,
		.max_bytes = s->opts->spool_bytes,
		.boottime = host_boottime(),
	};
	int r = spool_open(&opts, &s->spool);

	if (r == -EAGAIN)
		return log_error(0, "spool '%s': another sensor uses it", s->opts->spool), r;
	if (r == 0)
		r = alive_open(s->opts->spool, &s->alive, &s->last);
	return r < 0 ? log_error(r, "spool '%s'", s->opts->spool) : 0;
}

static bool is_service(void *ctx, const char *exe)
{
	return treewatch_exe(ctx, exe);
}

static int stages_new(struct sensor *s)
{
	const struct options *o = s->opts;
	int r;

	s->files = filewatch_new(o->watch);
	s->processes = proctab_new(o->processes, s->host->boot_id);
	if (!s->files || !s->processes)
		return log_error(-ENOMEM, "cannot start");
	r = pipeline_new(
		&(struct pipeline_opts){
			.host = s->host,
			.watch = o->watch,
			.files = s->files,
			.processes = s->processes,
			.rules = o->rules,
			.placeholders = o->placeholders,
			.json = o->print ? stdout : NULL,
			.spool = s->spool,
			.tap = s->control ? control_event : NULL,
			.tap_ctx = s->control,
			.thresholds = o->thresholds,
			.sessions_max = o->sessions,
			.principals_max = o->principals,
			.baseline = {.max = o->baseline_max,
				     .warm_up = o->warm_up_hours * 3600ull,
				     .rows_factor = o->rows_factor,
				     .rows_min = o->rows_min,
				     .file = o->baseline_file,
				     .service = is_service,
				     .service_ctx = o->trees},
		},
		&s->pipeline);
	if (r == 0)
		r = reload_new(&(struct reload_opts){s->pipeline, o->rules, o->policy_key, o->inbox,
						     o->accepted},
			       &s->reload);
	return r < 0 ? r : resolved_load(s);
}

static int loop_begin(struct sensor *s);

static void on_stop(void *ctx)
{
	struct sensor *s = ctx;

	loop_stop(s->loop);
}

static void on_hup(void *ctx)
{
	struct sensor *s = ctx;

	reload_signal(s->reload);
}

static int on_policy(void *ctx, const struct control_peer *who, const Rollcall__Request *ask,
		     enum frame_type *ret_type, const ProtobufCMessage **ret_answer)
{
	struct sensor *s = ctx;

	return reload_request(s->reload, who, ask, ret_type, ret_answer);
}

/* MariaDB does not count what a session reads where it could be read. */
static bool reads_wanted(const struct options *o)
{
	for (unsigned i = 0; o->rows_read && i < watch_count(o->watch); i++)
		if (watch_table(o->watch, i)->system == ROLLCALL__SYSTEM__postgresql)
			return true;
	return false;
}

static void on_record(void *ctx)
{
	struct sensor *s = ctx;

	pipeline_see_all(s->pipeline);
}

/* The rules are read while the kernel takes the probes. */
static int rules_and_probes(struct sensor *s)
{
	int r, e;

	s->reader = (struct rules_reader){.rules = pipeline_rules(s->pipeline)};
	r = probe_new(
		&(struct probe_opts){
			.own = true,
			.record = pipeline_record,
			.ctx = s->pipeline,
			.unwatched = treewatch_empty(s->opts->trees),
			.rows_read = reads_wanted(s->opts),
			.pins = *s->opts->pins ? s->opts->pins : NULL,
			.identity = s->opts->identity,
			.loading = rules_reader_begin,
			.ready = rules_reader_wait,
			.ready_ctx = &s->reader,
			.flush = pipeline_flush,
			.flushed = pipeline_flushed,
		},
		&s->probe);
	e = rules_reader_wait(&s->reader);
	return r < 0 ? r : e;
}

static int sensor_init(struct sensor *s)
{
	int r = 0;

	s->begun = host_boottime();
	s->loop = loop_new();
	/* From here on a signal means an orderly end. */
	s->term = s->loop ? loop_signal(s->loop, SIGTERM, on_stop, s) : NULL;
	s->quit = s->loop ? loop_signal(s->loop, SIGINT, on_stop, s) : NULL;
	s->hup = s->loop ? loop_signal(s->loop, SIGHUP, on_hup, s) : NULL;
	signal(SIGPIPE, SIG_IGN);
	if (s->opts->print)
		setvbuf(stdout, NULL, _IOFBF, STDOUT_BUFFER);
	if (!s->term || !s->quit || !s->hup)
		return log_error(-ENOMEM, "cannot start");
	if (*s->opts->aggregator)
		r = spool_begin(s);
	if (r == 0 && *s->opts->control)
		r = control_new(&(struct control_opts){s->loop, s->opts->control, status_fill,
						       top_fill, probe_measure, s, on_policy,
						       on_record},
				&s->control);
	if (r == 0)
		r = stages_new(s);
	if (r == 0)
		r = rules_and_probes(s);
	if (r == 0) {
		pipeline_use(s->pipeline, s->probe);
		reload_begin(s->reload);
	}
	if (r == 0)
		r = loop_begin(s);
	if (r == 0) {
		r = sandbox_sensor();
		if (r < 0)
			log_error(r, "cannot give up privileges");
	}
	return r;
}

static int ready_emit(struct sensor *s)
{
	struct arena *a = pipeline_arena(s->pipeline);
	Rollcall__Event *ev = arena_alloc(a, sizeof(*ev));
	Rollcall__Ready *ready = arena_alloc(a, sizeof(*ready));
	const struct watch *watch = s->opts->watch;
	int r;

	if (!ev || !ready)
		return -ENOMEM;
	rollcall__event__init(ev);
	rollcall__ready__init(ready);
	r = probe_coverage(s->probe, a, &ready->coverage);
	ready->watch = arena_alloc(a, WATCH_TABLES_MAX * sizeof(*ready->watch));
	ready->policy = arena_strdup(a, rules_set(pipeline_rules(s->pipeline))->sha256);
	if (r < 0 || !ready->watch || !ready->policy)
		return -ENOMEM;
	for (unsigned i = 0; i < watch_count(watch); i++)
		ready->watch[ready->n_watch++] = arena_strdup(a, watch_table_name(watch, i));
	ev->time = host_boottime();
	ready->taken_over = probe_taken_over(s->probe);
	if (ready->taken_over && s->last.boottime)
		ready->unattended = s->begun - s->last.boottime;
	ready->seconds = (double)(ev->time - s->begun) / 1e9;
	ev->kind_case = ROLLCALL__EVENT__KIND_READY;
	ev->ready = ready;
	pipeline_emit(s->pipeline, ev);
	return 0;
}

/* Watched paths as they are now; who runs a new one already is marked by a look at every task. */
static int trees_sync(struct sensor *s)
{
	bool exes = false;
	int r = treewatch_sync(s->opts->trees, probe_map_watch, s->probe, &exes);
	int e = exes ? probe_iter(s->probe, "lineage__iter", NULL, NULL) : 0;

	return r < 0 ? r : e;
}

/* The supervisor's other children are guarded with it. */
static void processes_guard(struct sensor *s)
{
	uint32_t pids[2] = {(uint32_t)getpid(), (uint32_t)getppid()};
	uint32_t sensor = ROLLCALL__GUARDED__sensor;
	unsigned n = *s->opts->aggregator ? 2 : 1;

	for (unsigned i = 0; i < n; i++)
		if (probe_map_update(s->probe, "guarded_task", &pids[i], &sensor) < 0)
			log_warn(-errno, "signals to process %u are not told", pids[i]);
}

/* An earlier sensor ran here, and its probes ended with it. */
static int blind_emit(struct sensor *s)
{
	Rollcall__Event *gap;

	if (!*s->last.boot_id || probe_taken_over(s->probe))
		return 0;
	host_clock(s->host);
	gap = alive_gap(&s->last, s->host, pipeline_arena(s->pipeline));
	if (!gap)
		return -ENOMEM;
	pipeline_emit(s->pipeline, gap);
	return 0;
}

/* A failure is that of the spool's disk, which the spool tells. */
static void alive_tell(struct sensor *s, bool stopped)
{
	if (s->alive >= 0)
		alive_write(s->alive, s->host, stopped);
}

static void tree_adopt(struct sensor *s, const char *map)
{
	struct filewatch_key key, *at = NULL;
	uint32_t marks;

	while (probe_map_next(s->probe, map, at, &key) == 0) {
		at = &key;
		if (probe_map_lookup(s->probe, map, &key, &marks) == 0)
			treewatch_adopt(s->opts->trees, map, &key, marks);
	}
}

/* The probes went on without a sensor: what they know stands. */
static void take_over(struct sensor *s)
{
	int r;

	tree_adopt(s, "watched_tree");
	tree_adopt(s, "watched_exe");
	r = pipeline_take_over(s->pipeline, s->opts->spool);
	if (r < 0)
		log_warn(r, "not all that the sensor before knew and told is known");
	/* The texts of statements that it knew are asked of the server. */
	r = probe_run(s->probe, "pg_adopt__syscall");
	if (r < 0)
		log_warn(r, "statements that were prepared before are not known");
	log_info("took over the probes of a sensor that was killed");
}

/* Attach first, then learn what ran before, then drain: nothing falls between. */
static int sensor_begin(struct sensor *s)
{
	int r = probe_iter(s->probe, "exec__iter", pipeline_seed, s->pipeline);

	if (r == 0)
		r = proctab_link(s->processes);
	if (r < 0)
		log_warn(r, "processes that ran before the sensor are not known");
	if (probe_taken_over(s->probe))
		take_over(s);
	else
		r = probe_iter(s->probe, "tcp_owner__iter", NULL, NULL);
	if (r < 0)
		log_warn(r, "owners of TCP connections older than the sensor are not known");
	processes_guard(s);
	limits_reset(&s->limits);
	r = probe_map_update(s->probe, "bulk_limit", &(uint32_t){0}, &s->opts->bulk_events);
	if (r < 0)
		log_warn(r, "limits.bulk_events cannot be set");
	r = trees_sync(s);
	if (r < 0)
		log_warn(r, "not every watched path and process can be watched");
	if (treewatch_missing(s->opts->trees))
		log_warn(0, "%u watched paths are not there yet",
			 treewatch_missing(s->opts->trees));
	r = pipeline_attach(s->pipeline, s->probe);
	if (r < 0)
		return log_error(r, "cannot look for database servers in /proc");
	malloc_trim(0); /* types and programs are in the kernel now */
	r = blind_emit(s);
	if (r == 0)
		alive_tell(s, false);
	s->begun_whole = r == 0;
	return r < 0 ? r : ready_emit(s);
}

/* ---- the loop ---- */

static void failed(struct sensor *s, int r)
{
	s->result = r;
	loop_stop(s->loop);
}

static int drain(struct sensor *s)
{
	int n = probe_consume(s->probe);

	if (n < 0)
		failed(s, log_error(n, "the ring buffer cannot be read"));
	if (s->opts->print && ferror(stdout))
		failed(s, log_error(-EPIPE, "standard output is gone"));
	return n;
}

/* What is done each second is done asleep, too. */
static void timer_set(struct sensor *s)
{
	uint64_t now = host_boottime();
	uint32_t ms = s->pace.wait_ms;

	if (ms == PACE_ASLEEP)
		ms = now < s->next_tick ? (uint32_t)((s->next_tick - now) / MS) + 1 : 1;
	loop_timer_set(s->timer, ms);
}

static void on_ring(void *ctx)
{
	struct sensor *s = ctx;

	drain(s);
	if (pace_woken(&s->pace))
		timer_set(s);
}

static void each_second(struct sensor *s)
{
	pipeline_tick(s->pipeline, s->probe, 0);
	reload_tick(s->reload);
	limits_tick(&s->limits);
	trees_sync(s);
	alive_tell(s, false);
	if (host_boottime() - s->begun > SETTLED)
		probe_handover(s->probe)->takeovers = 0;
	s->next_tick = host_boottime() + SECOND;
}

/* Most records wake nobody, so the rings are looked at on a short timer while some come. */
static void on_timer(void *ctx)
{
	struct sensor *s = ctx;
	int n = drain(s);

	if (host_boottime() >= s->next_tick)
		each_second(s);
	pace_looked(&s->pace, n, probe_quiet(s->probe));
	timer_set(s);
}

static int loop_begin(struct sensor *s)
{
	s->limits = (struct limits){
		.shed.limits = {s->opts->cpu_percent, s->opts->events},
		.memory = s->opts->memory,
		.pipeline = s->pipeline,
		.probe = s->probe,
		.processes = s->processes,
	};
	s->crit = loop_woken(s->loop, probe_fd(s->probe, LANE_CRIT), on_ring, s);
	s->bulk = loop_woken(s->loop, probe_fd(s->probe, LANE_BULK), on_ring, s);
	s->timer = loop_timer(s->loop, on_timer, s);
	if (!s->crit || !s->bulk || !s->timer)
		return log_error(-ENOMEM, "cannot start");
	pace_begin(&s->pace);
	s->next_tick = host_boottime() + SECOND;
	timer_set(s);
	return 0;
}

static void sensor_fini(struct sensor *s)
{
	loop_watch_free(s->crit);
	loop_watch_free(s->bulk);
	loop_watch_free(s->timer);
	control_free(s->control);
	probe_free(s->probe);
	reload_free(s->reload);
	pipeline_free(s->pipeline);
	spool_free(s->spool);
	proctab_free(s->processes);
	filewatch_free(s->files);
	/* Last: who is told to stop by his terminal is told by the supervisor, too, and may be
	 * late. */
	loop_watch_free(s->term);
	loop_watch_free(s->quit);
	loop_watch_free(s->hup);
	loop_free(s->loop);
	closep(&s->alive);
}

/*
 * The supervisor was killed and took this process along, or something failed: another sensor will
 * come. Who is told to stop leaves nothing.
 */
static bool is_accident(const struct sensor *s, int r)
{
	return s->parent && s->begun_whole && (r < 0 || getppid() != s->parent);
}

int sensor_run(const struct options *o, struct host *host)
{
	struct sensor s = {.opts = o, .host = host, .alive = -1};
	int r;

	s.parent = *o->aggregator ? getppid() : 0;
	r = sensor_init(&s);

	if (r == 0)
		r = sensor_begin(&s);
	if (r == 0)
		r = loop_run(s.loop);
	if (r == 0 && s.result == 0) {
		drain(&s);
		pipeline_tick(s.pipeline, s.probe, 1);
		alive_tell(&s, !is_accident(&s, 0));
	}
	r = r < 0 ? r : s.result;
	if (s.probe && is_accident(&s, r))
		probe_stay(s.probe);
	sensor_fini(&s);
	return r;
}
