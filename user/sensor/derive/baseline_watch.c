// SPDX-License-Identifier: Apache-2.0
// From events to what is usual, and from what is not to FirstSeen and RowsUnusual.
#include "sensor/derive/baseline_watch.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/arena.h"
#include "lib/baseline.h"
#include "lib/baseline_file.h"
#include "lib/clean.h"
#include "lib/log.h"
#include "lib/principal.h"

#define SECOND	   1000000000ull
#define SAVE_EVERY (60 * SECOND)
#define HOURS_MIN  8	  /* past hours with rows before an hour can be unusual */
#define NORMAL	   1.4826 /* deviations of a normal distribution: its standard deviation */
#define SPREAD_MIN 0.1	  /* of the median: what never varied may vary so much */

struct baseline_watch {
	struct baseline_watch_opts opts;
	baseline_watch_emit_fn emit;
	void *ctx;
	struct baseline *baseline;
	uint64_t unreadable, unwritten, untold;
	uint64_t saved_version, saved_time;
	uint64_t now; /* seconds of the wall clock, of the event looked at */
	int lock;
	bool failing;
};

/* ---- the file ---- */

/* A file that is not whole is kept for whoever wants to know why. */
static void set_aside(struct baseline_watch *w, int r)
{
	char bad[PATH_MAX];

	w->unreadable++;
	if ((size_t)snprintf(bad, sizeof(bad), "%s.bad", w->opts.file) < sizeof(bad) &&
	    rename(w->opts.file, bad) == 0)
		log_warn(r, "the baseline '%s' cannot be used: set aside as '%s', learning anew",
			 w->opts.file, bad);
	else
		log_warn(r, "the baseline '%s' cannot be used: learning anew", w->opts.file);
}

static int file_read(struct baseline_watch *w)
{
	_cleanup_(arena_freep) struct arena *a = arena_new(64 * 1024);
	Rollcall__Baseline *m = NULL;
	int64_t r = a ? baseline_file_read(w->opts.file, a, &m) : -ENOMEM;

	if (r == -ENOENT || r == -ENOMEM)
		return r == -ENOENT ? 0 : -ENOMEM;
	if (r < 0)
		set_aside(w, (int)r);
	else
		r = baseline_take(w->baseline, m);
	return r == -ENOMEM ? -ENOMEM : 0;
}

static int file_begin(struct baseline_watch *w)
{
	w->lock = baseline_file_lock(w->opts.file);
	if (w->lock < 0) {
		log_warn(w->lock,
			 "the baseline '%s' is in use or cannot be locked: what is learnt "
			 "is not kept",
			 w->opts.file);
		w->opts.file = "";
		return 0;
	}
	return file_read(w);
}

static void file_write(struct baseline_watch *w, uint64_t now)
{
	_cleanup_(arena_freep) struct arena *a = arena_new(64 * 1024);
	uint64_t version = baseline_version(w->baseline);
	Rollcall__Baseline *m = a ? baseline_message(w->baseline, a) : NULL;
	int r = m ? baseline_file_write(w->opts.file, m) : -ENOMEM;

	if (r < 0 && !w->failing)
		log_warn(r, "the baseline '%s' cannot be written", w->opts.file);
	w->unwritten += r < 0;
	w->failing = r < 0;
	w->saved_time = now;
	if (r == 0)
		w->saved_version = version;
}

/* What `rollcall baseline` left here; it waits until the file is gone. */
static void edit_take(struct baseline_watch *w, uint64_t now)
{
	_cleanup_(arena_freep) struct arena *a = NULL;
	Rollcall__Baseline *m = NULL;
	char path[PATH_MAX];
	int64_t r;

	if ((size_t)snprintf(path, sizeof(path), "%s.edit", w->opts.file) >= sizeof(path) ||
	    access(path, F_OK) < 0)
		return;
	a = arena_new(64 * 1024);
	r = a ? baseline_file_read(path, a, &m) : -ENOMEM;
	if (r == 0)
		r = baseline_take(w->baseline, m);
	if (r < 0) {
		log_warn((int)r, "the edit '%s' of the baseline cannot be used", path);
	} else {
		log_info("the baseline was edited: %lld entries forgotten, %zu taken", (long long)r,
			 m->n_entries);
		file_write(w, now);
	}
	unlink(path);
}

void baseline_watch_tick(struct baseline_watch *w, uint64_t now, bool last)
{
	if (!*w->opts.file)
		return;
	edit_take(w, now);
	if (baseline_version(w->baseline) != w->saved_version &&
	    (last || now - w->saved_time >= SAVE_EVERY))
		file_write(w, now);
}

/* ---- events ---- */

static bool is_warm(struct baseline_watch *w, const char *of, uint64_t now)
{
	int64_t age = baseline_age(w->baseline, of, now);

	return age >= 0 && (uint64_t)age >= w->opts.warm_up;
}

static void event_emit(struct baseline_watch *w, struct arena *a, const Rollcall__Event *cause,
		       Rollcall__Event *ev)
{
	ev->time = cause->time;
	ev->process = cause->process;
	w->emit(w->ctx, a, ev);
}

static int first_emit(struct baseline_watch *w, struct arena *a, const Rollcall__Event *cause,
		      const struct baseline_key *key, Rollcall__Db *db)
{
	Rollcall__FirstSeen *m = arena_alloc(a, sizeof(*m));
	Rollcall__Event *ev = arena_alloc(a, sizeof(*ev));

	if (!m || !ev)
		return -ENOMEM;
	rollcall__first_seen__init(m);
	rollcall__event__init(ev);
	m->what = key->what;
	m->of = arena_strdup(a, key->of);
	m->by = arena_strdup(a, key->by);
	m->value = arena_strdup(a, key->value);
	m->cause = arena_strdup(a, cause->id);
	m->db = db;
	ev->kind_case = ROLLCALL__EVENT__KIND_FIRST_SEEN;
	ev->first_seen = m;
	if (!m->of || !m->by || !m->value || !m->cause)
		return -ENOMEM;
	event_emit(w, a, cause, ev);
	return 0;
}

static int see(struct baseline_watch *w, struct arena *a, const Rollcall__Event *cause,
	       const struct baseline_key *key, Rollcall__Db *db)
{
	uint64_t now = w->now;
	bool warm = is_warm(w, key->of, now);
	int r = *key->value ? baseline_see(w->baseline, key, now) : 0;

	if (r != 1 || !warm)
		return r < 0 ? r : 0;
	if (baseline_may_tell(w->baseline, key->of, now))
		return first_emit(w, a, cause, key, db);
	w->untold++;
	return 0;
}

/* The nearest watched service among the process and its ancestors. */
static const char *service_of(const struct baseline_watch *w, const Rollcall__Process *p)
{
	for (; p; p = p->parent)
		if (*p->exe && w->opts.service(w->opts.service_ctx, p->exe))
			return p->exe;
	return NULL;
}

static int on_exec(struct baseline_watch *w, struct arena *a, const Rollcall__Event *ev)
{
	const Rollcall__Process *p = ev->process;
	const char *service = p && p->parent ? service_of(w, p->parent) : NULL;
	const struct baseline_key key = {ROLLCALL__KNOWN__child, service,
					 service ? p->parent->exe : "", p ? p->exe : ""};

	return service ? see(w, a, ev, &key, NULL) : 0;
}

static int on_sent(struct baseline_watch *w, struct arena *a, const Rollcall__Event *ev,
		   const Rollcall__Endpoint *remote)
{
	const char *service = service_of(w, ev->process);
	const struct baseline_key key = {ROLLCALL__KNOWN__peer, service,
					 service ? ev->process->exe : "",
					 remote ? remote->address : ""};

	return service ? see(w, a, ev, &key, NULL) : 0;
}

static int rows_emit(struct baseline_watch *w, struct arena *a, const Rollcall__Event *cause,
		     const Rollcall__RowsUnusual *is)
{
	Rollcall__RowsUnusual *m = arena_copy(a, is, sizeof(*is));
	Rollcall__Event *ev = arena_alloc(a, sizeof(*ev));

	if (!m || !ev)
		return -ENOMEM;
	rollcall__event__init(ev);
	m->cause = arena_strdup(a, cause->id);
	ev->kind_case = ROLLCALL__EVENT__KIND_ROWS_UNUSUAL;
	ev->rows_unusual = m;
	if (!m->cause)
		return -ENOMEM;
	event_emit(w, a, cause, ev);
	return 0;
}

/* Told when an hour becomes unusual, and each time it has doubled. */
static int rows_see(struct baseline_watch *w, struct arena *a, const Rollcall__Event *ev,
		    Rollcall__Db *db, char *table, char *who)
{
	uint64_t now = w->now;
	Rollcall__RowsUnusual m;
	struct baseline_hours h;
	double spread;

	if (!db->rows)
		return 0;
	if (baseline_rows(w->baseline, table, who, db->rows, now, &h) < 0)
		return -ENOMEM;
	rollcall__rows_unusual__init(&m);
	spread = NORMAL * h.deviation > SPREAD_MIN * h.median ? NORMAL * h.deviation
							      : SPREAD_MIN * h.median;
	m.limit = (uint64_t)(h.median + w->opts.rows_factor * spread);
	if (m.limit < w->opts.rows_min)
		m.limit = w->opts.rows_min;
	if (!w->opts.rows_factor || h.n < HOURS_MIN || h.rows <= m.limit || h.rows < 2 * h.told ||
	    !is_warm(w, table, now))
		return 0;
	baseline_rows_told(w->baseline, table, who, h.rows);
	m.db = db;
	m.principal = who;
	m.table = table;
	m.rows = h.rows;
	m.median = h.median;
	m.deviation = h.deviation;
	m.hours = h.n;
	return rows_emit(w, a, ev, &m);
}

static int on_result(struct baseline_watch *w, struct arena *a, const Rollcall__Event *ev,
		     Rollcall__Db *db)
{
	char *who = db->n_tables ? principal_of(a, db) : NULL;
	int r = db->n_tables && !who ? -ENOMEM : 0;

	for (size_t i = 0; i < db->n_tables && r == 0; i++) {
		const struct baseline_key by = {ROLLCALL__KNOWN__principal, db->tables[i], "", who};
		const struct baseline_key shape = {ROLLCALL__KNOWN__statement, db->tables[i], "",
						   db->fingerprint};

		r = see(w, a, ev, &by, db);
		if (r == 0)
			r = see(w, a, ev, &shape, db);
		if (r == 0)
			r = rows_see(w, a, ev, db, db->tables[i], who);
	}
	return r;
}

int baseline_watch_event(struct baseline_watch *w, struct arena *a, const Rollcall__Event *ev,
			 uint64_t realtime)
{
	w->now = realtime / SECOND;
	switch (ev->kind_case) {
	case ROLLCALL__EVENT__KIND_EXEC:
		return on_exec(w, a, ev);
	case ROLLCALL__EVENT__KIND_TCP_CONNECT:
		return on_sent(w, a, ev, ev->tcp_connect->remote);
	case ROLLCALL__EVENT__KIND_UDP_SEND:
		return on_sent(w, a, ev, ev->udp_send->remote);
	case ROLLCALL__EVENT__KIND_DB_RESULT:
		return on_result(w, a, ev, ev->db_result->db);
	default:
		return 0;
	}
}

/* ---- life ---- */

struct baseline_watch_loss baseline_watch_loss(const struct baseline_watch *w, unsigned i)
{
	const struct baseline_watch_loss losses[BASELINE_WATCH_LOSSES] = {
		{"table full", baseline_evicted(w->baseline)},
		{"the file was bad: set aside", w->unreadable},
		{"cannot be written", w->unwritten},
		{"too much that is new: not told", w->untold},
	};

	return losses[i];
}

int baseline_watch_new(const struct baseline_watch_opts *opts, baseline_watch_emit_fn emit,
		       void *ctx, struct baseline_watch **ret_watch)
{
	struct baseline_watch *w = calloc(1, sizeof(*w));
	int r = 0;

	if (!w)
		return log_error(-ENOMEM, "cannot start");
	w->opts = *opts;
	w->emit = emit;
	w->ctx = ctx;
	w->lock = -1;
	w->baseline = baseline_new(opts->max);
	if (!w->baseline)
		r = -ENOMEM;
	else if (*opts->file)
		r = file_begin(w);
	if (r < 0) {
		baseline_watch_free(w);
		return log_error(r, "cannot start");
	}
	w->saved_version = baseline_version(w->baseline);
	*ret_watch = w;
	return 0;
}

struct baseline_watch *baseline_watch_free(struct baseline_watch *w)
{
	if (w) {
		baseline_free(w->baseline);
		closep(&w->lock);
	}
	free(w);
	return NULL;
}
