// SPDX-License-Identifier: Apache-2.0
// The sensor's core: decode, enrich, derive, judge, keep, show. Reads like DESIGN.md section 2.
// Does no I/O of its own but writing events out.
#include "sensor/pipeline.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/clean.h"
#include "lib/dns.h"
#include "lib/endpoint.h"
#include "lib/event.h"
#include "lib/event_id.h"
#include "lib/log.h"
#include "lib/magic.h"
#include "lib/mask.h"
#include "lib/record.h"
#include "lib/segment.h"
#include "lib/spool.h"
#include "sensor/derive/class.h"
#include "sensor/derive/session.h"
#include "sensor/derive/staged.h"
#include "sensor/derive/summary.h"
#include "sensor/discover.h"
#include "sensor/filewatch.h"
#include "sensor/host.h"
#include "sensor/hostnames.h"
#include "sensor/keep.h"
#include "sensor/lineages.h"
#include "sensor/losses.h"
#include "sensor/probe.h"
#include "sensor/proctab.h"
#include "sensor/quiet.h"
#include "sensor/relations.h"
#include "sensor/rules.h"
#include "sensor/takeover.h"
#include "sensor/throttle.h"
#include "sensor/throttled.h"
#include "sensor/watch.h"

#define SECOND 1000000000ull
#define MINUTE (60 * SECOND)

struct pipeline {
	struct pipeline_opts opts;
	struct arena *arena; /* of the record being handled */
	struct lineages *lineages;
	struct sessions *sessions;
	struct findings *findings;
	struct staged *staged;
	struct baseline_watch *baseline;
	struct rules *rules;
	struct summary *summary;
	struct hostnames *hostnames;
	struct probe *probe;
	bool attached; /* to the servers that run, and those that will */
	struct takeover takeover;
	struct keep keep;
	uint64_t undecoded; /* records */
	struct losses losses;
	struct pipeline_counts counts;
	uint64_t summary_time;
	unsigned relations_told, relations_seen; /* object ids: in the kernel; of those known */
	struct throttles throttles;
	uint64_t files_time; /* of the last look at the watched files; 0: look at once */
};

/* ---- keep and show ---- */

static void event_tell(struct pipeline *p, Rollcall__Event *ev, uint32_t class)
{
	keep_event(&p->keep, p->arena, ev, class);
	p->counts.classes[class]++;
	p->counts.events++;
	p->counts.findings += ev->kind_case == ROLLCALL__EVENT__KIND_FINDING && !*ev->finding->mode;
	if (p->opts.json) {
		event_json(p->opts.json, ev);
		fputc('\n', p->opts.json);
	}
	if (p->opts.tap)
		p->opts.tap(p->opts.tap_ctx, ev);
}

/* What is kept and shown has the wall clock, which may be set; what is decided, the boot's. */
static void event_out(struct pipeline *p, Rollcall__Event *ev)
{
	uint32_t class = class_of(&p->opts.thresholds, ev);
	uint64_t boottime = ev->time, seq;
	bool told = takeover_told(&p->takeover, ev, class, &seq);

	ev->host = p->opts.host->name;
	ev->time = host_realtime(p->opts.host, boottime);
	if (!told)
		event_tell(p, ev, class);
	else if (seq)
		ev->id = event_id(p->arena, p->opts.host->boot_id, segment_class(class), seq);
	rules_event(p->rules, p->arena, ev, boottime);
	ev->time = boottime;
}

/* All of its times are those of the boot, until here. */
static void finding_out(void *ctx, struct arena *a, Rollcall__Event *ev)
{
	struct pipeline *p = ctx;
	Rollcall__Finding *m = ev->finding;

	(void)a;
	m->first_seen = host_realtime(p->opts.host, m->first_seen);
	m->last_seen = host_realtime(p->opts.host, m->last_seen);
	event_out(p, ev);
}

/* The sensor's own detections: the policy may know better. */
static void judged(void *ctx, struct arena *a, Rollcall__Event *ev)
{
	struct pipeline *p = ctx;
	uint64_t boottime = ev->time;
	bool admitted;

	ev->time = host_realtime(p->opts.host, boottime);
	admitted = rules_admit(p->rules, a, ev, boottime);
	ev->time = boottime;
	if (admitted)
		finding_out(p, a, ev);
}

/* ---- derive and judge ---- */

/* What the sensor before read, it learnt from. */
static void learn(struct pipeline *p, struct arena *a, Rollcall__Event *ev)
{
	if (!p->takeover.again)
		baseline_watch_event(p->baseline, a, ev, host_realtime(p->opts.host, ev->time));
}

/* A result of no watched table is not told, but the rules see it, and who records. */
static bool unwatched(struct pipeline *p, struct arena *a, Rollcall__Event *ev,
		      const Rollcall__Db *db)
{
	uint64_t boottime = ev->time;
	bool seen;

	if (ev->kind_case == ROLLCALL__EVENT__KIND_DB_RESULT &&
	    !takeover_summed(&p->takeover, boottime))
		summary_add(p->summary, db, 1);
	ev->host = p->opts.host->name;
	ev->time = host_realtime(p->opts.host, boottime);
	seen = p->opts.tap && !p->takeover.again && p->opts.tap(p->opts.tap_ctx, ev);
	seen |= rules_event(p->rules, a, ev, boottime) || p->takeover.again;
	ev->time = boottime;
	return seen;
}

static bool derived(void *ctx, struct arena *a, Rollcall__Event *ev)
{
	struct pipeline *p = ctx;
	const Rollcall__Db *db = summary_of(ev);
	bool seen = !db || unwatched(p, a, ev, db);

	if (!db)
		event_out(p, ev);
	findings_event(p->findings, a, ev);
	staged_event(p->staged, a, ev);
	learn(p, a, ev);
	return seen;
}

static void unremarkable(void *ctx, const struct quiet_like *like, const Rollcall__Db *db)
{
	struct pipeline *p = ctx;

	if (p->probe)
		quiet_verdict(p->probe, like, db);
}

static void counted(void *ctx, uint64_t time, const Rollcall__Db *db, uint64_t results)
{
	struct pipeline *p = ctx;

	if (!takeover_summed(&p->takeover, time))
		summary_add(p->summary, db, results);
}

void pipeline_see_all(void *ctx)
{
	struct pipeline *p = ctx;

	if (p->probe)
		quiet_begin(p->probe);
}

static void derived_out(void *ctx, struct arena *a, Rollcall__Event *ev)
{
	(void)a;
	event_out(ctx, ev);
}

/* ---- enrich ---- */

static Rollcall__Process *process_of(void *ctx, struct arena *a, uint32_t tgid, uint64_t time,
				     struct principal *who)
{
	struct pipeline *p = ctx;
	Rollcall__Process *m = lineages_find(p->lineages, a, tgid, time);

	if (m) {
		snprintf(who->exe, sizeof(who->exe), "%s", m->exe);
		snprintf(who->os_user, sizeof(who->os_user), "%s", m->user);
	}
	return m;
}

static void process_event(struct pipeline *p, Rollcall__Event *ev, uint32_t tgid)
{
	ev->process = lineages_find(p->lineages, p->arena, tgid, ev->time);
	event_out(p, ev);
	staged_event(p->staged, p->arena, ev);
	learn(p, p->arena, ev);
}

static int relation_set(void *ctx, uint32_t oid, const struct pg_relation *r)
{
	return probe_map_update(ctx, "pg_relations", &oid, r);
}

/* A rewritten table's new files have names that only the server knows. */
static void file_gone(struct pipeline *p, const char *table)
{
	Rollcall__Event *ev = probe_files_gone(p->probe, p->arena, host_boottime(), table);

	log_warn(0, "%s: a file of it is gone: run rollcall setup database and start again", table);
	if (ev)
		event_out(p, ev);
}

/* Files change under a watched table: after DDL, when a server starts, as a table grows. */
static void files_sync(struct pipeline *p, uint64_t now)
{
	int r;

	if (!p->opts.files || !p->attached)
		return;
	p->files_time = now;
	r = filewatch_sync(p->opts.files, probe_map_watch, p->probe);
	if (r < 0)
		log_warn(r, "not every file of the watched tables can be watched");
	for (uint64_t gone = filewatch_lost(p->opts.files); gone; gone &= gone - 1)
		file_gone(p, watch_table_name(p->opts.watch, (unsigned)__builtin_ctzll(gone)));
}

static void server_attach(void *ctx, enum probe_system system, int pid)
{
	struct pipeline *p = ctx;
	int r = probe_attach_server(p->probe, system, pid);
	uint32_t tgid = (uint32_t)pid, database = ROLLCALL__GUARDED__database;

	if (r >= 0)
		probe_map_update(p->probe, "guarded_task", &tgid, &database);

	if (p->opts.files) {
		filewatch_server(p->opts.files,
				 system == PROBE_POSTGRESQL ? ROLLCALL__SYSTEM__postgresql
							    : ROLLCALL__SYSTEM__mariadb,
				 pid);
		files_sync(p, host_boottime());
	}
	if (r == 0)
		log_info("database server attached: process %d", pid);
}

static void exec_mask(Rollcall__Exec *e)
{
	mask_args((char *)e->args.data, e->args.len);
	mask_args((char *)e->env.data, e->env.len);
}

static void on_exec(struct pipeline *p, Rollcall__Event *ev)
{
	enum probe_system system;

	exec_mask(ev->exec);
	ev->exec->exe_age = host_age(p->opts.host, ev->time, ev->exec->exe_ctime);
	proctab_exec(p->opts.processes, ev->time, ev->exec);
	process_event(p, ev, ev->exec->task->tgid);
	if (p->attached && discover_system(ev->exec->exe, &system) == 0)
		server_attach(p, system, (int)ev->exec->task->tgid);
}

/* Names the tables that the file holds. */
static void on_file_read(struct pipeline *p, Rollcall__Event *ev)
{
	char *tables = p->opts.files
			       ? filewatch_tables(p->opts.files, p->arena, ev->file_read->inode)
			       : NULL;

	if (tables)
		ev->file_read->tables = tables;
	process_event(p, ev, ev->file_read->task->tgid);
	findings_event(p->findings, p->arena, ev);
}

static void handle(struct pipeline *p, Rollcall__Event *ev)
{
	const Rollcall__Task *task = event_task(ev);

	/* Any may be the first after its process changed its user; these two bring it themselves.
	 */
	if (task && ev->kind_case != ROLLCALL__EVENT__KIND_EXEC &&
	    ev->kind_case != ROLLCALL__EVENT__KIND_FORK)
		proctab_seen(p->opts.processes, task);
	switch (ev->kind_case) {
	case ROLLCALL__EVENT__KIND_EXEC:
		on_exec(p, ev);
		break;
	case ROLLCALL__EVENT__KIND_FORK:
		proctab_fork(p->opts.processes, ev->time, ev->fork);
		/* Who executes nothing else is of interest below a watched program only. */
		if (ev->fork->lineage)
			process_event(p, ev, ev->fork->task->tgid);
		break;
	case ROLLCALL__EVENT__KIND_EXIT:
		process_event(p, ev, ev->exit->task->tgid);
		proctab_exit(p->opts.processes, ev->time, ev->exit);
		break;
	case ROLLCALL__EVENT__KIND_FILE_READ:
		on_file_read(p, ev);
		break;
	case ROLLCALL__EVENT__KIND_THROTTLE:
		throttle_began(&p->throttles, ev->throttle->session, ev->throttle->limit);
		process_event(p, ev, task->tgid);
		break;
	case ROLLCALL__EVENT__KIND_DB_CONN:
	case ROLLCALL__EVENT__KIND_DB_COMMAND:
	case ROLLCALL__EVENT__KIND_DB_COLUMNS:
	case ROLLCALL__EVENT__KIND_DB_END:
	case ROLLCALL__EVENT__KIND_DB_READS:
	case ROLLCALL__EVENT__KIND_DB_QUIET:
	case ROLLCALL__EVENT__KIND_DB_PARAMETER:
	case ROLLCALL__EVENT__KIND_DB_CLOSE:
		sessions_record(p->sessions, p->arena, ev);
		break;
	default:
		if (task)
			process_event(p, ev, task->tgid);
	}
}

static void event_done(struct pipeline *p)
{
	arena_reset(p->arena);
	lineages_next(p->lineages);
}

/* At once: what reads a table by a function or view is known by nothing else. */
static void relations_tell(struct pipeline *p)
{
	unsigned n = watch_oids(p->opts.watch);

	if (n != p->relations_seen && p->probe)
		relations_sync(p->opts.watch, &p->relations_told, relation_set, p->probe);
	p->relations_seen = n;
}

void pipeline_record(void *ctx, const void *record, size_t size)
{
	struct pipeline *p = ctx;
	Rollcall__Event *ev;
	unsigned truncated = 0;

	if (record_decode(p->arena, record, size, &ev, &truncated) < 0 ||
	    endpoint_fill(p->arena, ev) < 0 ||
	    (ev->kind_case == ROLLCALL__EVENT__KIND_DNS && dns_fill(p->arena, ev->dns) < 0) ||
	    (ev->kind_case == ROLLCALL__EVENT__KIND_FILE_WRITE &&
	     magic_fill(p->arena, ev->file_write) < 0))
		p->undecoded++;
	else {
		hostnames_event(p->hostnames, p->arena, ev);
		handle(p, ev);
	}
	if (truncated && p->probe && !p->takeover.again)
		probe_truncated(p->probe, record, truncated);
	relations_tell(p);
	event_done(p);
}

void pipeline_seed(void *ctx, const void *record, size_t size)
{
	struct pipeline *p = ctx;
	Rollcall__Event *ev;
	unsigned truncated;

	if (record_decode(p->arena, record, size, &ev, &truncated) == 0 &&
	    ev->kind_case == ROLLCALL__EVENT__KIND_EXEC) {
		exec_mask(ev->exec);
		proctab_exec(p->opts.processes, ev->time, ev->exec);
	}
	event_done(p);
}

/* ---- what no record made ---- */

void pipeline_emit(struct pipeline *p, Rollcall__Event *ev)
{
	if (ev->kind_case == ROLLCALL__EVENT__KIND_GAP) {
		findings_gap(p->findings, ev->time);
		rules_gap(p->rules, ev->time);
	}
	event_out(p, ev);
	pipeline_flush(p);
	event_done(p);
}

struct rules *pipeline_rules(struct pipeline *p)
{
	return p->rules;
}

struct arena *pipeline_arena(struct pipeline *p)
{
	return p->arena;
}

static void gap_out(void *ctx, Rollcall__Event *gap)
{
	pipeline_emit(ctx, gap);
}

static void losses(struct pipeline *p, struct probe *probe)
{
	const struct losses_sources sources = {
		.probe = probe,
		.sessions = p->sessions,
		.processes = p->opts.processes,
		.rules = p->rules,
		.baseline = p->baseline,
		.spool = p->opts.spool,
		.undecoded = p->undecoded,
		.unkept = p->keep.lost,
	};

	losses_tell(&p->losses, &sources, p->arena, gap_out, p);
}

void pipeline_tick(struct pipeline *p, struct probe *probe, int last)
{
	uint64_t now = host_boottime();

	takeover_tick(&p->takeover);
	throttled_tell(&p->throttles, probe, p->arena, derived_out, p);
	relations_sync(p->opts.watch, &p->relations_told, relation_set, probe);
	if (watch_take_stale(p->opts.watch) || now - p->files_time >= MINUTE)
		files_sync(p, now);
	if (!p->summary_time)
		p->summary_time = now;
	if (last || now - p->summary_time >= MINUTE) {
		quiet_collect(probe);
		probe_consume(probe);
		summary_flush(p->summary, p->arena, now, derived_out, p);
		p->summary_time = now;
		takeover_sums(&p->takeover, now);
	}
	rules_time(p->rules, p->arena, now);
	baseline_watch_tick(p->baseline, now, last);
	proctab_expire(p->opts.processes, now);
	keep_tick(&p->keep);
	losses(p, probe);
	pipeline_flush(p);
	if (last && p->opts.spool)
		spool_sync(p->opts.spool);
	event_done(p);
}

void pipeline_flush(void *ctx)
{
	struct pipeline *p = ctx;

	/* A failure is counted, told by the tick. */
	if (p->opts.spool)
		spool_flush(p->opts.spool);
	if (p->opts.json)
		fflush(p->opts.json);
}

void pipeline_flushed(void *ctx)
{
	takeover_flushed(&((struct pipeline *)ctx)->takeover);
}

void pipeline_counts(const struct pipeline *p, struct pipeline_counts *ret_counts)
{
	struct sessions_counts sessions;

	sessions_counts(p->sessions, &sessions);
	*ret_counts = p->counts;
	ret_counts->sessions = sessions.open;
}

static void session_noted(void *ctx, uint64_t conn, const struct session_note *note)
{
	struct pipeline *p = ctx;

	takeover_note(&p->takeover, conn, note);
}

void pipeline_use(struct pipeline *p, struct probe *probe)
{
	p->probe = p->takeover.probe = probe;
}

int pipeline_take_over(struct pipeline *p, const char *spool)
{
	return takeover_begin(&p->takeover, spool, p->sessions, pipeline_record, p);
}

int pipeline_attach(struct pipeline *p, struct probe *probe)
{
	int r;

	p->attached = true;
	pipeline_see_all(p);
	takeover_clock(&p->takeover);
	relations_sync(p->opts.watch, &p->relations_told, relation_set, probe);
	r = discover_running(server_attach, p);
	probe_servers_attached(probe);
	files_sync(p, host_boottime());
	return r;
}

int pipeline_new(const struct pipeline_opts *opts, struct pipeline **ret_pipeline)
{
	_cleanup_(pipeline_freep) struct pipeline *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return log_error(-ENOMEM, "cannot start");
	p->opts = *opts;
	p->takeover = (struct takeover){.spool = opts->spool, .host = opts->host};
	p->arena = arena_new(64 * 1024);
	p->sessions = sessions_new(&(struct sessions_opts){
		.max = opts->sessions_max,
		.watch = opts->watch,
		.process = process_of,
		.note = session_noted,
		.emit = derived,
		.unremarkable = unremarkable,
		.renamed = pipeline_see_all,
		.counted = counted,
		.ctx = p,
	});
	p->findings = findings_new(
		&(struct findings_opts){opts->thresholds, opts->principals_max, judged, p});
	p->staged = staged_new(&(struct staged_opts){opts->thresholds.result_rows, judged, p});
	p->summary = summary_new(opts->principals_max);
	p->hostnames = hostnames_new();
	p->lineages = lineages_new(opts->processes);
	r = keep_init(&p->keep, opts->spool, p->lineages, opts->host->boot_id);
	p->rules = rules_new(&(struct rules_opts){opts->rules, finding_out, p, opts->placeholders});
	if (r < 0 || !p->arena || !p->lineages || !p->sessions || !p->findings || !p->staged ||
	    !p->summary || !p->hostnames || !p->rules)
		return log_error(-ENOMEM, "cannot start");
	r = baseline_watch_new(&opts->baseline, derived_out, p, &p->baseline);
	if (r < 0)
		return r;
	*ret_pipeline = take_ptr(p);
	return 0;
}

struct pipeline *pipeline_free(struct pipeline *p)
{
	if (!p)
		return NULL;
	lineages_free(p->lineages);
	keep_fini(&p->keep);
	takeover_fini(&p->takeover);
	sessions_free(p->sessions);
	findings_free(p->findings);
	staged_free(p->staged);
	baseline_watch_free(p->baseline);
	rules_free(p->rules);
	summary_free(p->summary);
	hostnames_free(p->hostnames);
	arena_free(p->arena);
	free(p);
	return NULL;
}

void pipeline_freep(struct pipeline **p)
{
	*p = pipeline_free(*p);
}
