// SPDX-License-Identifier: Apache-2.0
// Another policy: who asks for it, from where it is read, what is said of it.
#include "sensor/reload.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/clean.h"
#include "lib/log.h"
#include "lib/sigma/compare.h"
#include "lib/sigma/fileset.h"
#include "lib/sigma/listing.h"
#include "sensor/control.h"
#include "sensor/host.h"
#include "sensor/inbox.h"
#include "sensor/pipeline.h"
#include "sensor/rules.h"
#include "sensor/ruleset.h"

#define MISTAKES_MAX 200 /* that are told of one attempt */

struct reload {
	struct pipeline *pipeline;
	struct rules *rules;
	const char *path;
	struct inbox *inbox; /* NULL: no bundles are taken */
	struct arena *arena; /* of one attempt and its answer */
	char *mistakes[MISTAKES_MAX];
	Rollcall__PolicyChange change;
	Rollcall__PolicyAnswer answer;
	Rollcall__PolicyList list;
};

/* ---- one attempt ---- */

static void attempt_begin(struct reload *r, const char *by, const char *path)
{
	const struct ruleset *now = rules_set(r->rules);

	arena_reset(r->arena);
	rollcall__policy_change__init(&r->change);
	rollcall__policy_answer__init(&r->answer);
	r->change.by = (char *)(uintptr_t)by;
	r->change.path = (char *)(uintptr_t)path;
	r->change.old_sha256 = arena_strdup(r->arena, now->sha256);
	r->answer.path = (char *)(uintptr_t)r->path;
	r->answer.mistakes = r->mistakes;
}

static void tell(void *ctx, const struct diag_text *t)
{
	struct reload *r = ctx;
	char *text;

	if (!t->mistake || r->change.mistakes++ >= MISTAKES_MAX)
		return;
	log_error(0, "%s:%u:%u: %s", t->file, t->line, t->column, t->text);
	text = arena_printf(r->arena, "%s:%u:%u: %s", t->file, t->line, t->column, t->text);
	if (text)
		r->mistakes[r->answer.n_mistakes++] = text;
}

static int refuse(struct reload *r, int error, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static int refuse(struct reload *r, int error, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	r->change.reason = arena_strdup(r->arena, text);
	r->answer.reason = r->change.reason;
	return error;
}

/* The files of this attempt, compiled. Failures are in the answer. */
static int prepare(struct reload *r, const struct fileset *files, uint64_t serial,
		   struct ruleset **ret_set)
{
	char sha256[DIGEST_HEX];
	int e = fileset_digest(files, sha256);

	if (e == 0)
		r->change.new_sha256 = arena_strdup(r->arena, sha256);
	if (e == 0)
		e = rules_prepare(r->rules, files, r->change.path, serial, tell, r, ret_set);
	if (e == -EBADMSG)
		return refuse(r, e, "%s", r->answer.n_mistakes ? r->mistakes[0] : "mistakes");
	return e < 0 ? refuse(r, e, "%s", strerror(-e)) : 0;
}

static int put_in_force(struct reload *r, struct ruleset *set)
{
	struct compare_count n = {};
	int e = rules_swap(r->rules, set, &n);

	if (e < 0) {
		ruleset_free(set);
		return refuse(r, e, "%s", strerror(-e));
	}
	pipeline_see_all(r->pipeline);
	r->answer.done = true;
	r->change.added = r->answer.added = n.added;
	r->change.removed = r->answer.removed = n.removed;
	r->change.changed = r->answer.changed = n.changed;
	return 0;
}

static void log_change(const struct reload *r)
{
	const Rollcall__PolicyChange *m = &r->change;

	if (r->answer.done)
		log_info("policy '%s' is in force (%s): %u rules added, %u removed, %u changed",
			 m->path, m->by, m->added, m->removed, m->changed);
	else
		log_error(0, "policy '%s' was refused (%s), the old one stays in force: %s",
			  m->path, m->by, m->reason);
}

/* The end of an attempt that was meant. */
static void attempt_end(struct reload *r)
{
	Rollcall__Event ev;

	if (!r->change.old_sha256 || !r->change.new_sha256 || !r->change.reason) {
		log_error(-ENOMEM, "policy '%s'", r->change.path);
		return;
	}
	log_change(r);
	r->answer.sha256 = (char *)(uintptr_t)rules_set(r->rules)->sha256;
	r->change.result = (char *)(uintptr_t)(r->answer.done ? "applied" : "refused");
	rollcall__event__init(&ev);
	ev.time = host_boottime();
	ev.kind_case = ROLLCALL__EVENT__KIND_POLICY_CHANGE;
	ev.policy_change = &r->change;
	pipeline_emit(r->pipeline, &ev);
}

/* ---- files ---- */

/* A signed policy is not replaced by whoever is root on this host. */
static int files_prepare(struct reload *r, struct ruleset **ret_set)
{
	_cleanup_(fileset_freep) struct fileset *files = fileset_new();
	uint64_t serial = rules_set(r->rules)->serial;
	int e;

	if (serial)
		return refuse(r, -EPERM,
			      "the policy is that of the signed bundle %llu: sign a newer one",
			      (unsigned long long)serial);
	e = files ? fileset_read(files, r->change.path) : -ENOMEM;
	if (e < 0)
		return refuse(r, e, "cannot be read: %s", strerror(-e));
	return prepare(r, files, 0, ret_set);
}

static void files_apply(struct reload *r)
{
	struct ruleset *set;

	if (files_prepare(r, &set) == 0)
		put_in_force(r, set);
	attempt_end(r);
}

void reload_signal(struct reload *r)
{
	attempt_begin(r, "signal", r->path);
	files_apply(r);
}

/* ---- signed bundles ---- */

/* `inbox` tells what it found in its directory, or in the file it keeps. */
static int on_bundle(void *ctx, const struct inbox_bundle *b)
{
	struct reload *r = ctx;
	_cleanup_(ruleset_freep) struct ruleset *set = NULL;
	int e;

	attempt_begin(r, "bundle", b->path);
	r->change.serial = b->serial;
	e = b->error < 0 ? refuse(r, b->error, "%s", b->why)
			 : prepare(r, b->files, b->serial, &set);
	/* On disk before it is in force: a restart must not bring the old one back. */
	if (e == 0 && !b->kept) {
		e = inbox_keep(r->inbox, b);
		if (e < 0)
			refuse(r, e, "cannot be kept: %s", strerror(-e));
	}
	if (e == 0)
		e = put_in_force(r, take_ptr(set));
	/* The bundle of before the restart is nobody's change. */
	if (e < 0 || !b->kept)
		attempt_end(r);
	return e;
}

void reload_tick(struct reload *r)
{
	if (r->inbox)
		inbox_look(r->inbox, on_bundle, r);
}

/* ---- the control socket ---- */

/* Sent before anything else can change. */
static int list_fill(struct reload *r)
{
	const struct ruleset *set = rules_set(r->rules);

	arena_reset(r->arena);
	rollcall__policy_list__init(&r->list);
	r->list.sha256 = (char *)(uintptr_t)set->sha256;
	r->list.path = set->path;
	r->list.serial = set->serial;
	return listing_fill(r->arena, set->policy, set->engine, &r->list);
}

/* Mistakes go to the log as they go to who asks; nothing was meant to change. */
static void check(struct reload *r, const char *path)
{
	_cleanup_(ruleset_freep) struct ruleset *set = NULL;

	attempt_begin(r, "command", path);
	if (*path != '/')
		refuse(r, -EINVAL, "an absolute path is expected");
	else
		r->answer.done = files_prepare(r, &set) == 0;
	if (!r->answer.done)
		log_error(0, "policy '%s' would be refused: %s", path, r->change.reason);
}

int reload_request(struct reload *r, const struct control_peer *who, const Rollcall__Request *ask,
		   enum frame_type *ret_type, const ProtobufCMessage **ret_answer)
{
	*ret_type = FRAME_POLICY_ANSWER;
	*ret_answer = &r->answer.base;
	switch (ask->ask) {
	case ROLLCALL__ASK__policy_list:
		*ret_type = FRAME_POLICY_LIST;
		*ret_answer = &r->list.base;
		return list_fill(r);
	case ROLLCALL__ASK__policy_check:
		check(r, ask->path);
		return 0;
	case ROLLCALL__ASK__policy_apply:
		attempt_begin(r, "command", r->path);
		r->change.uid = who->uid;
		r->change.pid = who->pid;
		files_apply(r);
		return 0;
	default:
		return -EBADMSG;
	}
}

/* ---- begin and end ---- */

int reload_new(const struct reload_opts *opts, struct reload **ret_reload)
{
	struct reload *r = calloc(1, sizeof(*r));
	int e = 0;

	if (r)
		r->arena = arena_new(64 * 1024);
	if (!r || !r->arena) {
		reload_free(r);
		return log_error(-ENOMEM, "cannot start");
	}
	r->pipeline = opts->pipeline;
	r->rules = pipeline_rules(opts->pipeline);
	r->path = *opts->path ? opts->path : RULES_PATH;
	if (*opts->key)
		e = inbox_new(&(struct inbox_opts){opts->key, opts->inbox, opts->accepted},
			      &r->inbox);
	if (e < 0) {
		reload_free(r);
		return e;
	}
	*ret_reload = r;
	return 0;
}

void reload_begin(struct reload *r)
{
	if (r->inbox)
		inbox_begin(r->inbox, on_bundle, r);
}

struct reload *reload_free(struct reload *r)
{
	if (!r)
		return NULL;
	inbox_free(r->inbox);
	arena_free(r->arena);
	free(r);
	return NULL;
}
