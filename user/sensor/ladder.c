// SPDX-License-Identifier: Apache-2.0
// Ladders of hooks, by program name. Called by probe.c.
#include "sensor/ladder.h"

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

int ladder_rank(const char *program, char *event, size_t size)
{
	const char *hook = hook_of(program);

	if (!*hook)
		return -1;
	if (event)
		snprintf(event, size, "%.*s", (int)(hook - 2 - program), program);
	for (unsigned i = 0; i < HOOKS; i++)
		if (strcmp(hook, hooks[i]) == 0)
			return (int)i;
	return -1;
}

struct ladder_event *ladder_event(struct ladder *l, const char *name)
{
	for (unsigned i = 0; i < l->n; i++)
		if (strcmp(l->events[i].name, name) == 0)
			return &l->events[i];
	if (l->n == LADDER_EVENTS_MAX)
		return NULL;
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

void ladder_choose(struct ladder *l, const char *const *programs, size_t n,
		   int (*trial)(const char *program, bool attach))
{
	char name[48];

	for (size_t i = 0; i < HOOKS * n; i++) {
		const char *program = programs[i % n];
		int rank = (int)(i / n);
		struct ladder_event *ev;
		bool lower;

		if (ladder_rank(program, name, sizeof(name)) != rank)
			continue;
		ev = ladder_event(l, name);
		if (!ev || ev->program)
			continue;
		lower = has_lower(programs, n, name, rank);
		if (lower)
			ev->error = trial(program, true);
		if (!lower || ev->error == 0)
			ev->program = program;
	}
}

bool ladder_chosen(struct ladder *l, const char *program)
{
	struct ladder_event *ev;
	char name[48];

	if (ladder_rank(program, name, sizeof(name)) < 0)
		return false;
	ev = ladder_event(l, name);
	return ev && ev->program && strcmp(ev->program, program) == 0;
}

bool ladder_uses(const struct ladder *l, const char *hook)
{
	for (unsigned i = 0; i < l->n; i++)
		if (l->events[i].program && strcmp(hook_of(l->events[i].program), hook) == 0)
			return true;
	return false;
}
