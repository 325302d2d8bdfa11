// SPDX-License-Identifier: Apache-2.0
// Ladders of hooks, by program name. Called by probe.c.
#include "sensor/ladder.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Best first. */
static const char *const hooks[] = {"lsm", "fentry", "fexit", "tp_btf", "sys_exit"};
#define HOOKS (sizeof(hooks) / sizeof(hooks[0]))

static const char *hook_of(const char *program)
{
	const char *sep = strstr(program, "__");

	return sep ? sep + 2 : "";
}

/* Is it <hook> or <hook>_<part>? */
static bool hook_is(const char *hook, const char *name)
{
	size_t n = strlen(name);

	return strncmp(hook, name, n) == 0 && (hook[n] == '\0' || hook[n] == '_');
}

int ladder_rank(const char *program, char *event, size_t size)
{
	const char *hook = hook_of(program);

	if (!*hook)
		return -1;
	if (event)
		snprintf(event, size, "%.*s", (int)(hook - 2 - program), program);
	for (unsigned i = 0; i < HOOKS; i++)
		if (hook_is(hook, hooks[i]))
			return (int)i;
	return -1;
}

static bool is_part(const char *program)
{
	int rank = ladder_rank(program, NULL, 0);

	return rank >= 0 && strcmp(hook_of(program), hooks[rank]) != 0;
}

static struct ladder_event *event_find(struct ladder *l, const char *name)
{
	for (unsigned i = 0; i < l->n; i++)
		if (strcmp(l->events[i].name, name) == 0)
			return &l->events[i];
	return NULL;
}

struct ladder_event *ladder_event(struct ladder *l, const char *name)
{
	struct ladder_event *ev = event_find(l, name);

	if (ev || l->n == LADDER_EVENTS_MAX)
		return ev;
	snprintf(l->events[l->n].name, sizeof(l->events[0].name), "%s", name);
	return &l->events[l->n++];
}

static bool has_lower(const char *const *programs, size_t n, const char *event, int rank)
{
	char name[48];

	for (size_t i = 0; i < n; i++)
		if (ladder_rank(programs[i], name, sizeof(name)) > rank && strcmp(name, event) == 0)
			return true;
	return false;
}

/* The first error of a rung's programs, or 0: it takes all of them. */
static int rung_try(const char *const *programs, size_t n, const char *event, int rank,
		    ladder_trial_fn trial, void *ctx)
{
	char name[48];
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++)
		if (ladder_rank(programs[i], name, sizeof(name)) == rank &&
		    strcmp(name, event) == 0)
			r = trial(ctx, programs[i]);
	return r;
}

void ladder_choose(struct ladder *l, const char *const *programs, size_t n, ladder_trial_fn trial,
		   void *ctx)
{
	int kinds[HOOKS] = {}; /* -EPERM: the kernel refuses every program of that kind */
	char name[48];

	for (size_t i = 0; i < HOOKS * n; i++) {
		const char *program = programs[i % n];
		int rank = (int)(i / n);
		struct ladder_event *ev;
		bool lower;

		if (ladder_rank(program, name, sizeof(name)) != rank || is_part(program))
			continue;
		ev = ladder_event(l, name);
		if (!ev || ev->program)
			continue;
		lower = has_lower(programs, n, name, rank);
		if (lower)
			ev->error = kinds[rank] ? kinds[rank]
						: rung_try(programs, n, name, rank, trial, ctx);
		if (lower && ev->error == -EPERM)
			kinds[rank] = -EPERM;
		if (!lower || ev->error == 0)
			ev->program = program;
	}
}

bool ladder_chosen(struct ladder *l, const char *program)
{
	struct ladder_event *ev;
	char name[48];
	int rank = ladder_rank(program, name, sizeof(name));

	if (rank < 0)
		return false;
	ev = event_find(l, name);
	return ev && ev->program && ladder_rank(ev->program, NULL, 0) == rank;
}

bool ladder_uses(const struct ladder *l, const char *hook)
{
	for (unsigned i = 0; i < l->n; i++)
		if (l->events[i].program && strcmp(hook_of(l->events[i].program), hook) == 0)
			return true;
	return false;
}
