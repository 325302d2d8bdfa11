// SPDX-License-Identifier: Apache-2.0
// `rollcall policy suggest`: what matches a rule again and again in the same way, most often first,
// each as an exception that is ready but for somebody who looks at it.
#include "cli/policy_suggest.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/exception.h"
#include "cli/policy_load.h"
#include "cli/recording.h"
#include "cli/replay.h"
#include "lib/arena.h"
#include "lib/clean.h"
#include "lib/log.h"
#include "lib/principal.h"
#include "lib/sigma/correlation.h"
#include "lib/sigma/engine.h"
#include "lib/sigma/rule.h"
#include "lib/sigma/stable.h"

#define GROUPS_MAX   16384
#define SLOTS	     (2 * GROUPS_MAX)
#define MIN_DEFAULT  3
#define MOST_DEFAULT 20
#define DAYS	     90

static const char usage[] =
	"Usage: rollcall policy suggest RECORDING [--min N] [--most N] [--owner O] [--reason R]\n"
	"                               [--until DATE] [PATH...]\n"
	"\n"
	"Groups what the rules find in a recording by rule and stable fields and prints, most "
	"often\n"
	"first, the narrowest exception for each group: Sigma filters, with comments on what each\n"
	"hides. That something repeats does not make it benign: look at the events (rollcall "
	"policy\n"
	"why) before a suggestion goes below " POLICY_LOAD_INSTALLED ".\n"
	"PATH... are the rules (default " POLICY_LOAD_INSTALLED "). RECORDING cannot be a pipe.\n"
	"\n"
	"  --min N       groups of at least N matches (default 3)\n"
	"  --most N      at most N suggestions (default 20)\n"
	"  --owner, --reason, --until\n"
	"                as for rollcall policy except (default: you, how often it was seen, 90 "
	"days)\n"
	"\n"
	"Exit status: 0 done, 1 the rules or the recording have mistakes, 2 wrong usage.\n";

struct group {
	const char *key;
	const struct rule *rule;
	const char *about;
	struct stable_fields fields;
	uint64_t times;
};

struct suggest {
	const char *recording, *owner, *reason, *until;
	unsigned long min, most;
	char **paths;
	struct arena *arena;  /* groups */
	struct arena *moment; /* of one hit */
	struct stable *stable;
	struct policy *policy;
	struct replay *replay;
	struct group *groups;
	uint32_t *slots; /* 1 + number of a group; 0: free */
	size_t n;
	uint64_t correlations, left_out;
	int error;
};

/* ---- groups ---- */

static char *key_of(struct arena *a, const struct rule *rule, const struct stable_fields *fields)
{
	char *bytes = NULL, *key;
	size_t size;
	FILE *f = open_memstream(&bytes, &size);

	if (!f)
		return NULL;
	fprintf(f, "%" PRIu32, rule->number);
	for (size_t i = 0; i < fields->n; i++)
		for (size_t k = 0; k < fields->f[i].n; k++)
			fprintf(f, "\n%s\t%s", fields->f[i].name, fields->f[i].values[k]);
	key = fclose(f) == 0 ? arena_strdup(a, bytes) : NULL;
	free(bytes);
	return key;
}

/* The group's place: its own or a free one. */
static uint32_t *slot_of(struct suggest *s, const char *key)
{
	uint64_t h = 0xcbf29ce484222325ull;
	uint32_t slot;

	for (const char *p = key; *p; p++)
		h = (h ^ (unsigned char)*p) * 0x100000001b3ull;
	slot = (uint32_t)((h ^ h >> 32) % SLOTS);
	while (s->slots[slot] && strcmp(s->groups[s->slots[slot] - 1].key, key) != 0)
		slot = (slot + 1) % SLOTS;
	return &s->slots[slot];
}

/* A group's memory stays; that of a hit which only counts does not. */
static int group_add(struct suggest *s, const Rollcall__Event *ev, const struct rule *rule)
{
	struct stable_fields fields;
	struct group *g;
	uint32_t *slot;
	char *key;

	if (stable_event(s->stable, s->moment, ev, &fields) < 0)
		return -ENOMEM;
	key = key_of(s->moment, rule, &fields);
	if (!key)
		return -ENOMEM;
	slot = slot_of(s, key);
	if (*slot) {
		s->groups[*slot - 1].times++;
		return 0;
	}
	if (s->n == GROUPS_MAX || !fields.n) {
		s->left_out++;
		return 0;
	}
	g = &s->groups[s->n];
	*g = (struct group){
		arena_strdup(s->arena, key), rule, principal_of_event(s->arena, ev), {}, 1};
	if (!g->key || !g->about || stable_event(s->stable, s->arena, ev, &g->fields) < 0)
		return -ENOMEM;
	*slot = (uint32_t)++s->n;
	return 0;
}

static void on_hit(void *ctx, const Rollcall__Event *ev, const struct engine_hit *hit)
{
	struct suggest *s = ctx;

	if (hit->correlation)
		s->correlations++;
	else if (!*hit->rule->id && !*hit->rule->name)
		s->left_out++;
	else if (s->error == 0)
		s->error = group_add(s, ev, hit->rule);
	arena_reset(s->moment);
}

static int recording_group(struct suggest *s)
{
	_cleanup_(recording_closep) struct recording *rec = NULL;
	Rollcall__Event *ev;
	int r = recording_open(s->recording, &rec);

	while (r >= 0 && s->error == 0 && (r = recording_next(rec, &ev)) > 0)
		replay_event(s->replay, ev);
	if (r < 0)
		return r;
	replay_end(s->replay);
	return s->error < 0 ? log_error(s->error, "cannot start") : 0;
}

static int by_times(const void *a, const void *b)
{
	const struct group *x = a, *y = b;

	if (x->times != y->times)
		return x->times < y->times ? 1 : -1;
	return strcmp(x->key, y->key);
}

/* ---- documents ---- */

static int document_write(const struct suggest *s, FILE *out, const struct group *g,
			  const char *comment)
{
	char reason[64];
	struct exception e = {.rule = g->rule,
			      .fields = &g->fields,
			      .about = g->about,
			      .owner = s->owner,
			      .reason = s->reason,
			      .until = s->until};

	snprintf(reason, sizeof(reason), "seen %" PRIu64 " times in a recording", g->times);
	if (!e.reason)
		e.reason = reason;
	return exception_write(out, &e, comment);
}

/* All of them as one policy, to be measured. */
static int measure(struct suggest *s, struct exception_use *uses, size_t n)
{
	_cleanup_(freep) char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);
	int r = f ? 0 : -ENOMEM;

	for (size_t i = 0; i < n && r == 0; i++) {
		if (i)
			fputs("---\n", f);
		r = document_write(s, f, &s->groups[i], NULL);
	}
	if (f && fclose(f) != 0)
		r = -ENOMEM;
	if (r < 0)
		return log_error(r, "cannot start");
	return exception_measure(s->arena, s->paths, text, s->recording, uses, n);
}

/* What else will not see the hidden events. */
static void counted_write(FILE *out, const struct suggest *s, const struct rule *rule)
{
	for (const struct rule *r = policy_rules(s->policy); r; r = r->next)
		for (unsigned i = 0; r->correlation && i < r->correlation->n_targets; i++)
			if (r->correlation->targets[i] == rule)
				fprintf(out, "\nNor does it count for: %s", r->title);
}

static int suggestion_print(const struct suggest *s, const struct group *g,
			    const struct exception_use *use)
{
	_cleanup_(freep) char *comment = NULL;
	size_t size;
	FILE *f = open_memstream(&comment, &size);

	if (!f)
		return log_error(-ENOMEM, "cannot start");
	fprintf(f, "Hides %" PRIu64 " matches of %" PRIu64 " principals, level %s: %s\nEvents:",
		use->matches, use->findings, g->rule->level, g->rule->title);
	for (size_t i = 0; i < use->n_first; i++)
		fprintf(f, " %s", use->first[i]);
	if (use->matches > use->n_first)
		fputs(" ...", f);
	counted_write(f, s, g->rule);
	if (fclose(f) != 0)
		return log_error(-ENOMEM, "cannot start");
	return document_write(s, stdout, g, comment);
}

static int suggestions_print(struct suggest *s)
{
	_cleanup_(freep) struct exception_use *uses = NULL;
	size_t n = 0;
	int r;

	if (s->n)
		qsort(s->groups, s->n, sizeof(*s->groups), by_times);
	while (n < s->n && n < s->most && s->groups[n].times >= s->min)
		n++;
	uses = calloc(n + 1, sizeof(*uses));
	r = uses ? n ? measure(s, uses, n) : 0 : log_error(-ENOMEM, "cannot start");
	for (size_t i = 0; i < n && r == 0; i++) {
		if (i)
			puts("---");
		r = suggestion_print(s, &s->groups[i], &uses[i]);
	}
	if (r < 0)
		return r;
	log_info("%zu suggestions; %zu groups of matches in all, of at least %lu: those above "
		 "(--min, --most)",
		 n, s->n, s->min);
	if (s->correlations)
		log_info("%" PRIu64 " findings are of correlations: rollcall policy except writes "
			 "an exception for what they count",
			 s->correlations);
	if (s->left_out)
		log_warn(0,
			 "%" PRIu64
			 " matches are left out: of rules without id and name, of events "
			 "without stable fields, or of too many groups",
			 s->left_out);
	return 0;
}

/* ---- the command ---- */

static int suggest(struct suggest *s)
{
	int r = policy_load(&(struct policy_load_opts){.to = stderr}, s->paths, &s->policy);

	if (r < 0)
		return r;
	s->replay = replay_new(s->policy, on_hit, s);
	s->arena = arena_new(64 * 1024);
	s->moment = arena_new(64 * 1024);
	s->stable = stable_new();
	s->groups = calloc(GROUPS_MAX, sizeof(*s->groups));
	s->slots = calloc(SLOTS, sizeof(*s->slots));
	if (!s->replay || !s->arena || !s->moment || !s->stable || !s->groups || !s->slots)
		return log_error(-ENOMEM, "cannot start");
	r = recording_group(s);
	return r == 0 ? suggestions_print(s) : r;
}

static void suggest_fini(struct suggest *s)
{
	replay_free(s->replay);
	policy_free(s->policy);
	stable_free(s->stable);
	arena_free(s->arena);
	arena_free(s->moment);
	free(s->groups);
	free(s->slots);
}

static int number_parse(const char *option, const char *text, unsigned long *ret)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*end || end == text || *text == '-' || !n || n > GROUPS_MAX)
		return log_error(0, "--%s '%s': write a number from 1 to %d", option, text,
				 GROUPS_MAX),
		       -EINVAL;
	*ret = n;
	return 0;
}

static int args_parse(int argc, char **argv, struct suggest *s)
{
	static const struct option options[] = {
		{"min", required_argument, NULL, 'm'},
		{"most", required_argument, NULL, 'M'},
		{"owner", required_argument, NULL, 'o'},
		{"reason", required_argument, NULL, 'r'},
		{"until", required_argument, NULL, 'u'},
		{"help", no_argument, NULL, 'h'},
		{},
	};
	int c, r = 0;

	while (r == 0 && (c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'h')
			return 1;
		if (c == '?')
			return -EINVAL;
		s->owner = c == 'o' ? optarg : s->owner;
		s->reason = c == 'r' ? optarg : s->reason;
		s->until = c == 'u' ? optarg : s->until;
		if (c == 'm')
			r = number_parse("min", optarg, &s->min);
		if (c == 'M')
			r = number_parse("most", optarg, &s->most);
	}
	if (r < 0)
		return r;
	if (optind == argc || strcmp(argv[optind], "-") == 0)
		return fputs(usage, stderr), -EINVAL;
	s->recording = argv[optind];
	s->paths = argv + optind + 1;
	if (exception_said("--owner", s->owner) < 0 ||
	    (s->reason && exception_said("--reason", s->reason) < 0))
		return -EINVAL;
	return exception_until(s->until);
}

int policy_suggest(int argc, char **argv)
{
	const struct passwd *me = getpwuid(getuid());
	const char *who = getenv("SUDO_USER");
	time_t until = time(NULL) + DAYS * 86400;
	char date[16];
	struct tm tm;
	_cleanup_(suggest_fini) struct suggest s = {
		.owner = who && *who ? who
			 : me	     ? me->pw_name
				     : "root",
		.until = date,
		.min = MIN_DEFAULT,
		.most = MOST_DEFAULT,
	};
	int r;

	strftime(date, sizeof(date), "%Y-%m-%d", gmtime_r(&until, &tm));
	r = args_parse(argc, argv, &s);
	if (r)
		return r == 1 ? fputs(usage, stdout) < 0 : 2;
	return suggest(&s);
}
