// SPDX-License-Identifier: Apache-2.0
// Findings of Sigma rules. What is open is kept in a table of fixed size; where it is full, the
// finding that was quiet longest is told anew when it goes on.
#include "sensor/rules.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/arena.h"
#include "lib/clean.h"
#include "lib/log.h"
#include "lib/principal.h"
#include "lib/sigma/correlate.h"
#include "lib/sigma/engine.h"
#include "lib/sigma/fileset.h"
#include "lib/sigma/policy.h"
#include "lib/sigma/rule.h"
#include "sensor/ruleset.h"

#define MINUTE	     (60 * 1000000000ull)
#define QUIET	     (10 * MINUTE) /* then what comes is a new finding */
#define SETS	     1024
#define WAYS	     4
#define EVIDENCE_MAX CORRELATE_EVIDENCE_MAX
#define ID_MAX	     CORRELATE_ID_MAX

/* A finding that may still grow. */
struct open {
	uint64_t key; /* of rule and principal; 0: none */
	uint64_t number, first, last;
	uint64_t events, told; /* told: how many there were */
	uint64_t rows, bytes;
	bool lower_bound;
	unsigned n_evidence;
	char evidence[EVIDENCE_MAX][ID_MAX];
};

struct rules {
	struct rules_opts opts;
	struct ruleset *set;
	struct arena *arena; /* of the event being looked at */
	struct open *table;  /* SETS x WAYS */
	uint64_t number;
	uint64_t gap_time;
	const struct rule *admitting; /* the rule that a finding of ours is of, while it is asked */
};

/* ---- what is open ---- */

/* By the rule's text: a finding goes on where the policy changes and the rule does not. One that is
 * no longer on trial finds anew. */
static uint64_t key_of(const struct rule *rule, const char *principal)
{
	uint64_t h = 0xcbf29ce484222325ull ^ rule->text ^ rule->observes;

	do
		h = (h ^ (unsigned char)*principal) * 0x100000001b3ull;
	while (*principal++);
	return h | 1;
}

/* The open finding, or a fresh one in the place of the one that was quiet longest. */
static struct open *open_get(struct rules *r, uint64_t key, uint64_t time)
{
	struct open *set = &r->table[(key >> 32) % SETS * WAYS], *oldest = set;

	for (unsigned i = 0; i < WAYS; i++) {
		if (set[i].key == key && time < set[i].last + QUIET)
			return &set[i];
		if (set[i].key == key || set[i].last < oldest->last)
			oldest = &set[i];
		if (set[i].key == key)
			break;
	}
	*oldest = (struct open){.key = key, .number = ++r->number, .first = time};
	return oldest;
}

static const Rollcall__Db *db_of(const Rollcall__Event *ev)
{
	switch (ev->kind_case) {
	case ROLLCALL__EVENT__KIND_DB_RESULT:
		return ev->db_result->db;
	case ROLLCALL__EVENT__KIND_DB_PROGRESS:
		return ev->db_progress->db;
	case ROLLCALL__EVENT__KIND_DB_SESSION:
		return ev->db_session->db;
	case ROLLCALL__EVENT__KIND_DB_SUMMARY:
		return ev->db_summary->db;
	case ROLLCALL__EVENT__KIND_FINDING:
		return ev->finding->db;
	case ROLLCALL__EVENT__KIND_FIRST_SEEN:
		return ev->first_seen->db;
	case ROLLCALL__EVENT__KIND_ROWS_UNUSUAL:
		return ev->rows_unusual->db;
	default:
		return NULL;
	}
}

static void evidence_add(struct open *o, const char *id)
{
	for (unsigned i = 0; i < o->n_evidence; i++)
		if (strcmp(o->evidence[i], id) == 0)
			return;
	if (*id && o->n_evidence < EVIDENCE_MAX)
		snprintf(o->evidence[o->n_evidence++], ID_MAX, "%s", id);
}

static void open_event(struct open *o, const Rollcall__Event *ev)
{
	const Rollcall__Db *db = db_of(ev);

	o->events++;
	o->rows += db ? db->rows : 0;
	o->bytes += db ? db->bytes : 0;
	o->lower_bound |= db && db->confidence != ROLLCALL__CONFIDENCE__exact;
	evidence_add(o, ev->id);
}

/* Rows are what was summed, when that is what was. */
static void open_correlation(struct open *o, const struct correlate_hit *hit)
{
	o->events += hit->events;
	if (hit->sums_rows)
		o->rows += (uint64_t)hit->value;
	o->lower_bound = true;
	o->first = hit->first < o->first ? hit->first : o->first;
	for (unsigned i = 0; i < hit->n_evidence; i++)
		evidence_add(o, hit->evidence[i]);
}

/* ---- findings ---- */

/* "attack.t1059.004" is T1059.004; tactics and other tags are not ids. */
static char *attack_id(struct arena *a, const char *tag)
{
	static const char prefix[] = "attack.t";
	char *id;

	if (strncmp(tag, prefix, sizeof(prefix) - 1) != 0 ||
	    !isdigit((unsigned char)tag[sizeof(prefix) - 1]))
		return NULL;
	id = arena_strdup(a, tag + sizeof(prefix) - 2);
	if (id)
		id[0] = 'T';
	return id;
}

static Rollcall__Rule *rule_fill(struct arena *a, const struct rule *rule)
{
	Rollcall__Rule *m = arena_alloc(a, sizeof(*m));

	if (!m)
		return NULL;
	rollcall__rule__init(m);
	m->id = arena_strdup(a, rule->key);
	m->title = arena_strdup(a, rule->title);
	m->level = arena_strdup(a, rule->level);
	m->attack_version = arena_strdup(a, rule->attack_version);
	m->attack = arena_alloc(a, (rule->tags.n + 1) * sizeof(*m->attack));
	if (!m->id || !m->title || !m->level || !m->attack_version || !m->attack)
		return NULL;
	for (size_t i = 0; i < rule->tags.n; i++) {
		char *attack = attack_id(a, rule->tags.s[i]);

		if (attack)
			m->attack[m->n_attack++] = attack;
	}
	return m;
}

static int evidence_fill(struct arena *a, Rollcall__Finding *m, const struct open *o)
{
	m->evidence = arena_alloc(a, EVIDENCE_MAX * sizeof(*m->evidence));
	for (unsigned i = 0; m->evidence && i < o->n_evidence; i++) {
		m->evidence[i] = arena_strdup(a, o->evidence[i]);
		if (!m->evidence[i])
			return -ENOMEM;
		m->n_evidence++;
	}
	return m->evidence ? 0 : -ENOMEM;
}

static int finding_fill(const struct rules *r, Rollcall__Finding *m, const struct rule *rule,
			const struct open *o, const Rollcall__Event *ev)
{
	const Rollcall__Db *db = ev ? db_of(ev) : NULL;

	m->rule = rule_fill(r->arena, rule);
	m->id = arena_printf(r->arena, "s-%llu-%llu", (unsigned long long)o->first,
			     (unsigned long long)o->number);
	m->status = arena_strdup(r->arena, o->told ? "updated" : "new");
	m->mode = arena_strdup(r->arena, rule->observes ? "observe" : "");
	if (!m->rule || !m->id || !m->status || !m->mode || evidence_fill(r->arena, m, o) < 0)
		return -ENOMEM;
	m->events = o->events;
	m->rows = m->rows_min = o->rows;
	m->rows_max = o->lower_bound ? 0 : o->rows;
	m->bytes = o->bytes;
	m->first_seen = o->first;
	m->last_seen = o->last;
	m->gap = r->gap_time && r->gap_time + MINUTE > o->first;
	m->db = (Rollcall__Db *)(uintptr_t)db;
	if (db) {
		m->tables = db->tables;
		m->n_tables = db->n_tables;
	}
	return 0;
}

static char *principal(struct arena *a, const Rollcall__Event *ev, const struct engine_hit *hit)
{
	if (hit->correlation && *hit->correlation->group)
		return arena_strdup(a, hit->correlation->group);
	return principal_of_event(a, ev);
}

static void finding_emit(struct rules *r, const struct rule *rule, struct open *o, char *who,
			 const Rollcall__Event *ev)
{
	Rollcall__Finding *m = arena_alloc(r->arena, sizeof(*m));
	Rollcall__Event *out = arena_alloc(r->arena, sizeof(*out));

	if (!m || !out)
		return;
	rollcall__finding__init(m);
	rollcall__event__init(out);
	if (finding_fill(r, m, rule, o, ev) < 0)
		return;
	o->told = o->events;
	m->principal = who;
	out->time = o->last;
	out->process = ev ? ev->process : NULL;
	out->kind_case = ROLLCALL__EVENT__KIND_FINDING;
	out->finding = m;
	r->opts.emit(r->opts.ctx, r->arena, out);
}

/* A correlation is told each time it holds: that it takes many events is its own doing. */
static void on_hit(void *ctx, const Rollcall__Event *ev, const struct engine_hit *hit)
{
	struct rules *r = ctx;
	char *who;
	struct open *o;

	/* A finding that matches a rule is not another finding. */
	if (!hit->correlation && ev->kind_case == ROLLCALL__EVENT__KIND_FINDING) {
		if (rule_is(hit->rule, ev->finding->rule->id))
			r->admitting = hit->rule;
		return;
	}
	who = principal(r->arena, ev, hit);
	o = who ? open_get(r, key_of(hit->rule, who), hit->time) : NULL;
	if (!o)
		return;
	o->last = hit->time > o->last ? hit->time : o->last;
	if (hit->correlation)
		open_correlation(o, hit->correlation);
	else
		open_event(o, ev);
	if (hit->correlation || !o->told || o->events >= 2 * o->told)
		finding_emit(r, hit->rule, o, who, ev);
}

bool rules_event(struct rules *r, struct arena *a, const Rollcall__Event *ev, uint64_t boottime)
{
	/* Findings are asked for before they are told; coverage is about ourselves. */
	if (ev->kind_case >= ROLLCALL__EVENT__KIND_FINDING &&
	    ev->kind_case != ROLLCALL__EVENT__KIND_GAP &&
	    ev->kind_case != ROLLCALL__EVENT__KIND_READY)
		return false;
	r->arena = a;
	return engine_event(r->set->engine, ev, boottime) > 0;
}

static const struct rule *rule_named(const struct rules *r, const char *name)
{
	for (const struct rule *i = policy_rules(r->set->policy); i; i = i->next)
		if (i->kind == RULE_DETECTION && rule_is(i, name))
			return i;
	return NULL;
}

bool rules_admit(struct rules *r, struct arena *a, Rollcall__Event *ev, uint64_t boottime)
{
	Rollcall__Finding *f = ev->finding;
	char *id = ev->id;
	bool known;

	known = rule_named(r, f->rule->id);
	r->arena = a;
	r->admitting = NULL;
	/* It has no id yet: what a correlation takes for evidence is what the finding rests on. */
	if (f->n_evidence)
		ev->id = f->evidence[f->n_evidence - 1];
	engine_event(r->set->engine, ev, boottime);
	ev->id = id;
	if (r->admitting)
		f->rule->level = arena_strdup(a, r->admitting->level);
	return (r->admitting || !known) && f->rule->level;
}

void rules_time(struct rules *r, struct arena *a, uint64_t now)
{
	r->arena = a;
	engine_time(r->set->engine, now);
}

void rules_gap(struct rules *r, uint64_t time)
{
	r->gap_time = time;
}

uint64_t rules_gave_up(const struct rules *r)
{
	return engine_gave_up(r->set->engine);
}

uint64_t rules_dropped(const struct rules *r)
{
	return engine_dropped(r->set->engine);
}

/* ---- loading ---- */

static void tell(void *ctx, const struct diag_text *t)
{
	(void)ctx;
	if (t->mistake)
		log_error(0, "%s:%u:%u: %s", t->file, t->line, t->column, t->text);
	else if (t->warning)
		log_warn(0, "%s:%u:%u: %s", t->file, t->line, t->column, t->text);
}

int rules_prepare(struct rules *r, const struct fileset *files, const char *path, uint64_t serial,
		  diag_fn fn, void *ctx, struct ruleset **ret_set)
{
	return ruleset_new(
		&(struct ruleset_opts){
			.files = files,
			.placeholders = r->opts.placeholders,
			.path = path,
			.serial = serial,
			.tell = fn,
			.tell_ctx = ctx,
			.hit = on_hit,
			.hit_ctx = r,
		},
		ret_set);
}

int rules_swap(struct rules *r, struct ruleset *set, struct compare_count *ret_count)
{
	int e = ruleset_carry(set, r->set, ret_count);

	if (e < 0)
		return e;
	ruleset_free(r->set);
	r->set = set;
	return 0;
}

const struct ruleset *rules_set(const struct rules *r)
{
	return r->set;
}

int rules_read(struct rules *r)
{
	const char *there = access(RULES_PATH, F_OK) == 0 ? RULES_PATH : "";
	const char *path = *r->opts.path ? r->opts.path : there;
	_cleanup_(fileset_freep) struct fileset *files = fileset_new();
	int e = files && *path ? fileset_read(files, path) : 0;

	if (!files)
		return log_error(-ENOMEM, "cannot start");
	if (e < 0)
		return log_error(e, "cannot read the rules in '%s'", path);
	e = rules_prepare(r, files, path, 0, tell, NULL, &r->set);
	if (e < 0)
		return log_error(e == -EBADMSG ? 0 : e, "the rules in '%s' have mistakes", path), e;
	return 0;
}

void rules_freep(struct rules **r)
{
	*r = rules_free(*r);
}

struct rules *rules_new(const struct rules_opts *opts)
{
	_cleanup_(rules_freep) struct rules *r = calloc(1, sizeof(*r));

	if (r)
		r->table = calloc(SETS * WAYS, sizeof(*r->table));
	if (!r || !r->table)
		return NULL;
	r->opts = *opts;
	return take_ptr(r);
}

struct rules *rules_free(struct rules *r)
{
	if (!r)
		return NULL;
	ruleset_free(r->set);
	free(r->table);
	free(r);
	return NULL;
}
