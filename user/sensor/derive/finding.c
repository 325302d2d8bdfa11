// SPDX-License-Identifier: Apache-2.0
// Findings. One struct per principal holds its sums and its open findings; a finding is emitted
// when a threshold is crossed and updated as it grows, under the same id.
#include "sensor/derive/finding.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/principal.h"
#include "sensor/derive/rule.h"
#include "sensor/derive/sum.h"

#define BUCKETS	     1024
#define EVIDENCE_MAX 32
#define TABLES_MAX   8 /* named in one finding */
#define MINUTE	     (60 * 1000000000ull)

enum rule_id {
	RULE_RESULT,
	RULE_10M,
	RULE_1H,
	RULE_24H,
	RULE_7D,
	RULE_FIRST_SEEN,
	RULE_SERVER_COPY,
	RULE_LARGE_ROW,
	RULE_PAGE_COVERAGE,
	RULE_SIDE_CHANNEL,
	RULE_REPLICATION,
	RULE_PHYSICAL,
	RULES,
};

/* T1213.006 Databases, T1119 Automated Collection, T1074.001
 * Local Data Staging, T1005 Data from Local System, T1020 Automated Exfiltration. */
static const struct rule rules[RULES] = {
	[RULE_RESULT] = {"rollcall-db-bulk-read",
			 "Bulk read of a watched table in one result",
			 "high",
			 {"T1213.006", "T1119"},
			 "result"},
	[RULE_10M] = {"rollcall-db-bulk-read-10m",
		      "Many rows of a watched table in 10 minutes",
		      "high",
		      {"T1213.006", "T1119"},
		      "10m"},
	[RULE_1H] = {"rollcall-db-bulk-read-1h",
		     "Many rows of a watched table in one hour",
		     "high",
		     {"T1213.006", "T1119"},
		     "1h"},
	[RULE_24H] = {"rollcall-db-bulk-read-24h",
		      "Many rows of a watched table in one day",
		      "medium",
		      {"T1213.006"},
		      "24h"},
	[RULE_7D] = {"rollcall-db-bulk-read-7d",
		     "Many rows of a watched table in one week",
		     "medium",
		     {"T1213.006"},
		     "7d"},
	[RULE_FIRST_SEEN] = {"rollcall-db-first-seen-principal",
			     "First read of a watched table by this principal",
			     "medium",
			     {"T1213.006"},
			     "result"},
	[RULE_SERVER_COPY] = {"rollcall-db-server-side-copy",
			      "A watched table was copied inside the server",
			      "high",
			      {"T1213.006", "T1074.001"},
			      "result"},
	[RULE_LARGE_ROW] = {"rollcall-db-large-row",
			    "One row of a watched table is as large as many",
			    "high",
			    {"T1213.006"},
			    "result"},
	[RULE_PAGE_COVERAGE] = {"rollcall-db-page-coverage",
				"Much of a watched table was read into few large rows",
				"high",
				{"T1213.006"},
				"result"},
	[RULE_SIDE_CHANNEL] = {"rollcall-db-side-channel",
			       "Data left in notices, errors or notifications",
			       "high",
			       {"T1213.006"},
			       "result"},
	[RULE_REPLICATION] = {"rollcall-db-replication",
			      "The database was copied by its replication protocol",
			      "high",
			      {"T1213.006", "T1020"},
			      "result"},
	[RULE_PHYSICAL] = {"rollcall-db-physical-read",
			   "A program other than the server opened a watched table's file",
			   "high",
			   {"T1005", "T1213.006"},
			   "result"},
};

static const struct {
	enum rule_id rule;
	uint64_t span;
} windows[WINDOWS] = {
	[WINDOW_10M] = {RULE_10M, 10 * MINUTE},
	[WINDOW_1H] = {RULE_1H, 60 * MINUTE},
	[WINDOW_24H] = {RULE_24H, 1440 * MINUTE},
	[WINDOW_7D] = {RULE_7D, 10080 * MINUTE},
};

/* A finding that may still grow. */
struct open {
	uint64_t number; /* 0: none */
	uint64_t rows, bytes;
	uint64_t rows_max;	   /* when rows do not tell how many people they are of */
	uint64_t told;		   /* rows when it was last emitted */
	uint64_t base, base_bytes; /* of results that are complete */
	uint64_t first, last;
	bool lower_bound;
	bool streamed; /* told while its result was still streaming */
	char session[24];
	unsigned n_tables;
	char tables[TABLES_MAX][128];
	unsigned n_evidence;
	char evidence[EVIDENCE_MAX][48];
};

struct principal_state {
	struct principal_state *next; /* in its bucket */
	char *name;
	uint64_t last;
	uint64_t rows;	  /* of watched tables, ever */
	uint64_t inexact; /* when it last had rows in the sums that were not counted exactly */
	struct sum sums[WINDOWS];
	struct open open[RULES];
};

struct findings {
	struct findings_opts opts;
	struct principal_state *buckets[BUCKETS];
	uint32_t n;
	uint64_t evicted;
	uint64_t number;
	uint64_t gap_time;
};

struct findings *findings_new(const struct findings_opts *opts)
{
	struct findings *f = calloc(1, sizeof(*f));

	if (f)
		f->opts = *opts;
	return f;
}

static void state_free(struct principal_state *p)
{
	free(p->name);
	free(p);
}

struct findings *findings_free(struct findings *f)
{
	for (unsigned i = 0; f && i < BUCKETS; i++) {
		while (f->buckets[i]) {
			struct principal_state *p = f->buckets[i];

			f->buckets[i] = p->next;
			state_free(p);
		}
	}
	free(f);
	return NULL;
}

void findings_freep(struct findings **f)
{
	*f = findings_free(*f);
}

void findings_gap(struct findings *f, uint64_t time)
{
	f->gap_time = time;
}

static unsigned bucket_of(const char *name)
{
	uint32_t h = 2166136261u;

	for (; *name; name++)
		h = (h ^ (unsigned char)*name) * 16777619u;
	return h % BUCKETS;
}

/* The principal that was quiet longest makes room. */
static void state_evict(struct findings *f)
{
	struct principal_state **oldest = NULL;

	for (unsigned i = 0; i < BUCKETS; i++)
		for (struct principal_state **p = &f->buckets[i]; *p; p = &(*p)->next)
			if (!oldest || (*p)->last < (*oldest)->last)
				oldest = p;
	if (oldest) {
		struct principal_state *gone = *oldest;

		*oldest = gone->next;
		state_free(gone);
		f->n--;
		f->evicted++;
	}
}

static struct principal_state *state_get(struct findings *f, const char *name)
{
	struct principal_state **p = &f->buckets[bucket_of(name)], *fresh;

	while (*p && strcmp((*p)->name, name) != 0)
		p = &(*p)->next;
	if (*p)
		return *p;
	fresh = calloc(1, sizeof(*fresh));
	if (!fresh)
		return NULL;
	fresh->name = strdup(name);
	if (!fresh->name) {
		free(fresh);
		return NULL;
	}
	for (unsigned i = 0; i < WINDOWS; i++)
		sum_init(&fresh->sums[i], windows[i].span);
	if (f->n >= f->opts.principals_max)
		state_evict(f);
	p = &f->buckets[bucket_of(name)];
	fresh->next = *p;
	*p = fresh;
	f->n++;
	return fresh;
}

static int finding_fill(struct findings *f, struct arena *a, Rollcall__Finding *m,
			enum rule_id rule, const struct open *o, const char *status,
			const char *principal)
{
	m->rule = rule_message(a, &rules[rule]);
	m->id = arena_printf(a, "f-%llu-%llu", (unsigned long long)o->first,
			     (unsigned long long)o->number);
	m->principal = arena_strdup(a, principal);
	m->status = arena_strdup(a, status);
	m->window = arena_strdup(a, rules[rule].window);
	m->evidence = arena_alloc(a, EVIDENCE_MAX * sizeof(*m->evidence));
	if (!m->rule || !m->id || !m->principal || !m->status || !m->window || !m->evidence)
		return -ENOMEM;
	for (unsigned i = 0; i < o->n_evidence; i++)
		m->evidence[m->n_evidence++] = arena_strdup(a, o->evidence[i]);
	m->rows = o->rows;
	m->rows_min = o->rows;
	m->rows_max = o->rows_max ? o->rows_max : o->lower_bound ? 0 : o->rows;
	m->bytes = o->bytes;
	m->first_seen = o->first;
	m->last_seen = o->last;
	m->gap = f->gap_time && f->gap_time + MINUTE > o->first;
	return 0;
}

/* The tables of a finding are those of all its results. */
static void open_tables(struct open *o, char *const *tables, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned k = 0;

		while (k < o->n_tables && strcmp(o->tables[k], tables[i]) != 0)
			k++;
		if (k == o->n_tables && k < TABLES_MAX)
			snprintf(o->tables[o->n_tables++], sizeof(o->tables[0]), "%s", tables[i]);
	}
}

/* `ev`: the event that made it, for its process and its time. */
static int finding_emit(struct findings *f, struct arena *a, const Rollcall__Event *ev,
			Rollcall__Db *db, const char *principal, enum rule_id rule, struct open *o,
			const char *status)
{
	Rollcall__Finding *m = arena_alloc(a, sizeof(*m));
	Rollcall__Event *out = arena_alloc(a, sizeof(*out));

	if (!m || !out)
		return -ENOMEM;
	rollcall__finding__init(m);
	rollcall__event__init(out);
	if (finding_fill(f, a, m, rule, o, status, principal) < 0)
		return -ENOMEM;
	m->db = db;
	if (db)
		open_tables(o, db->tables, db->n_tables);
	else if (ev->kind_case == ROLLCALL__EVENT__KIND_FILE_READ && *ev->file_read->tables)
		open_tables(o, &ev->file_read->tables, 1);
	m->tables = arena_alloc(a, TABLES_MAX * sizeof(*m->tables));
	for (unsigned i = 0; m->tables && i < o->n_tables; i++)
		m->tables[m->n_tables++] = arena_strdup(a, o->tables[i]);
	out->time = ev->time;
	out->process = ev->process;
	out->kind_case = ROLLCALL__EVENT__KIND_FINDING;
	out->finding = m;
	o->told = o->rows;
	f->opts.emit(f->opts.ctx, a, out);
	return 0;
}

static void open_evidence(struct open *o, const char *id)
{
	if (!id || !*id || o->n_evidence == EVIDENCE_MAX)
		return;
	snprintf(o->evidence[o->n_evidence++], sizeof(o->evidence[0]), "%s", id);
}

static void open_begin(struct findings *f, struct open *o, uint64_t time)
{
	memset(o, 0, sizeof(*o));
	o->number = ++f->number;
	o->first = time;
}

/* Rows that were read, but no more than the table has when all its pages were. */
static uint64_t people_max(const Rollcall__Db *db)
{
	return db->page_coverage >= 1 && db->page_rows < db->rows_read ? db->page_rows
								       : db->rows_read;
}

/*
 * A rule about one result. Raised while the result streams and completed at its end; further
 * results of the session grow the same finding, told each time it has doubled and when the
 * session ends: a cursor that fetches in large slices is one finding.
 */
static int result_finding(struct findings *f, struct arena *a, const Rollcall__Event *ev,
			  Rollcall__Db *db, struct principal_state *p, enum rule_id rule)
{
	bool streaming = ev->kind_case == ROLLCALL__EVENT__KIND_DB_PROGRESS, completes, tell;
	struct open *o = &p->open[rule];
	bool again = o->number && strcmp(o->session, db->session) == 0 &&
		     ev->time < o->last + 10 * MINUTE;

	if (!again) {
		open_begin(f, o, ev->time - (db->duration < ev->time ? db->duration : 0));
		snprintf(o->session, sizeof(o->session), "%s", db->session);
	}
	o->rows = o->base + db->rows;
	o->bytes = o->base_bytes + db->bytes;
	o->lower_bound = streaming || db->confidence != ROLLCALL__CONFIDENCE__exact;
	if (db->confidence == ROLLCALL__CONFIDENCE__coverage_only && people_max(db) > o->rows_max)
		o->rows_max = people_max(db);
	o->last = ev->time;
	completes = !streaming && o->streamed;
	tell = !again || completes || o->rows >= 2 * o->told;
	o->streamed = streaming;
	if (!streaming) {
		o->base = o->rows;
		o->base_bytes = o->bytes;
	}
	if (!tell)
		return 0;
	open_evidence(o, ev->id);
	return finding_emit(f, a, ev, db, p->name, rule, o,
			    !again	? "new"
			    : completes ? "ended"
					: "updated");
}

static bool over_result(const struct finding_thresholds *t, const Rollcall__Db *db)
{
	/* Rows that could not be counted are judged by their bytes. */
	if (db->confidence == ROLLCALL__CONFIDENCE__bytes_only)
		return t->row_bytes && db->bytes >= t->row_bytes;
	return t->result_rows && db->rows >= t->result_rows &&
	       (db->fraction <= 0 || db->fraction >= t->result_fraction);
}

/* Rules about one result, in order of interest. */
static bool rule_applies(const struct findings *f, const struct principal_state *p,
			 const Rollcall__Db *db, enum rule_id rule)
{
	const struct finding_thresholds *t = &f->opts.thresholds;

	switch (rule) {
	case RULE_RESULT:
		return over_result(t, db) && !db->server_side;
	case RULE_SERVER_COPY:
		return t->server_copy && db->server_side;
	case RULE_LARGE_ROW:
		return t->row_bytes && db->max_row >= t->row_bytes;
	case RULE_PAGE_COVERAGE:
		return t->page_coverage > 0 && db->read_fraction >= t->page_coverage &&
		       db->confidence == ROLLCALL__CONFIDENCE__coverage_only;
	case RULE_FIRST_SEEN:
		return t->first_seen_rows && !p->rows && db->rows > t->first_seen_rows &&
		       !over_result(t, db);
	default:
		return false;
	}
}

static int window_finding(struct findings *f, struct arena *a, const Rollcall__Event *ev,
			  Rollcall__Db *db, struct principal_state *p, enum finding_window w)
{
	uint64_t threshold = f->opts.thresholds.window_rows[w];
	struct open *o = &p->open[windows[w].rule];
	struct sum *sum = &p->sums[w];
	uint64_t total;

	if (o->number && ev->time > o->last + windows[w].span)
		o->number = 0;
	sum_add(sum, ev->time, db->rows);
	if (o->number) {
		o->rows += db->rows;
		o->bytes += db->bytes;
		o->last = ev->time;
		o->lower_bound |= db->confidence != ROLLCALL__CONFIDENCE__exact;
	}
	total = sum_total(sum, ev->time);
	if (!threshold || total < threshold)
		return 0;
	sum_take(sum, ev->time, total - total % threshold);
	if (o->number) {
		open_evidence(o, ev->id);
		return finding_emit(f, a, ev, db, p->name, windows[w].rule, o, "updated");
	}
	open_begin(f, o, ev->time);
	o->rows = total;
	o->bytes = db->bytes;
	o->last = ev->time;
	o->lower_bound = p->inexact && p->inexact + windows[w].span > ev->time;
	snprintf(o->session, sizeof(o->session), "%s", db->session);
	open_evidence(o, ev->id);
	return finding_emit(f, a, ev, db, p->name, windows[w].rule, o, "new");
}

/* A look-up of one row by its key is what an application does all day. */
static bool counts_towards_sums(const struct findings *f, const Rollcall__Db *db)
{
	return db->rows > 1 || f->opts.thresholds.point_reads || db->end != ROLLCALL__END__complete;
}

static int on_result(struct findings *f, struct arena *a, const Rollcall__Event *ev,
		     Rollcall__Db *db)
{
	static const enum rule_id order[] = {RULE_SERVER_COPY, RULE_RESULT, RULE_LARGE_ROW,
					     RULE_PAGE_COVERAGE, RULE_FIRST_SEEN};
	bool streaming = ev->kind_case == ROLLCALL__EVENT__KIND_DB_PROGRESS, found = false;
	struct principal_state *p = state_get(f, principal_of(a, db));

	if (!p)
		return -ENOMEM;
	p->last = ev->time;
	for (unsigned i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		if (!rule_applies(f, p, db, order[i]))
			continue;
		found = true;
		if (result_finding(f, a, ev, db, p, order[i]) < 0)
			return -ENOMEM;
	}
	if (streaming)
		return 0;
	p->rows += db->rows;
	if (!found && db->confidence != ROLLCALL__CONFIDENCE__exact)
		p->inexact = ev->time;
	/* Rows that were reported by themselves do not also fill the sums. */
	for (unsigned w = 0; w < WINDOWS && !found && counts_towards_sums(f, db); w++)
		if (window_finding(f, a, ev, db, p, w) < 0)
			return -ENOMEM;
	return 0;
}

/* What left in notices and errors counts for any table: the text hides which. */
static int on_side_channel(struct findings *f, struct arena *a, const Rollcall__Event *ev,
			   Rollcall__Db *db)
{
	struct principal_state *p;

	if (!f->opts.thresholds.side_channel_bytes ||
	    db->side_bytes < f->opts.thresholds.side_channel_bytes)
		return 0;
	p = state_get(f, principal_of(a, db));
	return p ? result_finding(f, a, ev, db, p, RULE_SIDE_CHANNEL) : -ENOMEM;
}

/*
 * A session that ends completes what it had open. Notifications come after the result of the
 * statement that sent them, so the last ones are in no result.
 */
static int on_session_end(struct findings *f, struct arena *a, const Rollcall__Event *ev,
			  Rollcall__Db *db)
{
	struct principal_state *p = state_get(f, principal_of(a, db));
	int e = on_side_channel(f, a, ev, db);

	if (e < 0)
		return e;

	for (unsigned r = 0; p && r < RULES; r++) {
		struct open *o = &p->open[r];

		if (o->number && o->rows != o->told && strcmp(o->session, db->session) == 0 &&
		    finding_emit(f, a, ev, db, p->name, r, o, "ended") < 0)
			return -ENOMEM;
	}
	return p ? 0 : -ENOMEM;
}

static int on_physical(struct findings *f, struct arena *a, const Rollcall__Event *ev)
{
	struct principal_state *p;
	struct open *o;
	char *name = arena_printf(a, "file:%s as %s", ev->process ? ev->process->exe : "",
				  ev->process ? ev->process->user : "");

	p = name ? state_get(f, name) : NULL;
	if (!p)
		return -ENOMEM;
	o = &p->open[RULE_PHYSICAL];
	p->last = ev->time;
	if (o->number && ev->time < o->last + MINUTE) {
		o->last = ev->time;
		open_evidence(o, ev->id);
		return finding_emit(f, a, ev, NULL, name, RULE_PHYSICAL, o, "updated");
	}
	open_begin(f, o, ev->time);
	o->last = ev->time;
	o->lower_bound = true;
	o->bytes = ev->file_read->inode ? ev->file_read->inode->size : 0;
	open_evidence(o, ev->id);
	return finding_emit(f, a, ev, NULL, name, RULE_PHYSICAL, o, "new");
}

static int on_database(struct findings *f, struct arena *a, const Rollcall__Event *ev,
		       Rollcall__Db *db)
{
	struct principal_state *p;
	int r = on_side_channel(f, a, ev, db);

	if (r < 0)
		return r;
	if (db->replication && *db->replication && db->bytes) {
		p = state_get(f, principal_of(a, db));
		return p ? result_finding(f, a, ev, db, p, RULE_REPLICATION) : -ENOMEM;
	}
	return db->n_tables ? on_result(f, a, ev, db) : 0;
}

int findings_event(struct findings *f, struct arena *a, const Rollcall__Event *ev)
{
	switch (ev->kind_case) {
	case ROLLCALL__EVENT__KIND_DB_RESULT:
		return on_database(f, a, ev, ev->db_result->db);
	case ROLLCALL__EVENT__KIND_DB_PROGRESS:
		return on_database(f, a, ev, ev->db_progress->db);
	case ROLLCALL__EVENT__KIND_DB_SESSION:
		return ev->db_session->closed ? on_session_end(f, a, ev, ev->db_session->db) : 0;
	case ROLLCALL__EVENT__KIND_FILE_READ:
		return ev->file_read->table ? on_physical(f, a, ev) : 0;
	default:
		return 0;
	}
}
