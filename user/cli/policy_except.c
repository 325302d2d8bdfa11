// SPDX-License-Identifier: Apache-2.0
// `rollcall policy except`: a finding, the events it rests on, what these have in common; of that a
// filter for the finding's rule, written only when it hides what it should.
#include "cli/policy_except.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/exception.h"
#include "cli/out.h"
#include "cli/policy_load.h"
#include "cli/recording.h"
#include "lib/arena.h"
#include "lib/clean.h"
#include "lib/log.h"
#include "lib/principal.h"
#include "lib/sigma/correlation.h"
#include "lib/sigma/explain.h"
#include "lib/sigma/rule.h"
#include "lib/sigma/stable.h"

static const char usage[] =
	"Usage: rollcall policy except FINDING --against RECORDING --owner O --reason R --until "
	"DATE\n"
	"                              [--rule ID] [--out FILE] [PATH...]\n"
	"\n"
	"Writes the narrowest exception for a finding: a Sigma filter for its rule, by what the\n"
	"finding's events have in common; numbers, times and random names become *. Tells what it\n"
	"would have hidden in the recording. PATH... are the rules (default " POLICY_LOAD_INSTALLED
	").\n"
	"\n"
	"  FINDING          the id of a finding in the recording, or the id or line of an event "
	"that a\n"
	"                   rule matches\n"
	"  --against FILE   the recording; not a pipe, it is read more than once\n"
	"  --rule ID        which rule, when several match the event\n"
	"  --owner, --reason  who answers for it, and why\n"
	"  --until DATE     YYYY-MM-DD, its last day; a date that is over is refused\n"
	"  --out FILE       must not be there yet (default: standard output); put it below\n"
	"                   " POLICY_LOAD_INSTALLED " to use it\n"
	"\n"
	"Exit status: 0 written, 1 failed, 2 wrong usage.\n";

struct except {
	const char *finding, *recording, *rule_name, *out;
	struct exception exception;
	char **paths;
	struct policy *policy;
	struct arena *arena;
	struct stable *stable;
	struct stable_fields fields;
	char *const *evidence; /* ids; NULL: the event itself */
	size_t n_evidence, found;
};

/* ---- the finding ---- */

static const struct rule *rule_find(const struct policy *p, const char *name)
{
	for (const struct rule *r = policy_rules(p); r; r = r->next)
		if (r->kind != RULE_FILTER && (rule_is(r, name) || strcmp(r->title, name) == 0))
			return r;
	return NULL;
}

/* A filter is for events: of a correlation it is for the one rule that it counts. */
static int rule_set(struct except *e, const struct rule *rule)
{
	if (rule->correlation && rule->correlation->n_targets == 1)
		return rule_set(e, rule->correlation->targets[0]);
	if (rule->correlation) {
		log_error(0,
			  "'%s' joins several rules: write an exception for one of its steps "
			  "(rollcall policy except EVENT --rule RULE), which are:",
			  rule->title);
		for (unsigned i = 0; i < rule->correlation->n_targets; i++)
			log_error(0, "  %s (%s)", rule->correlation->targets[i]->key,
				  rule->correlation->targets[i]->title);
		return -EINVAL;
	}
	if (!*rule->id && !*rule->name)
		return log_error(0, "the rule '%s' has no id and no name: give it one first",
				 rule->title),
		       -EINVAL;
	e->exception.rule = rule;
	return 0;
}

/* The one rule that matches the event. */
static int rule_by_event(struct except *e, const Rollcall__Event *ev)
{
	const char *found = NULL;
	Rollcall__WhyReport *m;
	unsigned n = 0;
	int r = explain_event(e->arena, e->policy, ev, NULL, &m);

	if (r < 0)
		return log_error(r, "cannot explain");
	for (size_t i = 0; i < m->n_rules; i++) {
		if (!m->rules[i]->matched || !m->rules[i]->source)
			continue;
		found = m->rules[i]->rule;
		if (n++)
			log_error(0, "several rules match the event: --rule %s or %s?", found,
				  e->rule_name);
		e->rule_name = found;
	}
	if (!n)
		log_error(0, "no rule matches the event '%s' (rollcall policy why tells more)",
			  e->finding);
	return n == 1 ? rule_set(e, rule_find(e->policy, found)) : -EINVAL;
}

static int finding_set(struct except *e, const Rollcall__Event *ev)
{
	const Rollcall__Finding *f =
		ev->kind_case == ROLLCALL__EVENT__KIND_FINDING ? ev->finding : NULL;
	const char *name = e->rule_name ? e->rule_name : f && f->rule ? f->rule->id : NULL;
	const struct rule *rule = name ? rule_find(e->policy, name) : NULL;

	if (f) {
		e->evidence = f->evidence;
		e->n_evidence = f->n_evidence;
	}
	e->exception.about = f ? f->principal : principal_of_event(e->arena, ev);
	if (!e->exception.about)
		return log_error(-ENOMEM, "cannot start");
	if (name && !rule)
		return log_error(0, "'%s' is no rule of this policy: which PATH has it?", name),
		       -ENOENT;
	return rule ? rule_set(e, rule) : rule_by_event(e, ev);
}

/* ---- its events ---- */

static bool is_evidence(const struct except *e, const Rollcall__Event *ev)
{
	for (size_t i = 0; i < e->n_evidence; i++)
		if (*ev->id && strcmp(ev->id, e->evidence[i]) == 0)
			return true;
	return false;
}

static int event_add(struct except *e, const Rollcall__Event *ev)
{
	struct stable_fields fields;
	int r = stable_event(e->stable, e->arena, ev, &fields);

	if (r == 0 && e->found++)
		r = stable_join(e->arena, &e->fields, &fields);
	else if (r == 0)
		e->fields = fields;
	return r < 0 ? log_error(r, "cannot start") : 0;
}

static int events_add(struct except *e, const Rollcall__Event *ev)
{
	_cleanup_(recording_closep) struct recording *rec = NULL;
	Rollcall__Event *next;
	int r;

	/* Rules for findings that are built in judge the finding itself. */
	if (ev->kind_case != ROLLCALL__EVENT__KIND_FINDING ||
	    strcmp(e->exception.rule->source.service, "finding") == 0)
		return event_add(e, ev);
	r = recording_open(e->recording, &rec);
	while (r >= 0 && (r = recording_next(rec, &next)) > 0)
		if (is_evidence(e, next))
			r = event_add(e, next);
	if (r == 0 && !e->found)
		return log_error(0, "none of the finding's events is in '%s'", e->recording),
		       -ENOENT;
	return r;
}

/* ---- the exception ---- */

static int measure(struct except *e, const char *text)
{
	struct exception_use use = {};
	int r = exception_measure(e->arena, e->paths, text, e->recording, &use, 1);

	if (r < 0)
		return r;
	if (use.matches < e->found)
		return log_error(0,
				 "the exception would hide %" PRIu64
				 " of the finding's %zu events: "
				 "it is not written",
				 use.matches, e->found),
		       -EBADMSG;
	log_info("it would have hidden %" PRIu64 " matches of %" PRIu64 " principals, %zu of the "
		 "finding's events among them:",
		 use.matches, use.findings, e->found);
	for (size_t i = 0; i < use.n_first; i++)
		log_info("  %s", use.first[i]);
	if (use.matches > use.n_first)
		log_info("  and %" PRIu64 " more", use.matches - use.n_first);
	if (e->fields.n < 2)
		log_warn(0, "the finding's events have little in common: read what it selects by");
	return 0;
}

static int text_out(const struct except *e, const char *text)
{
	_cleanup_(closep) int fd =
		e->out ? open(e->out, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644)
		       : fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
	size_t len = strlen(text);

	if (fd < 0)
		return log_error(-errno, "cannot make '%s'", e->out);
	if (write(fd, text, len) != (ssize_t)len)
		return log_error(errno ? -errno : -EIO, "cannot write");
	return 0;
}

static int write_all(struct except *e)
{
	_cleanup_(freep) char *text = NULL;
	size_t size;
	FILE *f;
	int r;

	if (!e->fields.n)
		return log_error(0, "the finding's events have nothing in common that stays"),
		       -EBADMSG;
	f = open_memstream(&text, &size);
	if (!f)
		return log_error(-ENOMEM, "cannot start");
	e->exception.fields = &e->fields;
	r = exception_write(f, &e->exception, NULL);
	if (fclose(f) != 0 || r < 0)
		return log_error(r < 0 ? r : -EIO, "cannot write");
	r = measure(e, text);
	return r < 0 ? r : text_out(e, text);
}

static int except(struct except *e)
{
	Rollcall__Event *ev;
	int r = policy_load(&(struct policy_load_opts){.to = stderr}, e->paths, &e->policy);

	e->arena = arena_new(64 * 1024);
	e->stable = stable_new();
	if (r == 0 && (!e->arena || !e->stable))
		r = log_error(-ENOMEM, "cannot start");
	if (r == 0)
		r = recording_find(e->arena, e->recording, e->finding, &ev);
	if (r == 0)
		r = finding_set(e, ev);
	if (r == 0)
		r = events_add(e, ev);
	return r == 0 ? write_all(e) : r;
}

static void except_fini(struct except *e)
{
	stable_free(e->stable);
	policy_free(e->policy);
	arena_free(e->arena);
}

/* ---- arguments ---- */

static int args_parse(int argc, char **argv, struct except *e)
{
	static const struct option options[] = {
		{"against", required_argument, NULL, 'a'}, {"owner", required_argument, NULL, 'o'},
		{"reason", required_argument, NULL, 'r'},  {"until", required_argument, NULL, 'u'},
		{"rule", required_argument, NULL, 'R'},	   {"out", required_argument, NULL, 'O'},
		{"help", no_argument, NULL, 'h'},	   {},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'h')
			return 1;
		if (c == '?')
			return -EINVAL;
		*(c == 'a'   ? &e->recording
		  : c == 'o' ? &e->exception.owner
		  : c == 'r' ? &e->exception.reason
		  : c == 'u' ? &e->exception.until
		  : c == 'R' ? &e->rule_name
			     : &e->out) = optarg;
	}
	if (optind == argc || !e->recording || strcmp(e->recording, "-") == 0 ||
	    !e->exception.until)
		return fputs(usage, stderr), -EINVAL;
	e->finding = argv[optind];
	e->paths = argv + optind + 1;
	if (exception_said("--owner", e->exception.owner) < 0 ||
	    exception_said("--reason", e->exception.reason) < 0)
		return -EINVAL;
	return exception_until(e->exception.until);
}

int policy_except(int argc, char **argv)
{
	_cleanup_(except_fini) struct except e = {};
	int r = args_parse(argc, argv, &e);

	if (r)
		return r == 1 ? fputs(usage, stdout) < 0 : 2;
	return except(&e);
}
