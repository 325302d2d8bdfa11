// SPDX-License-Identifier: Apache-2.0
// Weighs the host against each profile. Changes nothing: the administrator puts the line that is
// proposed into the configuration.
#include "cli/setup_profile.h"

#include <errno.h>
#include <getopt.h>
#include <glob.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/out.h"
#include "cli/setup_host.h"
#include "lib/arena.h"
#include "lib/clean.h"
#include "lib/event.h"
#include "lib/log.h"
#include "lib/profile.h"
#include "setup.pb-c.h"

#define CANDIDATES_MAX 64

static const char usage[] =
	"Usage: rollcall setup [profile] [--json] [--root DIR] [--profiles DIR]\n"
	"       rollcall setup database --help\n"
	"\n"
	"Looks at the processes, systemd units, files and databases of this host, weighs them\n"
	"against the product profiles, and proposes the one that fits best, with the line for\n"
	"/etc/rollcall/sensor.yaml. Changes nothing. Run it as root: other users' processes are\n"
	"hidden from others.\n"
	"\n"
	"  --json          one JSON object\n"
	"  --root DIR      look at what is below DIR (with its own proc) instead of this host\n"
	"  --profiles DIR  profiles (default " PROFILE_DIR ")\n"
	"\n"
	"Exit status: 0 a profile is proposed, 1 none fits or a failure, 2 wrong usage.\n";

struct args {
	bool json;
	const char *root, *profiles;
};

static void mistake(void *ctx, unsigned line, unsigned column, const char *text)
{
	log_error(0, "%s:%u:%u: %s", (const char *)ctx, line, column, text);
}

/* ---- weighing ---- */

static int sign_add(struct arena *a, Rollcall__Candidate *c, const struct profile *p,
		    const struct setup_host *h, enum profile_sign kind, size_t i)
{
	unsigned weight;
	const char *pattern = profile_sign(p, kind, i, &weight);
	char found[256];
	Rollcall__Sign *s;

	if (!setup_host_find(h, kind, pattern, found, sizeof(found)))
		return 0;
	s = arena_alloc(a, sizeof(*s));
	if (!s)
		return -ENOMEM;
	rollcall__sign__init(s);
	s->kind = arena_strdup(a, profile_sign_text(kind));
	s->pattern = arena_strdup(a, pattern);
	s->found = arena_strdup(a, found);
	s->weight = weight;
	c->evidence[c->n_evidence++] = s;
	c->score += weight;
	return s->kind && s->pattern && s->found ? 0 : -ENOMEM;
}

static int candidate_weigh(struct arena *a, Rollcall__Candidate *c, const struct profile *p,
			   const struct setup_host *h)
{
	int r = 0;

	c->title = arena_strdup(a, profile_title(p));
	c->evidence = arena_alloc(a, PROFILE_SIGNS * PROFILE_ITEMS_MAX * sizeof(*c->evidence));
	if (!c->title || !c->evidence)
		return -ENOMEM;
	for (unsigned kind = 0; kind < PROFILE_SIGNS; kind++)
		for (size_t i = 0; i < profile_signs(p, kind) && r == 0; i++)
			r = sign_add(a, c, p, h, kind, i);
	return r;
}

/* "/etc/rollcall/profiles/glpi.yaml" is glpi. */
static char *name_of(struct arena *a, const char *path)
{
	const char *base = strrchr(path, '/') + 1;

	return arena_strndup(a, base, strlen(base) - strlen(".yaml"));
}

static int candidate_add(struct arena *a, Rollcall__Proposal *all, char *path,
			 const struct setup_host *h)
{
	_cleanup_(profile_freep) struct profile *p = NULL;
	Rollcall__Candidate *c = arena_alloc(a, sizeof(*c));
	int r = profile_read(path, mistake, path, &p);

	if (r < 0)
		return r == -EBADMSG ? r : log_error(r, "cannot read '%s'", path);
	if (!c)
		return -ENOMEM;
	rollcall__candidate__init(c);
	c->profile = name_of(a, path);
	all->candidates[all->n_candidates++] = c;
	return c->profile ? candidate_weigh(a, c, p, h) : -ENOMEM;
}

/* By score; of the same score, by name. */
static int compare(const void *a, const void *b)
{
	const Rollcall__Candidate *x = *(Rollcall__Candidate *const *)a;
	const Rollcall__Candidate *y = *(Rollcall__Candidate *const *)b;

	if (x->score != y->score)
		return x->score < y->score ? 1 : -1;
	return strcmp(x->profile, y->profile);
}

static int weigh(struct arena *a, const struct args *args, Rollcall__Proposal *all)
{
	_cleanup_(setup_host_freep) struct setup_host *h = NULL;
	const char *dir = args->profiles ? args->profiles : PROFILE_DIR;
	char *pattern = arena_printf(a, "%s/*.yaml", dir);
	glob_t g = {};
	int r = setup_host_read(args->root, &h);

	if (r < 0)
		return log_error(r, "cannot look at the processes in '%s/proc'", args->root);
	all->candidates = arena_alloc(a, CANDIDATES_MAX * sizeof(*all->candidates));
	if (!pattern || !all->candidates)
		return log_error(-ENOMEM, "setup");
	if (glob(pattern, 0, NULL, &g) != 0)
		r = log_error(-ENOENT, "no profiles in '%s'", dir);
	for (size_t i = 0; i < g.gl_pathc && i < CANDIDATES_MAX && r == 0; i++)
		r = candidate_add(a, all, g.gl_pathv[i], h);
	globfree(&g);
	if (r < 0)
		return r;
	qsort(all->candidates, all->n_candidates, sizeof(*all->candidates), compare);
	if (!all->candidates[0]->score)
		return 0;
	all->profile = all->candidates[0]->profile;
	all->line = arena_printf(a, "profile: %s", all->profile);
	return all->line ? 0 : -ENOMEM;
}

/* ---- printing ---- */

static int table_print(const Rollcall__Proposal *all, struct out *o)
{
	static const char *const heads[] = {"PROFILE", "SCORE", "PRODUCT", NULL};
	_cleanup_(out_table_freep) struct out_table *t = out_table_new(heads);
	int r = t ? 0 : -ENOMEM;

	for (size_t i = 0; i < all->n_candidates && r == 0; i++) {
		const Rollcall__Candidate *c = all->candidates[i];

		r = out_table_cell(t, i ? OUT_PLAIN : OUT_BOLD, "%s", c->profile);
		if (r == 0)
			r = out_table_cell(t, OUT_PLAIN, "%u", c->score);
		if (r == 0)
			r = out_table_cell(t, OUT_PLAIN, "%s", c->title);
	}
	if (r == 0)
		out_table_print(t, o);
	return r;
}

static int proposal_print(const Rollcall__Proposal *all)
{
	const Rollcall__Candidate *best = all->candidates[0];
	struct out o;
	int r;

	out_init(&o, stdout);
	r = table_print(all, &o);
	if (r < 0)
		return r;
	if (!best->score) {
		out_printf(&o, OUT_PLAIN, "\nNothing here speaks for any of them.\n");
		return 0;
	}
	out_printf(&o, OUT_PLAIN, "\nWhy %s:\n", best->profile);
	for (size_t i = 0; i < best->n_evidence; i++) {
		out_printf(&o, OUT_PLAIN, "  +%-3u %-8s  ", best->evidence[i]->weight,
			   best->evidence[i]->kind);
		out_text(&o, OUT_PLAIN, best->evidence[i]->found);
		out_printf(&o, OUT_DIM, "  (%s)\n", best->evidence[i]->pattern);
	}
	if (all->n_candidates > 1 && all->candidates[1]->score == best->score)
		out_printf(&o, OUT_YELLOW, "\n%s fits as well: look at both.\n",
			   all->candidates[1]->profile);
	out_printf(&o, OUT_PLAIN, "\nFor /etc/rollcall/sensor.yaml:\n\n    %s\n", all->line);
	return 0;
}

/* 0: run; other: the exit status, plus one. */
static int args_read(struct args *args, int argc, char **argv)
{
	static const struct option options[] = {
		{"json", no_argument, NULL, 'j'},
		{"root", required_argument, NULL, 'r'},
		{"profiles", required_argument, NULL, 'p'},
		{"help", no_argument, NULL, 'h'},
		{},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'h')
			return fputs(usage, stdout) < 0 ? 2 : 1;
		if (c == '?')
			return 3;
		args->json |= c == 'j';
		if (c == 'r')
			args->root = optarg;
		if (c == 'p')
			args->profiles = optarg;
	}
	if (argc - optind > 1 || (argc - optind == 1 && strcmp(argv[optind], "profile") != 0))
		return fputs(usage, stderr), 3;
	return 0;
}

int setup_profile(int argc, char **argv)
{
	_cleanup_(arena_freep) struct arena *a = arena_new(64 * 1024);
	struct args args = {.root = ""};
	Rollcall__Proposal all;
	int r = args_read(&args, argc, argv);

	if (r)
		return r - 1;
	if (!a)
		return log_error(-ENOMEM, "setup");
	rollcall__proposal__init(&all);
	r = weigh(a, &args, &all);
	if (r < 0)
		return r;
	if (args.json) {
		event_message_json(stdout, &all.base);
		putchar('\n');
	} else {
		r = proposal_print(&all);
	}
	return r < 0 ? r : !*all.profile;
}
